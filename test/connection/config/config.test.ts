import t from 'tap'
import fc from 'fast-check'
import { createContext, runInContext } from 'node:vm'
import { success } from '../../../lib/shared/result.js'
import { Value } from '@sinclair/typebox/value'
import {
  noMetadata, parseConfig, parseControl, RelayConfigSchema, RelayControlSchema
} from '../../../lib/connection/config.js'
import {
  Config, circle, controlProblem, day, limits, nested, pid, problem, revoked
} from './config-support.js'
import type { Static } from '@sinclair/typebox'
import type { ResolvedConfig } from '../../../lib/connection/config.js'
import type { WsControl } from '../../../types/messages.js'
import type { RelayConfig } from '../../../types/relay.js'

function throwing (thrown: unknown): object {
  return { get target_pid () { throw thrown } }
}

t.test('accepts an object, its JSON, a bare PID and a bare name', async (t) => {
  const defaults = { target: pid, topic: 'ws.message', heartbeat: 0, metadata: {} }
  const full = {
    target_pid: pid,
    message_topic: 'chat',
    heartbeat_interval: '1m30s',
    metadata: { user: 7, list: [1, { a: null }] }
  }
  const resolved = {
    target: pid,
    topic: 'chat',
    heartbeat: 90_000,
    metadata: { user: 7, list: [1, { a: null }] }
  }
  const cases: Array<[value: unknown, config: unknown]> = [
    [pid, defaults],
    [` ${pid}\n`, defaults],
    ['room:lobby', { ...defaults, target: 'room:lobby' }],
    ['42', { ...defaults, target: '42' }],
    ['x'.repeat(256), { ...defaults, target: 'x'.repeat(256) }],
    [{ target_pid: pid }, defaults],
    [JSON.stringify({ target_pid: pid }), defaults],
    [` \n${JSON.stringify({ target_pid: pid })}\t`, defaults],
    [full, resolved],
    [JSON.stringify(full), resolved],
    [{ ...full, unknown: 1 }, resolved],
    [Object.assign(Object.create(null), full), resolved],
    [runInContext(`(${JSON.stringify(full)})`, createContext()), resolved],
    [Object.freeze(full), resolved],
    [new Proxy(full, {}), resolved],
    [
      {
        target_pid: pid,
        message_topic: undefined,
        heartbeat_interval: undefined,
        metadata: undefined
      },
      defaults
    ],
    ...['auth0|5f7c', 'ada@example.com', 'José', 'a b', '[1]', '日'.repeat(85)].map(
      (target): [unknown, object] => [target, { ...defaults, target }]
    ),
    [{ target_pid: 'x'.repeat(256) }, { ...defaults, target: 'x'.repeat(256) }],
    ['{"target_pid":"old","target_pid":"new"}', { ...defaults, target: 'new' }]
  ]
  for (const [value, config] of cases) t.same(parseConfig(value, limits), success(config))
})

t.test('refuses any other value with a problem', async (t) => {
  const unreadable = /^it cannot be read as JSON/
  const cases: Array<[value: unknown, problem: RegExp]> = [
    [undefined, /^value: expected a plain object, got undefined$/],
    [null, /^value: expected a plain object, got null$/],
    [42, /got 42$/],
    [true, /got true$/],
    [10n, /got 10$/],
    [Symbol('x'), /got Symbol\(x\)$/],
    [() => pid, /^value: expected a plain object/],
    [[pid, pid], /got \[array\]$/],
    [[], /got \[array\]$/],
    [new Config(), /got \[object\]$/],
    [Object.create({ target_pid: pid }), /got \[object\]$/],
    [new Date(), /got \[object\]$/],
    [new Map([['target_pid', pid]]), /got \[object\]$/],
    [Promise.resolve({ target_pid: pid }), /got \[object\]$/],
    [Buffer.from(pid), /got \[object\]$/],
    // eslint-disable-next-line no-new-wrappers
    [new String(pid), /got \[object\]$/],
    ['', /^value: expected a JSON object, a PID or a registered name, got ''$/],
    ['   ', /got ''$/],
    ['no\nname', /got 'no name'$/],
    ['@room', /got '@room'$/],
    ['0@local.abc', /got '0@local\.abc'$/],
    ['x'.repeat(257), /^value: expected a JSON object, a PID or a registered name, got 'x+…'$/],
    ['{', /^value: .*JSON/],
    ['{"target_pid":"a"} x', /^value: .*JSON/],
    ["{target_pid:'a'}", /^value: .*JSON/],
    [{}, /^target_pid: expected a PID, a registered name or the address of a key, got undefined$/],
    ['{}', /^target_pid: .*got undefined$/],
    [{ target_pid: '' }, /^target_pid: /],
    [{ target_pid: 'x'.repeat(323) }, /^target_pid: /],
    [{ target_pid: null }, /^target_pid: .*got null$/],
    [{ target_pid: 42 }, /^target_pid: .*got 42$/],
    [{ target_pid: [pid] }, /^target_pid: .*got \[array\]$/],
    // eslint-disable-next-line no-new-wrappers
    [{ target_pid: new String(pid) }, /^target_pid: .*got \[object\]$/],
    ['{"__proto__":{"target_pid":"a"}}', /^target_pid: .*got undefined$/],
    [{ target_pid: pid, unknown: 1n }, unreadable],
    [circle, unreadable],
    [throwing(new Error('no')), unreadable],
    [throwing(undefined), unreadable],
    [throwing(revoked.proxy), unreadable],
    [revoked.proxy, unreadable],
    [
      new Proxy(
        {},
        {
          getPrototypeOf () {
            throw new Error('no')
          }
        }
      ),
      unreadable
    ],
    [
      new Proxy(
        {},
        {
          ownKeys () {
            throw new Error('no')
          }
        }
      ),
      unreadable
    ],
    [
      {
        target_pid: pid,
        toJSON () {
          throw new Error('no')
        }
      },
      unreadable
    ],
    [{ target_pid: pid, toJSON () {} }, unreadable],
    [{ target_pid: pid, unknown: nested(100_000) }, unreadable],
    [
      Object.defineProperty([], Symbol.toStringTag, {
        get () {
          throw new Error('no')
        }
      }),
      /got \[array\]$/
    ]
  ]
  for (const [value, expected] of cases) t.match(problem(value), expected)
})

