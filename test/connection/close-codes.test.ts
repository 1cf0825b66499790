import fc from 'fast-check'
import t from 'tap'
import { cutReason, maySendCode } from '../../lib/connection/close-codes.js'

t.test('cuts any reason to the longest prefix that fits', async () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', minLength: 20, maxLength: 200 }), reason => {
    const cut = cutReason(reason)
    const next = [...reason.slice(cut.length)][0] ?? ''
    return (
      reason.startsWith(cut) &&
      Buffer.byteLength(cut) <= 123 &&
      (next === '' || Buffer.byteLength(cut + next) > 123)
    )
  }))
})

t.test('the codes that may be sent are those of RFC 6455 section 7.4', async t => {
  const sendable = []
  for (let code = -1; code < 66000; code++) if (maySendCode(code)) sendable.push(code)
  const range = (from: number, to: number): number[] =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i)
  t.strictSame(sendable, [...range(1000, 1003), ...range(1007, 1014), ...range(3000, 4999)])
  for (const code of [undefined, null, '1000', 1000.5, NaN, Infinity, {}, 1000n]) {
    t.equal(maySendCode(code), false)
  }
})
