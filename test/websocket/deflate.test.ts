import { PassThrough } from 'node:stream'
import { constants, inflateRawSync } from 'node:zlib'
import t from 'tap'
import { nodeClock } from '../../lib/shared/clock.js'
import { DeflatingSender, negotiate } from '../../lib/websocket/deflate.js'
import { binaryFrame, closeFrame, pingFrame, textFrame } from '../../lib/websocket/frames.js'
import { Flusher } from '../../lib/websocket/sender.js'
import { until } from '../helpers.js'
import type { DeflateOptions } from '../../types/relay.js'

const name = 'permessage-deflate'

t.test('accepts an offer, or declines it when it cannot be accepted', async t => {
  for (const [offer, options, response] of [
    [undefined, true, undefined],
    [name, false, undefined],
    [name, true, name],
    ['x-other', true, undefined],
    [`x-other, ${name}; client_max_window_bits`, true, name],
    [`${name}; server_no_context_takeover`, true, `${name}; server_no_context_takeover`],
    [
      `${name}; server_max_window_bits=10`,
      { serverMaxWindowBits: 10 },
      `${name}; server_max_window_bits=10`
    ],
    [`${name}; server_max_window_bits=9`, { serverMaxWindowBits: 10 }, undefined],
    [`${name}; server_max_window_bits=7`, true, undefined],
    [`${name}; unknown=1`, true, undefined],
    [`${name}; =`, true, undefined],
    [`${name}; server_max_window_bits=7, ${name}`, true, name],
    [
      `${name}; server_max_window_bits=08, ${name}; server_no_context_takeover`,
      true,
      `${name}; server_no_context_takeover`
    ],
    [`${name}; unknown=1, ${name}`, true, name],
    [`${name}; server_no_context_takeover=1, ${name}`, true, name],
    [`${name}; server_no_context_takeover; server_no_context_takeover, ${name}`, true, name],
    [
      `${name}; server_max_window_bits=9, x-other, ${name}`,
      { serverMaxWindowBits: 10 },
      `${name}; server_max_window_bits=10`
    ],
    [`${name}, ${name}; unknown=1`, true, name],
    [`${name}; unknown=1, ${name}; unknown=2`, true, undefined],
    [`${name}; =, ${name}`, true, undefined]
  ] as Array<[string | undefined, boolean | DeflateOptions, string | undefined]>) {
    const deflate = negotiate(offer, options, 1000)
    t.equal(deflate?.response, response)
    t.equal(deflate?.threshold, response === undefined ? undefined : 1024)
  }
  t.equal(negotiate(name, { threshold: 5 }, 1000)!.threshold, 5)
})

function build (threshold: number) {
  const deflate = negotiate(`${name}; server_no_context_takeover`, { threshold }, 1_000_000)!
  const socket = new PassThrough({ highWaterMark: 1e6 })
  return { deflate, socket, sender: new DeflatingSender(socket, new Flusher(nodeClock), deflate) }
}

t.test('sends frames in order, whether they are compressed or not', async t => {
  const { deflate, socket, sender } = build(100)
  const texts = ['small', 'x'.repeat(100), 'y'.repeat(70_000), 'small, too']
  let written = 0
  for (const text of texts) sender.sendEncoded(textFrame(text), () => { written++ })
  sender.sendEncoded(binaryFrame(Buffer.alloc(500)))
  sender.sendEncoded(pingFrame(Buffer.alloc(125)))
  sender.sendEncoded(closeFrame(1000, 'x'.repeat(120)))
  t.ok(sender.bufferedBytes > 70_000, 'what is being deflated waits, too')
  let over = false
  sender.whenFlushed(() => { over = true })
  t.equal(over, false)
  await until(() => over && written === 4)
  let bytes = socket.read() as Buffer
  const frames: Array<[number, string]> = []
  while (bytes.length > 0) {
    const length = bytes[1] < 126 ? bytes[1] : bytes.readUInt16BE(2)
    const at = bytes[1] < 126 ? 2 : 4
    const payload = bytes.subarray(at, at + length)
    const plain =
      (bytes[0] & 0x40) === 0
        ? payload
        : inflateRawSync(Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])]), {
          finishFlush: constants.Z_SYNC_FLUSH
        })
    frames.push([bytes[0], plain.toString()])
    bytes = bytes.subarray(at + length)
  }
  t.strictSame(frames.slice(0, 4), [
    [0x81, texts[0]],
    [0xc1, texts[1]],
    [0xc1, texts[2]],
    [0x81, texts[3]]
  ])
  t.strictSame(frames.slice(4).map(([first]) => first), [0xc2, 0x89, 0x88])
  t.equal(sender.bufferedBytes, socket.writableLength)
  deflate.codec.cleanup()
})

t.test('leaves nothing queued when the codec is closed during compression', async t => {
  const { deflate, socket, sender } = build(1)
  for (let i = 0; i < 5; i++) {
    sender.sendEncoded(textFrame('x'.repeat(100_000)), () => {
      t.fail('written')
    })
  }
  deflate.codec.cleanup()
  await until(() => sender.bufferedBytes === 0)
  t.equal(socket.read(), null)
  let over = false
  sender.whenFlushed(() => { over = true })
  t.equal(over, true)
})

t.test('counts bytes that are being compressed as unread', async t => {
  const socket = new PassThrough()
  let deflated: ((err: null, data: Buffer) => void) | undefined
  const codec = {
    compress (_data: Buffer, _fin: boolean, done: typeof deflated) {
      deflated = done
    }
  }
  const sender = new DeflatingSender(socket, new Flusher(nodeClock), {
    response: '',
    codec: codec as never,
    threshold: 0
  })
  const large = binaryFrame(Buffer.alloc(3000))
  sender.sendEncoded(large)
  t.equal(sender.bufferedBytes, large.length)
  t.ok(sender.allowsBurst(1000))
  for (let i = 0; i < 2; i++) await new Promise(setImmediate)
  t.notOk(sender.allowsBurst(1000))
  deflated!(null, Buffer.alloc(10))
  await new Promise(setImmediate)
  socket.resume()
  await new Promise(setImmediate)
  t.equal(sender.bufferedBytes, 0)
  sender.sendEncoded(large)
  t.ok(sender.allowsBurst(1000))
})
