import t from 'tap'
import fc from 'fast-check'
import { createContext, runInContext } from 'node:vm'
import { success } from '../../lib/shared/result.js'
import type { Static } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import {
  defaultTopic,
  noMetadata,
  parseConfig,
  parseControl,
  RelayConfigSchema,
  RelayControlSchema
} from '../../lib/connection/config.js'
import type { ResolvedConfig } from '../../lib/connection/config.js'
import type { WsControl } from '../../types/messages.js'
import type { RelayConfig } from '../../types/relay.js'

const limits = { maxConfigSize: 8192, maxMetadataSize: 4096 }
const pid = '42@local.mi3k9x2a'
const day = 24 * 60 * 60 * 1000

function accepted (value: unknown, using = limits): ResolvedConfig {
  const result = parseConfig(value, using)
  if (!result.ok) throw new Error(`refused: ${result.problem}`)
  return result.value
}

function problem (value: unknown, using = limits): string {
  const result = parseConfig(value, using)
  return result.ok ? `accepted as ${JSON.stringify(result.value)}` : result.problem
}

function controlProblem (value: unknown, using = limits): string {
  const result = parseControl(value, using)
  return result.ok ? `accepted as ${JSON.stringify(result.value)}` : result.problem
}

/** An object of so many levels, the innermost included. */
function nested (levels: number, inner: unknown = {}): Record<string, unknown> {
  let value = inner
  for (let level = 2; level < levels; level++) value = level % 2 === 0 ? { deeper: value } : [value]
  return { deepest: value }
}

function throwing (thrown: unknown): object {
  return { get target_pid () { throw thrown } }
}

const revoked = Proxy.revocable({}, {})
revoked.revoke()
const circle: Record<string, unknown> = { target_pid: pid }
circle.circle = circle
class Config { target_pid = pid }

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
    ['@room/1', /got '@room\/1'$/],
    ['0@local.abc', /got '0@local\.abc'$/],
    ['x'.repeat(257), /^value: expected a JSON object, a PID or a registered name, got 'x+…'$/],
    ['{', /^value: .*JSON/],
    ['{"target_pid":"a"} x', /^value: .*JSON/],
    ["{target_pid:'a'}", /^value: .*JSON/],
    [{}, /^target_pid: expected a PID or a registered name of 1 to 256 characters, got undefined$/],
    ['{}', /^target_pid: .*got undefined$/],
    [{ target_pid: '' }, /^target_pid: /],
    [{ target_pid: 'x'.repeat(257) }, /^target_pid: /],
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

t.test('accepts a message_topic of 1 to 128 characters that is not reserved', async (t) => {
  for (const topic of [
    'a',
    'chat',
    'ws.message',
    'ws',
    'wsx',
    'ws:join',
    'WS.join',
    'a@b',
    'x.ws.join',
    'é'.repeat(128),
    'a\nb'
  ]) {
    t.equal(accepted({ target_pid: pid, message_topic: topic }).topic, topic)
    t.same(parseControl({ message_topic: topic }, limits), success({ topic }))
  }
  const refused = [
    '',
    'x'.repeat(129),
    '@',
    '@exit',
    '@anything',
    'ws.',
    'ws.join',
    'ws.leave',
    'ws.heartbeat',
    'ws.send',
    'ws.close',
    'ws.control',
    'ws.other',
    'ws.messages',
    'ws.message.x',
    'ws.message\n',
    'ws.message ',
    7,
    NaN,
    true,
    {},
    ['chat'],
    Symbol('chat'),
    () => 'chat'
  ]
  const expected =
    /^message_topic: expected 1 to 128 characters, not beginning with '@', and no 'ws\.' topic other than 'ws\.message', got /
  for (const topic of refused) {
    t.match(problem({ target_pid: pid, message_topic: topic }), expected)
    t.match(controlProblem({ message_topic: topic }), expected)
  }
  t.match(problem({ target_pid: pid, message_topic: null }), expected)
})

