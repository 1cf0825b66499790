import { Type } from '@sinclair/typebox'
import * as v from 'valibot'
import { z } from 'zod'
import t from 'tap'
import { ProtocolDefinition, Refused } from '../../lib/connection/protocol/definition.js'
import { Call, protocol } from '../../lib/protocol/index.js'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { DataSchema } from '../../types/protocol.js'

/** The check of a topic of the client. */
function checkOf (schema: DataSchema): (data: unknown) => unknown {
  const defined = protocol('test', { client: { topic: schema } })
  return ProtocolDefinition.rulesOf(defined)!.messages.get('topic')!
}

/** A schema of no library. */
function standard (validate: (value: unknown) => unknown): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'test', validate: validate as never } }
}

const text = { a: [{ b: 'x' }] }
const bad = { a: [{ b: 1 }] }

for (const [library, schema] of Object.entries({
  typebox: Type.Object({ a: Type.Array(Type.Object({ b: Type.String() })) }),
  zod: z.object({ a: z.array(z.object({ b: z.string() })) }),
  valibot: v.object({ a: v.array(v.object({ b: v.string() })) })
})) {
  t.test(`compiles a schema of ${library}`, async (t) => {
    const check = checkOf(schema)
    t.strictSame(check(text), text)
    t.strictSame(check(bad), new Refused('/a/0/b'))
    t.strictSame(check(undefined), new Refused(''))
  })
}

t.test('passes on the output of a Standard Schema', async (t) => {
  t.equal(checkOf(z.string().transform((value) => value.length))('four'), 4)
  t.equal(checkOf(v.pipe(v.string(), v.trim()))(' a '), 'a')
})

t.test('writes the path of an issue as a JSON pointer', async (t) => {
  const issues = [{ message: '', path: ['a/b', { key: '~c' }, 0] }]
  t.strictSame(checkOf(standard(() => ({ issues })))(1), new Refused('/a~1b/~0c/0'))
  t.strictSame(checkOf(standard(() => ({ issues: [] })))(1), new Refused(''))
})

t.test('keeps name and schemas, and is written in JSON as its name', async (t) => {
  const client = { say: Type.String() }
  const server = { said: Type.String(), confirm: Call({ data: z.string(), reply: z.boolean() }) }
  const defined = protocol('chat', { client, server })
  t.equal(defined.name, 'chat')
  t.strictSame(Object.keys(defined.client), ['say'])
  t.equal(defined.server.confirm, server.confirm)
  t.ok([defined, defined.client, defined.server].every(Object.isFrozen))
  t.equal(JSON.stringify({ defined }), '{"defined":"chat"}')
  t.strictSame(ProtocolDefinition.rulesOf(protocol('empty', {}))!.messages, new Map())
})

t.test('nothing but the result of protocol() is a protocol', async (t) => {
  const defined = protocol('chat', {})
  const others = [{ ...defined }, 'chat', undefined, null, 1, Object.create(defined), () => {}]
  for (const other of others) t.equal(ProtocolDefinition.rulesOf(other), undefined)
})

const code = { code: 'FST_WS_RELAY_INVALID_OPTIONS' }
const define = protocol as (...args: any[]) => unknown
const client = (schema: unknown): any => ({ client: { say: schema } })

t.test('refuses a wrong argument, and names it', async (t) => {
  const wrong: ReadonlyArray<readonly [string, () => unknown, RegExp]> = [
    ['no name', () => define(undefined, {}), /the name of a protocol must have 1 to 128/],
    ['an empty name', () => define('', {}), /the name/],
    ['a long name', () => define('x'.repeat(129), {}), /the name/],
    ['no topics', () => define('a'), /expected an object for a protocol/],
    ['topics that are no object', () => define('a', { client: 1 }), /'client' must be an object/],
    ['another field', () => define('a', { clients: {} }), /a protocol has no field 'clients'/],
    ['a topic of the system', () => define('a', { client: { '@exit': z.any() } }), /'@exit'/],
    ['a topic of the relay', () => define('a', { server: { 'ws.send': z.any() } }), /'ws\.send'/],
    ['an empty topic', () => define('a', { client: { '': z.any() } }), /a topic of 'client'/],
    ['a long topic', () => define('a', { client: { ['x'.repeat(129)]: z.any() } }), /a topic of/],
    ['no schema', () => define('a', client({ type: 'string' })), /'client\.say' must be a TypeBox/],
    ['null', () => define('a', client(null)), /'client\.say'/],
    ['a class', () => define('a', { server: { said: String } }), /'server\.said'/],
    ['an invalid option', () => define('a', {}, { invalid: 'log' }), /'invalid' must be 'drop' or/],
    ['an unknown option', () => define('a', {}, { invalids: 1 }), /no option 'invalids'/],
    ['a Call without schemas', () => Call(undefined as any), /expected an object for a Call/],
    ['a Call without a reply', () => Call({ data: z.any() } as any), /'reply'/],
    ['a Call with no schema', () => Call({ data: z.any(), reply: 1 as any }), /'reply' must be a/],
    ['a Call in a Call',
      () => Call({ data: Call({ data: z.any(), reply: z.any() }) as any, reply: z.any() }),
      /'data' must be a TypeBox schema/]
  ]
  for (const [name, make, message] of wrong) t.throws(make, { ...code, message }, name)
})

t.test('refuses a schema that TypeBox cannot compile, with the cause', async (t) => {
  const unknown = Type.Unsafe({})
  t.throws(() => define('a', client(unknown)), { ...code, cause: Error, message: /client\.say/ })
  const transform = Type.Transform(Type.String()).Decode(Number).Encode(String)
  const nested = Type.Object({ a: transform })
  t.throws(() => define('a', client(nested)), { ...code, message: /Type\.Transform/ })
})

t.test('refuses a schema that returns a promise', async (t) => {
  const message = /'client\.say' must check synchronously/
  for (const schema of [
    v.pipeAsync(v.string(), v.checkAsync(async () => true)),
    standard(async () => { throw new Error('boom') }),
    standard(() => ({ then () {} }))
  ]) t.throws(() => define('a', client(schema)), { ...code, message })
  // Only data that is a string reaches the asynchronous part.
  const late = checkOf(z.string().refine(async () => true))
  t.throws(() => late('text'), { ...code, message: /'client\.topic' must check synchronously/ })
})

t.test('fails for a schema that returns no result', async (t) => {
  for (const result of [true, 'text', undefined, null]) {
    t.throws(() => checkOf(standard(() => result))('data'), TypeError, String(result))
  }
})

t.test('takes a schema that throws for undefined, as the first check of it is no message', async (t) => {
  const check = checkOf(standard((value) => ({ value: (value as { a: string }).a.length })))
  t.equal(check({ a: 'xy' }), 2)
  t.throws(() => check({}), TypeError)
})
