// A value arrives on another node unchanged, or is refused. Tests both sides of
// lib/cluster/values/plain.ts.
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import t from 'tap'
import fc from 'fast-check'
import { alike } from '../fixtures/alike.js'
import { extraKinds, maxValueBytes, tokens, views } from '../../../lib/cluster/values/plain.js'
import { readPlain } from '../../../lib/cluster/values/plain-reader.js'
import { writePlain } from '../../../lib/cluster/values/plain-writer.js'
import { Unsendable } from '../../../lib/cluster/values/unsendable.js'

const runs = Number(process.env.FC_RUNS ?? 300)

function cross (value: unknown): unknown {
  const read = readPlain(Buffer.from(writePlain(value)))
  if (read === undefined) throw new Error('what was written cannot be read')
  return read.value
}

/** The reason why a value cannot be sent, with its path. */
function refusal (value: unknown): string {
  try {
    writePlain(value)
  } catch (thrown) {
    if (thrown instanceof Unsendable) return `${thrown.type} at ${thrown.path}`
    throw thrown
  }
  return 'it crosses'
}

function same (actual: unknown, expected: unknown): void {
  // An assertion error would contain the values, and some of them cannot be reported.
  if (!alike(actual, expected)) {
    throw new Error(
      `expected ${inspect(expected, { depth: 9 })}, got ${inspect(actual, { depth: 9 })}`
    )
  }
}

const wide = fc.string({
  unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
  maxLength: 40
})

/** Values that arrive unchanged. */
const sendable = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      undefined,
      null,
      true,
      false,
      NaN,
      -0,
      Infinity,
      -Infinity,
      2 ** 31,
      -(2 ** 31),
      0xffff,
      0x1_0000,
      -32,
      -33,
      127,
      128,
      new Date(NaN)
    ),
    fc.integer(),
    fc.double(),
    fc.bigInt(),
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
    wide,
    fc.string({ minLength: 20, maxLength: 30 }),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    fc
      .record({ View: fc.constantFrom(...views), bytes: fc.uint8Array({ maxLength: 5 }) })
      .map(({ View, bytes }) => {
        const { buffer } = new Uint8Array([
          ...bytes,
          ...bytes,
          ...bytes,
          ...bytes,
          ...bytes,
          ...bytes,
          ...bytes,
          ...bytes
        ])
        return View === ArrayBuffer ? buffer : new (View as Uint8ArrayConstructor)(buffer)
      }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc
      .array(
        fc.tuple(
          fc.oneof(
            wide,
            fc.constantFrom('__proto__', 'constructor', 'toJSON', 'hasOwnProperty', 'length')
          ),
          tie('value')
        ),
        { maxLength: 20 }
      )
      .map((pairs) => Object.fromEntries(pairs)),
    fc
      .array(fc.tuple(wide, tie('value')), { maxLength: 20 })
      .map(
        (pairs) =>
          Object.assign(
            Object.create(null),
            Object.fromEntries(pairs.filter(([key]) => key !== '__proto__'))
          ) as object
      ),
    fc
      .array(fc.tuple(tie('value'), tie('value')), { maxLength: 5 })
      .map((pairs) => new Map<unknown, unknown>(pairs)),
    fc.array(tie('value'), { maxLength: 5 }).map((parts) => new Set(parts))
  )
})).value

class Point { x = 1 }
class Names extends Map {}

/** Values that cannot be sent. */
const stubborn: Readonly<Record<string, unknown>> = {
  function: () => {},
  symbol: Symbol('s'),
  Error: new Error('no'),
  TypeError: new TypeError('no'),
  RegExp: /x/,
  URL: new URL('http://127.0.0.1'),
  Promise: Promise.resolve(),
  Blob: new Blob([]),
  WeakMap: new WeakMap(),
  WeakSet: new WeakSet(),
  Point: new Point(),
  Names: new Names(),
  Number: Object(1),
  String: Object('x'),
  SharedArrayBuffer: new SharedArrayBuffer(1),
  AbortSignal: AbortSignal.abort(),
  'a hole of an array': Array(1),
  'an object with symbols as keys': { [Symbol('s')]: 1 },
  'a value that throws when it is read': { get x () { throw new Error('secret') } }
}

t.test('decodes random values to equal values', async () => {
  fc.assert(fc.property(sendable, (value) => { same(cross(value), value) }), { numRuns: runs })
})