t.test('accepts a heartbeat_interval from 100 ms to 24 h', async (t) => {
  const durations: Array<[value: number | string, ms: number]> = [
    [100, 100],
    [30_000, 30_000],
    [day, day],
    [1500.4, 1500],
    ['100ms', 100],
    ['500ms', 500],
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['0.1s', 100],
    ['24h', day],
    ['1440m', day],
    ['1.1s', 1100]
  ]
  for (const [value, ms] of durations) {
    t.equal(accepted({ target_pid: pid, heartbeat_interval: value }).heartbeat, ms)
    t.equal(accepted(JSON.stringify({ target_pid: pid, heartbeat_interval: value })).heartbeat, ms)
    t.same(parseControl({ heartbeat_interval: value }, limits), success({ heartbeat: ms }))
  }
  const refused = [
    0,
    -0,
    1,
    99,
    99.9,
    -1,
    -30_000,
    day + 1,
    2 ** 31,
    Number.MAX_VALUE,
    NaN,
    Infinity,
    -Infinity,
    '',
    ' ',
    '0',
    '0s',
    '0ms',
    '1ms',
    '99ms',
    '-1s',
    '+1s',
    '24h1ms',
    '25h',
    '1440.1m',
    '1d',
    '1w',
    '30',
    '30000',
    '30 s',
    ' 30s',
    '30s ',
    '30S',
    '1e3ms',
    '.5s',
    '5.s',
    '1,5s',
    's',
    'soon',
    'NaN',
    'Infinity',
    'null',
    '1s'.repeat(33),
    '9'.repeat(400) + 's',
    true,
    false,
    [],
    ['30s'],
    [1000],
    {},
    { s: 30 },
    30n,
    new Date(),
    Symbol('30s'),
    () => 1000
  ]
  for (const value of refused) {
    const expected =
      typeof value === 'bigint' ? /^it cannot be read as JSON/ : /^heartbeat_interval: /
    t.match(problem({ target_pid: pid, heartbeat_interval: value }), expected)
    t.match(controlProblem({ heartbeat_interval: value }), expected)
  }
  t.match(
    problem({ target_pid: pid, heartbeat_interval: null }),
    /^heartbeat_interval: .*got null$/
  )
  t.equal(
    problem({ target_pid: pid, heartbeat_interval: '99ms' }),
    "heartbeat_interval: Invalid duration '99ms': expected 100 to 86400000 ms"
  )
})

t.test('accepts only a plain object as metadata', async (t) => {
  class User { id = 7 }
  for (const metadata of [
    'x',
    7,
    NaN,
    true,
    [],
    [{}],
    new Date(),
    new Map(),
    new User(),
    Buffer.from('x'),
    Promise.resolve({}),
    Symbol('x'),
    () => ({})
  ]) {
    t.match(problem({ target_pid: pid, metadata }), /^metadata: expected a plain object, got /)
    t.match(controlProblem({ metadata }), /^metadata: expected a plain object, got /)
  }
  t.match(problem({ target_pid: pid, metadata: null }), /^metadata: .*got null$/)
  for (const json of [[], 'text', 7, null]) {
    t.match(
      problem({ target_pid: pid, metadata: { toJSON: () => json } }),
      /^metadata: expected a plain object, got /
    )
  }
  t.same(accepted({ target_pid: pid, metadata: { toJSON: () => ({ a: 1 }) } }).metadata, { a: 1 })
})

t.test('copies metadata as JSON and freezes the copy', async (t) => {
  const date = new Date(0)
  const mine = {
    date,
    gone: undefined,
    method () {},
    nan: NaN,
    list: [1, undefined, { deep: 'x' }],
    'a\nb': 1,
    toString: 'x'
  }
  const { metadata } = accepted({ target_pid: pid, metadata: mine })
  t.strictSame(metadata, {
    date: '1970-01-01T00:00:00.000Z',
    nan: null,
    list: [1, null, { deep: 'x' }],
    'a\nb': 1,
    toString: 'x'
  })
  const list = metadata.list as unknown[]
  for (const part of [metadata, list, list[2]]) t.ok(Object.isFrozen(part))
  t.notOk(Object.isFrozen(mine))
  t.notOk(Object.isFrozen(mine.list))
  mine.list[0] = 2
  t.equal(list[0], 1)
  t.ok(
    Object.isFrozen(
      (accepted('{"target_pid":"a","metadata":{"b":{"c":[{}]}}}').metadata.b as { c: object[] })
        .c[0]
    )
  )
})

