// Random messages of clients, and a second opinion about them.
import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import fc from 'fast-check'
import type { TSchema } from '@sinclair/typebox'

const Text = Type.Object({ text: Type.String({ maxLength: 5 }) }, { additionalProperties: false })
const Open = Type.Object({ n: Type.Optional(Type.Integer()) })

export const clientSchemas: Readonly<Record<string, TSchema>> = {
  say: Text,
  open: Open,
  flag: Type.Boolean(),
  list: Type.Array(Type.Union([Type.Number(), Text]), { maxItems: 3 }),
  any: Type.Unknown(),
  // Topics that every object seems to have.
  constructor: Type.Null(),
  toString: Type.Literal(1)
}

export const answerSchema = Type.Boolean()

export type Step =
  | { readonly do: 'messages', readonly all: ReadonlyArray<string | Buffer> }
  | { readonly do: 'calls', readonly count: number }
  | { readonly do: 'reply', readonly at: number, readonly value: unknown }
  | { readonly do: 'fail', readonly at: number, readonly error: 'plain' | 'error' | 'text' }
  | { readonly do: 'ask', readonly timeout: number }
  | { readonly do: 'respond', readonly id: number, readonly with: string }
  | { readonly do: 'time', readonly ms: number }
  | { readonly do: 'transfer' }
  | { readonly do: 'crash', readonly which: 'present' | 'old' }
  | { readonly do: 'lose' }

const hostileKeys = ['"__proto__"', '"constructor"', '"\\u005f_proto__"', '"prototype"', '"text"']

/** An object whose keys set prototypes, perhaps by an escape. */
const hostile: fc.Arbitrary<string> = fc.letrec<{ object: string, value: string }>((tie) => ({
  object: fc.array(fc.tuple(fc.constantFrom(...hostileKeys), tie('value')), { maxLength: 3 })
    .map((pairs) => `{${pairs.map(([key, value]) => `${key}:${value}`).join()}}`),
  value: fc.oneof({ maxDepth: 3 }, fc.constantFrom('1', '"x"', 'null'), tie('object'),
    tie('value').map((value) => `[${value}]`))
})).object

const data = fc.oneof(
  fc.constantFrom('{"text":"hi"}', '{"text":"too long"}', '{"text":1}', 'true', '[1,{"text":""}]'),
  fc.constantFrom('{"n":1}', '{"n":1.5}', 'null', '1', '""'),
  hostile,
  fc.json({ maxDepth: 3 })
)

const topic = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...Object.keys(clientSchemas)) },
  fc.constantFrom('said', 'confirm', 'ws.leave', 'ws.join', '@exit', '__proto__', 'valueOf', ''),
  fc.string({ maxLength: 5 })
).map((text) => JSON.stringify(text))

const id = fc.oneof(
  { weight: 4, arbitrary: fc.constant('') },
  { weight: 2, arbitrary: fc.nat(9).map((n) => `,"id":${n}`) },
  fc.constantFrom('-1', '1.5', '"1"', 'null', '{}', '9007199254740992').map((n) => `,"id":${n}`)
)

const envelope = fc.tuple(fc.oneof({ weight: 9, arbitrary: topic }, data), data, id,
  fc.constantFrom('', '', '', ',"__proto__":{"topic":"any"}', ',"re":1', ',"more":[1]'))
  .map(([topic, data, id, more]) => `{"topic":${topic},"data":${data}${id}${more}}`)

const message = fc.oneof(
  { weight: 8, arbitrary: envelope },
  { weight: 1, arbitrary: envelope.map((text) => text.slice(0, -1)) },
  { weight: 1, arbitrary: fc.oneof(data, fc.string(), topic.map((one) => `{"topic":${one}}`)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)) }
)

const at = fc.nat(5)

const steps: ReadonlyArray<readonly [number, fc.Arbitrary<Step>]> = [
  [40, fc.record({
    do: fc.constant('messages'), all: fc.array(message, { minLength: 1, maxLength: 8, size: 'max' })
  })],
  [3, fc.record({ do: fc.constant('calls'), count: fc.constantFrom(1, 3, 70) })],
  [8, fc.record({ do: fc.constant('reply'), at, value: fc.jsonValue() })],
  [4, fc.record({
    do: fc.constant('fail'), at, error: fc.constantFrom('plain', 'error', 'text')
  })],
  [6, fc.record({ do: fc.constant('ask'), timeout: fc.nat(20) })],
  [8, fc.record({
    do: fc.constant('respond'),
    id: fc.nat(4),
    with: fc.constantFrom('"data":true', '"data":1', '"data":"x"', '"error":{"code":"A"}',
      '"error":{"code":"A","message":"b","more":1}', '"error":null', '"x":1')
  })],
  [4, fc.record({ do: fc.constant('time'), ms: fc.nat(15) })],
  [3, fc.record({ do: fc.constant('transfer') })],
  [1, fc.record({ do: fc.constant('crash'), which: fc.constantFrom('present', 'old', 'old') })],
  [1, fc.record({ do: fc.constant('lose') })]
]

const step = fc.oneof(...steps.map(([weight, arbitrary]) => ({ weight, arbitrary })))

export const history = fc.record({
  closes: fc.constantFrom(true, false, false, false),
  steps: fc.array(step, { minLength: 10, maxLength: 60, size: 'max' })
})

/** Removes keys that set a prototype, as metadata does. */
function strip (value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(strip)
  const kept = Object.entries(value).filter(([key, item]) => key !== '__proto__' && !(
    key === 'constructor' && typeof item === 'object' && item !== null &&
    Object.keys(item).includes('prototype')))
  return Object.fromEntries(kept.map(([key, item]) => [key, strip(item)]))
}

/** The meaning of a message, without a look at the server's calls. */
export type Meaning =
  | { readonly is: 'message', readonly topic: string, readonly data: unknown, readonly id?: number }
  | { readonly is: 'invalid', readonly code: number, readonly id?: number, readonly why: string }
  | { readonly is: 'answer', readonly re: number, readonly data: unknown, readonly error: unknown }

const isId = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= 2 ** 53 - 1 && value % 1 === 0

export function meaningOf (message: string | Buffer): Meaning {
  const invalid = { is: 'invalid', code: 1008, why: '' } as const
  if (typeof message !== 'string') return invalid
  let parsed: any
  try {
    parsed = JSON.parse(message)
  } catch {
    return { ...invalid, code: 1007 }
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return invalid
  const { topic, data, id, re, error } = strip(parsed) as Record<string, unknown>
  if (typeof topic !== 'string') return isId(re) ? { is: 'answer', re, data, error } : invalid
  if (id !== undefined && !isId(id)) return invalid
  const call = id === undefined ? {} : { id }
  if (!Object.keys(clientSchemas).includes(topic)) {
    return { ...invalid, ...call, why: 'UNKNOWN_TOPIC' }
  }
  if (!Value.Check(clientSchemas[topic], data)) {
    return { ...invalid, ...call, why: 'INVALID_MESSAGE' }
  }
  return { is: 'message', topic, data, ...call }
}
