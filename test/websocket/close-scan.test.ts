import t from 'tap'
import { findCloseFrame } from '../../lib/websocket/close-scan.js'
import { closeOf, frameOf, textOf } from '../client-frames.js'

t.test('finds a close frame behind messages of any length', async (t) => {
  for (const length of [0, 125, 126, 65_535, 65_536]) {
    const bytes = Buffer.concat([textOf('x'.repeat(length)), closeOf(4000, 'bye'), textOf('late')])
    const before = Buffer.from(bytes)
    t.same(findCloseFrame(bytes), { code: 4000, reason: 'bye' })
    t.same(bytes, before)
  }
})

t.test('unmasks the close frame', async (t) => {
  const payload = Buffer.concat([Buffer.from([0x03, 0xe8]), Buffer.from('tschüss')])
  const bytes = frameOf(8, payload, { mask: 0x12fe3489 })
  t.same(findCloseFrame(bytes), { code: 1000, reason: 'tschüss' })
})

t.test('tells a close frame without a code', async (t) => {
  t.same(findCloseFrame(closeOf()), { code: 1005, reason: '' })
})

t.test('finds none where there is none, or none that is complete and valid', async (t) => {
  const long = textOf('x'.repeat(200))
  const all = [
    Buffer.alloc(0), textOf('a'), long.subarray(0, 7), long.subarray(0, 100),
    closeOf(1000, 'bye').subarray(0, 8), closeOf(1006), frameOf(8, Buffer.from([3])),
    frameOf(8, Buffer.from([0x03, 0xe8, 0xff]))
  ]
  for (const bytes of all) t.equal(findCloseFrame(bytes), undefined, bytes.toString('hex'))
})