t.test('refuses random values with one unsendable part, and names its path', async (t) => {
  const place = fc.tuple(
    fc.constantFrom(...Object.entries(stubborn)),
    fc.array(fc.constantFrom('array', 'object', 'key', 'map', 'set', 'quoted'), { maxLength: 8 }),
    sendable
  )
  fc.assert(fc.property(place, ([[name, value], steps, beside]) => {
    let [payload, path] = [value, '']
    for (const step of steps) {
      if (step === 'array') [payload, path] = [[beside, payload], `[1]${path}`]
      else if (step === 'object') [payload, path] = [{ beside, part: payload }, `.part${path}`]
      else if (step === 'quoted') {
        ;[payload, path] = [{ beside, 'a part': payload }, `["a part"]${path}`]
      } else if (step === 'key') {
        ;[payload, path] = [
          new Map<unknown, unknown>([
            [{}, beside],
            [payload, 1]
          ]),
          `.keys()[1]${path}`
        ]
      } else if (step === 'map') {
        ;[payload, path] = [
          new Map<unknown, unknown>([
            [{}, beside],
            ['x', payload]
          ]),
          `.values()[1]${path}`
        ]
      } else [payload, path] = [new Set([{}, payload]), `.values()[1]${path}`]
    }
    const inner = name === 'a hole of an array' ? '[0]' : name.startsWith('a value') ? '.x' : ''
    const type = ['function', 'symbol'].includes(name) ? `a ${name}` : name
    assert.equal(refusal(payload), `${type} at payload${path}${inner}`)
  }), { numRuns: runs })
  t.notMatch(
    refusal(stubborn['a value that throws when it is read']),
    /secret/,
    'nothing of a value is told'
  )
})

t.test('decodes or refuses random and corrupted bytes without harm', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    readPlain(Buffer.from(bytes))
  }), { numRuns: 10 * runs })
  fc.assert(
    fc.property(
      sendable,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      (value, changes) => {
        const bytes = Buffer.from(writePlain(value))
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        const read = readPlain(bytes)
        // A decoded value can be sent again.
        if (read !== undefined) same(cross(read.value), read.value)
      }
    ),
    { numRuns: runs }
  )
})

t.test('refuses truncated values and trailing bytes', async () => {
  fc.assert(fc.property(sendable, (value) => {
    const bytes = writePlain(value)
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(readPlain(bytes.subarray(0, length)), undefined, `the first ${length} bytes`)
    }
    assert.equal(readPlain(Buffer.concat([bytes, Buffer.from([0])])), undefined)
  }), { numRuns: 50 })
})

t.test('refuses hostile bytes without allocating memory', async (t) => {
  const { rss } = process.memoryUsage()
  const many = [0xff, 0xff, 0xff, 0xff]
  const hostile: Readonly<Record<string, readonly number[]>> = {
    nothing: [],
    'an array of four billion': [tokens.array32, ...many],
    'an object of four billion': [tokens.map32, ...many],
    'bytes of four billion': [tokens.bytes32, ...many],
    'text of four billion': [tokens.text32, ...many],
    'a map of four billion': [tokens.extra, extraKinds.map, ...many],
    'a set of four billion': [tokens.extra, extraKinds.set, ...many],
    'a BigInt of four billion digits': [tokens.extra, extraKinds.bigint, ...many],
    'a BigInt without digits': [tokens.extra, extraKinds.bigint, 0, 0, 0, 0],
    'a BigInt with letters': [tokens.extra, extraKinds.bigint, 0, 0, 0, 1, 0x67],
    'floats of three bytes': [tokens.extra, extraKinds.view, 0, 0, 0, 4, 7, 0, 0, 0],
    'bytes of no class': [tokens.extra, extraKinds.view, 0, 0, 0, 1, 99],
    'bytes without a class': [tokens.extra, extraKinds.view, 0, 0, 0, 0],
    'an extra of no kind': [tokens.extra, 99],
    'an object whose key is an object': [0x81, 0x80, 1],
    'an object whose key is a number': [0x81, 1, 1],
    'an object without a prototype that is an array': [
      tokens.extra,
      extraKinds.nullPrototype,
      0x90
    ],
    'an object without a prototype that is a number': [tokens.extra, extraKinds.nullPrototype, 1],
    'a float 32, which is never written': [0xca, 0, 0, 0, 0],
    '65 levels': [...Array<number>(64).fill(0x91), 0x90],
    'a million levels': Array<number>(1_000_000).fill(0x91)
  }
  for (const [name, bytes] of Object.entries(hostile)) {
    t.equal(readPlain(Buffer.from(bytes)), undefined, name)
  }
  t.ok(process.memoryUsage().rss - rss < 256 * 1024 * 1024)
})

