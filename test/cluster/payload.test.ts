import t from 'tap'
import fc from 'fast-check'
import { errorCodes } from '../../lib/errors.js'
import { decodePayload, encodePayload, errorFromData, errorToData } from '../../lib/cluster/payload.js'

function cross (payload: unknown): unknown {
  const { kind, body } = encodePayload(payload)!
  return decodePayload(kind, Buffer.from(body))!.payload
}

t.test('plain data arrives as it was', async (t) => {
  const data = fc.anything({ withDate: true, withBigInt: false, withNullPrototype: false, withSparseArray: false, maxDepth: 4, key: fc.string().filter((key) => !['__proto__', 'toJSON', 'constructor', 'hasOwnProperty'].includes(key)), values: [fc.boolean(), fc.integer(), fc.double({ noNaN: true }), fc.string(), fc.constant(null), fc.constant(undefined)] })
  fc.assert(fc.property(data, (payload) => { t.strictSame(cross(payload), payload) }), { numRuns: 100 })
  t.strictSame(cross(Buffer.from('bytes')), Buffer.from('bytes'))
  t.strictSame(cross({ inner: Buffer.from('bytes') }), { inner: Buffer.from('bytes') })
  t.equal(cross('text ü'), 'text ü')
  t.equal(cross(undefined), undefined)
})

t.test('what is no plain data is refused', async (t) => {
  const circle: { self?: unknown } = {}
  circle.self = circle
  let deep: unknown = 1
  for (let i = 0; i < 100; i++) deep = [deep]
  const throwing = { get secret () { throw new Error('no') } }
  for (const payload of [() => 1, { f () {} }, Symbol('x'), circle, deep, 2n ** 80n, throwing]) t.equal(encodePayload(payload), undefined)
})

t.test('a refusal leaves no trace in what is packed before and after it', async (t) => {
  const before = encodePayload({ before: [1, 2, 3] })!
  t.equal(encodePayload({ long: 'x'.repeat(1000), then: () => {} }), undefined)
  const after = encodePayload({ after: 'it' })!
  t.strictSame(decodePayload(before.kind, Buffer.from(before.body)), { payload: { before: [1, 2, 3] } })
  t.strictSame(decodePayload(after.kind, Buffer.from(after.body)), { payload: { after: 'it' } })
})

t.test('bytes and structures that arrived do not change with the batch they came in', async (t) => {
  for (const payload of [Buffer.from('bytes'), { inner: Buffer.from('bytes'), text: 'long enough to be a slice of it' }]) {
    const { kind, body } = encodePayload(payload)!
    const batch = Buffer.from(body)
    const decoded = decodePayload(kind, batch)!
    batch.fill(0)
    t.strictSame(decoded.payload, payload)
  }
})

t.test('hostile bodies are refused, or are harmless', async (t) => {
  const structured = (...bytes: number[]) => decodePayload(3, Buffer.from(bytes))
  t.equal(structured(0xdd, 0xff, 0xff, 0xff, 0xff), undefined, 'an array of four billion')
  t.equal(structured(...Array<number>(500).fill(0x91), 0), undefined, 'too deep')
  t.equal(structured(0xd4, 0x65, 0), undefined, 'an extension that makes an Error')
  t.equal(structured(0xc1), undefined, 'a token that is none')
  t.equal(structured(1, 2), undefined, 'something behind it')
  t.equal(structured(0x81, 0x80, 1), undefined, 'a map whose key is a map')
  t.equal(decodePayload(0, Buffer.from('x')), undefined)
  t.equal(decodePayload(9, Buffer.alloc(0)), undefined)
  const payload = cross(JSON.parse('{"__proto__":{"admin":true}}')) as { admin?: boolean }
  t.equal(payload.admin, undefined, 'no prototype is set')
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    decodePayload(3, Buffer.from(bytes))
    return true
  }), { numRuns: 2000 })
})

t.test('an error crosses as its name, message and code', async (t) => {
  const error = errorFromData(errorToData(Object.assign(new TypeError('no'), { code: 'E_NO' })))
  t.match(error, { name: 'TypeError', message: 'no', code: 'E_NO' })
  t.ok(error instanceof Error)
  t.equal(error.stack, 'TypeError: no')
  t.ok(errorFromData({ message: 'full', code: 'FST_PROCESS_REFUSED' }) instanceof errorCodes.FST_PROCESS_REFUSED)
  t.match(errorFromData({ message: { toString: 1 }, name: 1 }), { name: 'Error', message: '' })
  t.match(errorFromData(undefined), { name: 'Error', message: '' })
  t.match(errorToData({ get message () { throw new Error('no') } }), { message: 'an error that cannot be read' })
  t.match(errorToData('thrown'), { name: 'Error', message: 'thrown' })
})