t.test('quotes only a short line of the value in a problem', async (t) => {
  t.equal(
    problem(`a\nb\0${'c'.repeat(200)}`),
    `value: expected a JSON object, a PID or a registered name, got 'a b ${'c'.repeat(76)}…'`
  )
  t.ok(problem(`{${'"\n'.repeat(200)}`).length < 100)
})

t.test('limits the size of an object that has only a target', async (t) => {
  for (const target of ['x', pid, 'é'.repeat(322), '"'.repeat(322), '\u0001'.repeat(322)]) {
    const bytes = Buffer.byteLength(JSON.stringify({ target_pid: target }))
    t.equal(
      parseConfig({ target_pid: target }, { ...limits, maxConfigSize: bytes }).ok,
      true,
      `${bytes} bytes`
    )
    t.equal(
      problem({ target_pid: target }, { ...limits, maxConfigSize: bytes - 1 }),
      `value: expected at most ${bytes - 1} bytes, got ${bytes}`
    )
  }
})

t.test('limits the bytes of the value', async (t) => {
  // "é" has two bytes; the rest of the object counts too, whatever it is.
  const value = { target_pid: pid, unknown: 'é'.repeat(50) }
  const text = JSON.stringify(value)
  const bytes = Buffer.byteLength(text)
  for (const given of [value, text]) {
    t.equal(parseConfig(given, { ...limits, maxConfigSize: bytes }).ok, true)
    t.equal(
      problem(given, { ...limits, maxConfigSize: bytes - 1 }),
      `value: expected at most ${bytes - 1} bytes, got ${bytes}`
    )
  }
  t.equal(parseControl(value, { ...limits, maxConfigSize: bytes }).ok, true)
  t.equal(
    controlProblem(value, { ...limits, maxConfigSize: bytes - 1 }),
    `value: expected at most ${bytes - 1} bytes, got ${bytes}`
  )
  t.equal(
    problem(pid, { ...limits, maxConfigSize: pid.length - 1 }),
    `value: expected at most ${pid.length - 1} bytes, got ${pid.length}`
  )
})

t.test('changes only the given fields of a ws.control, and null resets a field', async (t) => {
  const cases: Array<[value: unknown, change: unknown]> = [
    [{}, {}],
    [{ unknown: 1 }, {}],
    [
      {
        target_pid: undefined,
        message_topic: undefined,
        heartbeat_interval: undefined,
        metadata: undefined
      },
      {}
    ],
    [{ target_pid: 'other' }, { target: 'other' }],
    [{ message_topic: 'chat' }, { topic: 'chat' }],
    [{ message_topic: null }, { topic: 'ws.message' }],
    [{ heartbeat_interval: '30s' }, { heartbeat: 30_000 }],
    [{ heartbeat_interval: null }, { heartbeat: 0 }],
    [{ metadata: { a: 1 } }, { metadata: { a: 1 } }],
    [
      { target_pid: 'other', message_topic: null, heartbeat_interval: 100, metadata: null },
      { target: 'other', topic: 'ws.message', heartbeat: 100, metadata: {} }
    ]
  ]
  for (const [value, change] of cases) t.strictSame(parseControl(value, limits), success(change))
  const reset = parseControl({ metadata: null }, limits)
  t.equal(reset.ok && reset.value.metadata, noMetadata)
})