t.test('accepts 64 levels of each kind, and refuses more, and cycles', async (t) => {
  for (const wrap of [
    (x: unknown) => [x],
    (x: unknown) => ({ x }),
    (x: unknown) => new Map([[x, 1]]),
    (x: unknown) => new Set([x]),
    (x: unknown) => Object.assign(Object.create(null), { x })
  ]) {
    let deep: unknown = 1
    for (let i = 0; i < 64; i++) deep = wrap(deep)
    same(cross(deep), deep)
    t.match(refusal(wrap(deep)), /^more than 64 levels at payload.{128,200}/)
  }
  const cycle: { room: { members: unknown[] } } = { room: { members: [1] } }
  cycle.room.members.push(cycle)
  t.equal(refusal(cycle), 'a cycle at payload.room.members[1]')
  t.equal(refusal({ inner: { cycle } }), 'a cycle at payload.inner.cycle.room.members[1]')
  const own: unknown[] = []
  own.push(own)
  t.equal(refusal(own), 'a cycle at payload[0]')
  const shared = { a: 1 }
  same(cross([shared, shared]), [shared, shared])
})

t.test('refuses a value longer than a frame before it is completely written', async (t) => {
  let doubled: unknown = 'x'.repeat(100)
  for (let i = 0; i < 60; i++) doubled = [doubled, doubled]
  t.match(refusal(doubled), new RegExp(`^more than ${maxValueBytes} bytes at payload`))
  t.equal(refusal(Buffer.alloc(maxValueBytes)), `more than ${maxValueBytes} bytes at payload`)
  const long = 'é'.repeat(100_000)
  t.equal(cross(long), long)
})

t.test('decodes an object that inherits nothing without a prototype', async () => {
  const Query = function () {} as unknown as new () => Record<string, unknown>
  Query.prototype = Object.create(null)
  same(
    cross(Object.assign(new Query(), { user: 'ada' })),
    Object.assign(Object.create(null), { user: 'ada' })
  )
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key ${i}`, i]))
  same(cross(Object.assign(new Query(), many)), Object.assign(Object.create(null), many))
})

t.test('refuses objects that imitate a known class, and shortens names', async (t) => {
  for (const { prototype } of [Map, Set, Date, Buffer, Uint8Array, ArrayBuffer, DataView]) {
    t.equal(
      refusal(Object.create(prototype as object)),
      'a value that throws when it is read at payload'
    )
  }
  t.equal(refusal(Object.create(Array.prototype)), 'Array at payload')
  t.equal(refusal(Object.create({ constructor: { name: 1 } })), 'object at payload')
  t.equal(
    refusal(
      Object.create({
        get constructor () {
          throw new Error('secret')
        }
      })
    ),
    'object at payload'
  )
  t.equal(
    refusal(Object.create({ constructor: { name: 'x'.repeat(1000) } })),
    `${'x'.repeat(80)}… at payload`
  )
  t.equal(
    refusal({ [`\n${'x'.repeat(1000)}`]: Symbol.iterator }),
    `a symbol at payload[" ${'x'.repeat(79)}…"]`
  )
  t.equal(
    refusal(
      new Proxy(
        {},
        {
          ownKeys () {
            throw new Error('secret')
          }
        }
      )
    ),
    'a value that throws when it is read at payload'
  )
  t.equal(
    refusal([
      new Proxy(
        {},
        {
          getPrototypeOf () {
            throw new Error('secret')
          }
        }
      )
    ]),
    'a value that throws when it is read at payload[0]'
  )
})

t.test('encodes correctly when a getter sends something itself', async () => {
  const inner = { deep: [1, 2, 3] }
  const outer = { before: 'x', get now () { return cross(inner) }, after: 'y' }
  same(cross(outer), { before: 'x', now: inner, after: 'y' })
})

t.test('never overwrites returned bytes, and shares none with decoded values', async () => {
  const values = Array.from({ length: 2000 }, (_, i) => ({
    i,
    text: 'some text',
    bytes: Buffer.from([i]),
    view: new Uint16Array([i])
  }))
  const written = values.map(writePlain)
  const read = written.map((bytes) => readPlain(bytes)!.value)
  for (const bytes of written) bytes.fill(0)
  same(read, values)
})
