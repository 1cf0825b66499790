import t from 'tap'
import fc from 'fast-check'
import { errorCodes } from '../../../lib/errors.js'
import {
  decodePayload,
  encodePayload,
  errorFromPlain,
  errorToPlain,
  payloadKinds,
  whyUnsendable
} from '../../../lib/cluster/values/payload.js'

function cross (payload: unknown): unknown {
  const { kind, body } = encodePayload(payload)!
  return decodePayload(kind, Buffer.from(body))!.payload
}

t.test(
  'encodes text, Buffers and undefined directly, and everything else as structured',
  async (t) => {
    for (const [payload, kind] of [
      [undefined, 'none'],
      ['text ü', 'text'],
      [Buffer.from('bytes'), 'bytes'],
      [{ inner: Buffer.from('bytes') }, 'structured'],
      ['\ud800', 'structured'],
      [new Uint8Array([1]), 'structured']
    ] as const) {
      t.equal(encodePayload(payload)!.kind, payloadKinds[kind])
      const arrived = cross(payload)
      t.strictSame(arrived, payload)
      t.equal(Object.getPrototypeOf(Object(arrived)), Object.getPrototypeOf(Object(payload)))
    }
  }
)

t.test('refuses a payload that cannot be sent, and gives the reason', async (t) => {
  t.equal(encodePayload({ f () {} }), undefined)
  t.match(whyUnsendable({ f () {} }), { type: 'a function', path: 'payload.f' })
  let isFirst = true
  const changing = {
    get x () {
      const value = isFirst ? () => {} : 1
      isFirst = false
      return value
    }
  }
  t.equal(encodePayload(changing), undefined)
  t.match(whyUnsendable(changing), {
    type: 'a value that changes while it is read',
    path: 'payload'
  })
})

t.test('encodes correctly before and after a refusal', async (t) => {
  const before = encodePayload({ before: [1, 2, 3] })!
  t.equal(encodePayload({ long: 'x'.repeat(1000), then: () => {} }), undefined)
  const after = encodePayload({ after: 'it' })!
  t.strictSame(decodePayload(before.kind, Buffer.from(before.body)), {
    payload: { before: [1, 2, 3] }
  })
  t.strictSame(decodePayload(after.kind, Buffer.from(after.body)), { payload: { after: 'it' } })
})

t.test('decodes values that share no memory with the batch', async (t) => {
  for (const payload of [
    Buffer.from('bytes'),
    { inner: Buffer.from('bytes'), text: 'long enough to be a slice of it' }
  ]) {
    const { kind, body } = encodePayload(payload)!
    const batch = Buffer.from(body)
    const decoded = decodePayload(kind, batch)!
    batch.fill(0)
    t.strictSame(decoded.payload, payload)
  }
})

t.test('refuses hostile bodies, or decodes them harmlessly', async (t) => {
  t.equal(decodePayload(payloadKinds.structured, Buffer.from([0xc1])), undefined)
  t.equal(decodePayload(payloadKinds.none, Buffer.from('x')), undefined)
  t.equal(decodePayload(9, Buffer.alloc(0)), undefined)
  const payload = cross(JSON.parse('{"__proto__":{"admin":true}}')) as { admin?: boolean }
  t.equal(payload.admin, undefined, 'no prototype is set')
  t.ok(Object.hasOwn(payload, '__proto__'))
  fc.assert(fc.property(fc.nat(5), fc.uint8Array({ maxLength: 60 }), (kind, bytes) => {
    decodePayload(kind, Buffer.from(bytes))
  }), { numRuns: 2000 })
})

/** An error after it was sent through the channel. */
function crossError (error: unknown): Error & { code?: string } {
  return errorFromPlain(cross(errorToPlain(error)))
}

t.test('sends an error with class, message and code', async (t) => {
  const error = crossError(Object.assign(new TypeError('no'), { code: 'E_NO', secret: 1 }))
  t.match(error, { name: 'TypeError', message: 'no', code: 'E_NO' })
  t.ok(error instanceof TypeError)
  t.strictSame(Object.keys(error), ['code'])
  t.equal(error.stack, 'TypeError: no')
  const own = crossError(Object.assign(new Error('mine'), { name: 'OwnError' }))
  t.ok(own instanceof Error)
  t.match(own, { name: 'OwnError', message: 'mine', stack: 'OwnError: mine' })
  t.ok(
    crossError(new errorCodes.FST_PROCESS_REFUSED('1@a.1', 'x', 'full')) instanceof
      errorCodes.FST_PROCESS_REFUSED
  )
  t.match(errorFromPlain({ message: { toString: 1 }, name: 1 }), { name: 'Error', message: '' })
  t.match(errorFromPlain(undefined), { name: 'Error', message: '' })
  t.match(
    errorToPlain({
      get message () {
        throw new Error('no')
      }
    }),
    { message: 'an error that cannot be read' }
  )
  t.match(errorToPlain('thrown'), { name: 'Error', message: 'thrown' })
})

t.test('sends the cause of an error if it is an error or can be sent', async (t) => {
  const error = crossError(
    new Error('outer', { cause: new RangeError('inner', { cause: { at: [3] } }) })
  )
  t.ok(error.cause instanceof RangeError)
  t.match(error.cause, { message: 'inner', cause: { at: [3] } })
  t.equal(crossError(new Error('x', { cause: null })).cause, null)
  t.notOk('cause' in crossError(new Error('x', { cause: () => {} })))
  t.notOk('cause' in crossError(new Error('x')))
  let chain = new Error('0')
  for (let i = 1; i < 100; i++) chain = new Error(String(i), { cause: chain })
  let length = 0
  for (let cause: unknown = crossError(chain); cause instanceof Error; cause = cause.cause) length++
  t.equal(length, 9)
})
