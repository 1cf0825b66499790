// The field `metadata`: copied, frozen, limited, without keys that pollute a prototype.
import t from 'tap'
import { success } from '../../../lib/shared/result.js'
import { defaultTopic, noMetadata, parseConfig, parseControl } from '../../../lib/connection/config.js'
import { accepted, controlProblem, limits, nested, pid, problem } from './config-support.js'

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