t.test('shares one frozen object between connections without metadata', async (t) => {
  t.ok(Object.isFrozen(noMetadata))
  t.strictSame(noMetadata, {})
  for (const value of [
    pid,
    { target_pid: pid },
    { target_pid: pid, metadata: {} },
    '{"target_pid":"a","metadata":{"__proto__":{"x":1}}}'
  ]) {
    t.equal(accepted(value).metadata, noMetadata)
  }
})

t.test('removes keys that pollute a prototype at every level', async (t) => {
  const hostile = `{
    "__proto__": { "polluted": 1 },
    "constructor": { "prototype": { "polluted": 1 } },
    "kept": { "__proto__": { "polluted": 1 }, "constructor": { "prototype": null }, "prototype": { "fine": 1 } },
    "list": [ { "__proto__": null, "constructor": "a plain string" }, { "constructor": { "name": "fine" } }, { "constructor": null } ]
  }`
  const clean = {
    kept: { prototype: { fine: 1 } },
    list: [
      { constructor: 'a plain string' },
      { constructor: { name: 'fine' } },
      { constructor: null }
    ]
  }
  const text = `{"target_pid":"a","__proto__":{"message_topic":"polluted"},"metadata":${hostile}}`
  for (const value of [text, JSON.parse(text)]) {
    const { topic, metadata } = accepted(value)
    t.equal(topic, defaultTopic)
    t.equal(JSON.stringify(metadata), JSON.stringify(clean))
    t.equal(Object.getPrototypeOf(metadata), Object.prototype)
    t.equal(Object.getPrototypeOf(metadata.kept), Object.prototype)
  }
  const change = parseControl({ metadata: JSON.parse(hostile) }, limits)
  t.equal(JSON.stringify(change), JSON.stringify(success({ metadata: clean })))
  t.equal(({} as { polluted?: number }).polluted, undefined)
})

t.test('limits metadata to 8 levels, arrays included', async (t) => {
  for (const inner of [{}, []]) {
    const eight = nested(8, inner)
    const nine = nested(9, inner)
    t.strictSame(accepted({ target_pid: pid, metadata: eight }).metadata, eight)
    t.strictSame(parseControl({ metadata: eight }, limits), success({ metadata: eight }))
    t.equal(problem({ target_pid: pid, metadata: nine }), 'metadata: expected at most 8 levels')
    t.equal(
      problem(JSON.stringify({ target_pid: pid, metadata: nine })),
      'metadata: expected at most 8 levels'
    )
    t.equal(controlProblem({ metadata: nine }), 'metadata: expected at most 8 levels')
  }
  const deep = `{"target_pid":"a","metadata":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`
  t.match(problem(deep, { maxConfigSize: 1e7, maxMetadataSize: 1e7 }), /levels|cannot be read/)
})

t.test('limits the size of an object that has only a target', async (t) => {
  for (const target of ['x', pid, 'é'.repeat(256), '"'.repeat(256), '\u0001'.repeat(256)]) {
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

t.test('limits the bytes of metadata', async (t) => {
  const metadata = { text: 'é'.repeat(50) }
  const bytes = Buffer.byteLength(JSON.stringify(metadata))
  const value = { target_pid: pid, metadata }
  for (const given of [value, JSON.stringify(value)]) {
    t.equal(parseConfig(given, { ...limits, maxMetadataSize: bytes }).ok, true)
    t.equal(
      problem(given, { ...limits, maxMetadataSize: bytes - 1 }),
      `metadata: expected at most ${bytes - 1} bytes, got ${bytes}`
    )
  }
  t.equal(parseControl({ metadata }, { ...limits, maxMetadataSize: bytes }).ok, true)
  t.equal(
    controlProblem({ metadata }, { ...limits, maxMetadataSize: bytes - 1 }),
    `metadata: expected at most ${bytes - 1} bytes, got ${bytes}`
  )
  const large = { target_pid: pid, metadata: { text: 'x'.repeat(100 * 1024) } }
  t.match(problem(large), /^value: expected at most 8192 bytes, got 102\d{3}$/)
  t.match(
    problem(large, { ...limits, maxConfigSize: 1e6 }),
    /^metadata: expected at most 4096 bytes, got 102\d{3}$/
  )
  t.equal(parseConfig(large, { maxConfigSize: 1e6, maxMetadataSize: 1e6 }).ok, true)
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
    [{ target_pid: 'x'.repeat(257) }, /^target_pid: /],
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
      target.length <= 256 &&
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
