import t from 'tap'
import fc from 'fast-check'
import {
  decodeChannelHeader,
  decodeFrames,
  decodeNumber,
  decodeSource,
  encodeChannelHeader,
  encodeFrame,
  encodeNumber,
  encodeSource
} from '../../../lib/cluster/link/codec.js'

const serial = fc.integer({ min: 0, max: 2 ** 48 - 1 })

t.test('decodes frames to the fields that were encoded', async (t) => {
  const frame = fc.record({
    type: fc.integer({ min: 0, max: 255 }),
    kind: fc.integer({ min: 0, max: 255 }),
    to: serial,
    from: serial,
    ref: serial,
    text: fc.string({ unit: 'grapheme' }),
    body: fc.uint8Array()
  })
  fc.assert(fc.property(fc.array(frame), (frames) => {
    const bytes = Buffer.concat(frames.map((fields, i) => encodeFrame(fields, i + 1)))
    const read = decodeFrames(bytes, 0)!
    return read.length === frames.length && read.every((one, i) =>
      one.seq === i + 1 && one.type === frames[i].type &&
      one.kind === frames[i].kind && one.to === frames[i].to &&
      one.from === frames[i].from && one.ref === frames[i].ref &&
      one.text === frames[i].text && Buffer.compare(one.body, frames[i].body) === 0)
  }))
  t.pass()
})

t.test('returns undefined for garbage and truncated bytes', async (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const buffer = Buffer.from(bytes)
    decodeSource(buffer)
    decodeChannelHeader(buffer, 0)
    decodeFrames(buffer, 0)
    decodeNumber(buffer, 0)
    return true
  }))
  const frame = encodeFrame({ type: 1, text: 'topic', body: Buffer.from('body') }, 1)
  for (let length = 1; length < frame.length; length++) {
    t.equal(decodeFrames(frame.subarray(0, length), 0), undefined)
  }
  const lying = Buffer.from(frame)
  lying.writeUInt16BE(0xffff, 30)
  t.equal(decodeFrames(lying, 0), undefined, 'a text that is longer than its frame')
  t.throws(() => encodeFrame({ type: 1, text: 'x'.repeat(70_000) }, 1), RangeError)
})

t.test('decodes the beginning of a batch as it was encoded', async (t) => {
  const source = { type: 1, node: 'web-1', incarnation: 1_790_000_000_000 }
  t.match(decodeSource(encodeSource(source)), source)
  t.equal(decodeSource(encodeSource({ ...source, node: 'no node' })), undefined)
  t.equal(decodeSource(encodeSource(source).subarray(0, 5)), undefined)
  t.equal(decodeSource(Buffer.from([2, 1, 1])), undefined, 'another version')
  t.equal(decodeSource(Buffer.alloc(0)), undefined)
  const header = { src: 7, dst: 3, ack: 12 }
  t.match(decodeChannelHeader(encodeChannelHeader(header), 0), header)
  t.equal(decodeChannelHeader(encodeChannelHeader({ ...header, src: 0 }), 0), undefined)
  t.equal(decodeChannelHeader(Buffer.alloc(3), 0), undefined)
  t.equal(decodeNumber(encodeNumber(2 ** 40), 0), 2 ** 40)
  t.equal(decodeNumber(Buffer.alloc(5), 0), undefined)
})