t.test('refuses an invalid ws.control as a whole', async (t) => {
  const cases: Array<[value: unknown, problem: RegExp]> = [
    [undefined, /^value: expected a plain object, got undefined$/],
    [null, /got null$/],
    [pid, /^value: expected a plain object, got 42@local/],
    ['{"target_pid":"a"}', /^value: expected a plain object, got /],
    [[{}], /got \[array\]$/],
    [new Config(), /got \[object\]$/],
    [{ target_pid: null }, /^target_pid: .*got null$/],
    [{ target_pid: '' }, /^target_pid: /],
    [{ target_pid: 'x'.repeat(323) }, /^target_pid: /],
    [{ target_pid: NaN }, /^target_pid: .*got NaN$/],
    [{ target_pid: 'other', message_topic: '@x' }, /^message_topic: /],
    [{ target_pid: 'other', heartbeat_interval: 0 }, /^heartbeat_interval: /],
    [{ target_pid: 'other', metadata: [] }, /^metadata: /],
    [circle, /^it cannot be read as JSON/],
    [throwing(new Error('no')), /^it cannot be read as JSON/],
    [revoked.proxy, /^it cannot be read as JSON/]
  ]
  for (const [value, expected] of cases) t.match(controlProblem(value), expected)
})

t.test('reads each field once, so that a changing getter passes no check', async (t) => {
  for (let honest = 0; honest < 20; honest++) {
    let reads = 0
    const value = {
      target_pid: pid,
      get message_topic () {
        return ++reads > honest ? 'ws.join' : 'chat'
      }
    }
    const result = parseConfig(value, limits)
    t.ok(!result.ok || result.value.topic === 'chat', `after ${honest} reads`)
  }
})

t.test('exports schemas that match the public types', async (t) => {
  const config: RelayConfig = {} as Static<typeof RelayConfigSchema>
  const control: WsControl = {} as Static<typeof RelayControlSchema>
  t.notOk(Value.Check(RelayConfigSchema, config))
  t.ok(Value.Check(RelayControlSchema, control))
  t.ok(
    Value.Check(RelayConfigSchema, {
      target_pid: pid,
      message_topic: 'a',
      heartbeat_interval: 100,
      metadata: { a: 1 },
      unknown: 1
    })
  )
  t.notOk(Value.Check(RelayConfigSchema, { target_pid: pid, metadata: null }))
  t.ok(
    Value.Check(RelayControlSchema, {
      message_topic: null,
      heartbeat_interval: null,
      metadata: null
    })
  )
  t.notOk(Value.Check(RelayControlSchema, { target_pid: null }))
  t.notOk(Value.Check(RelayControlSchema, { message_topic: 'ws.join' }))
})

t.test('never throws and accepts only valid values, for random values', async (t) => {
  const some = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
    fc.oneof(arbitrary, anything)
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withTypedArray: true,
    withSparseArray: true,
    withObjectString: true,
    withBoxedValues: true
  })
  const object = fc.record(
    {
      target_pid: some(fc.string({ minLength: 1 })),
      message_topic: some(fc.oneof(fc.string(), fc.constantFrom('ws.message', 'ws.join', '@exit'))),
      heartbeat_interval: some(
        fc.oneof(fc.integer(), fc.double(), fc.constantFrom('30s', '1m', '99ms', '25h'))
      ),
      metadata: some(
        fc.dictionary(
          fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'prototype')),
          fc.jsonValue({ maxDepth: 10 })
        )
      )
    },
    { requiredKeys: [] }
  )
  const value = fc.oneof(
    anything,
    fc.json(),
    fc.string(),
    object,
    object.filter(isSerializable).map((value) => JSON.stringify(value))
  )

  fc.assert(fc.property(value, (value) => {
    const result = parseConfig(value, limits)
    const change = parseControl(value, limits)
    if (!result.ok) return typeof result.problem === 'string'
    return (
      isValid(result.value) &&
      (typeof value === 'string' || (change.ok && isValid({ ...result.value, ...change.value })))
    )
  }), { numRuns: 2000 })

  function isSerializable (value: unknown): boolean {
    try {
      return typeof JSON.stringify(value) === 'string'
    } catch {
      return false
    }
  }

  function isValid ({ target, topic, heartbeat, metadata }: ResolvedConfig): boolean {
    return (
      target.length >= 1 &&
      target.length <= 322 &&
      topic.length >= 1 &&
      topic.length <= 128 &&
      topic[0] !== '@' &&
      (topic === 'ws.message' || !topic.startsWith('ws.')) &&
      (heartbeat === 0 || (heartbeat >= 100 && heartbeat <= day)) &&
      isSafe(metadata, 1) &&
      Buffer.byteLength(JSON.stringify(metadata)) <= limits.maxMetadataSize
    )
  }

  function isSafe (value: unknown, level: number): boolean {
    if (typeof value !== 'object' || value === null) return true
    return level <= 8 && Object.isFrozen(value) && !Object.hasOwn(value, '__proto__') &&
      Object.values(value).every((item) => isSafe(item, level + 1))
  }
})
