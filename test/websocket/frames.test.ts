import { once } from 'node:events'
import { PassThrough, type Writable } from 'node:stream'
import fc from 'fast-check'
import t from 'tap'
import * as ws from 'ws'
import { cutReason } from '../../lib/connection/close-codes.js'
import {
  binaryFrame,
  closeFrame,
  frame,
  joinFrames,
  noCode,
  opcodes,
  pingFrame,
  pongFrame,
  textFrame,
  textFrameFromBytes
} from '../../lib/websocket/frames.js'
import { Slice } from '../../lib/shared/slice.js'

type Event = [name: string, ...values: unknown[]]

// @types/ws does not declare the exported Receiver.
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable }

/** Reads these frames with the Receiver of ws, as a client. */
async function received (...frames: Buffer[]): Promise<Event[]> {
  const receiver = new Receiver({ isServer: false })
  const events: Event[] = []
  receiver.on('message', (data: Buffer, binary: boolean) =>
    events.push(['message', binary ? data : data.toString(), binary])
  )
  receiver.on('ping', (data: Buffer) => events.push(['ping', data.toString()]))
  receiver.on('pong', (data: Buffer) => events.push(['pong', data.toString()]))
  receiver.on('conclude', (code: number, reason: Buffer) =>
    events.push(['close', code, reason.toString()])
  )
  const bytes = new PassThrough()
  bytes.pipe(receiver)
  bytes.end(Buffer.concat(frames))
  await once(receiver, 'finish')
  return events
}

/** A copy of frames. */
function bytesOf (frames: readonly Slice[]): Buffer {
  return Buffer.concat(frames.map(({ bytes }) => bytes))
}

const sizes = [0, 1, 39, 40, 41, 125, 126, 127, 65535, 65536, 70000]

function headerOf (size: number): number {
  return size < 126 ? 2 : size < 65536 ? 4 : 10
}

t.test('frames a text of any size with the shortest header, readable by ws', async t => {
  for (const size of sizes) {
    const text = 'x'.repeat(size)
    const whole = textFrame(text)
    t.equal(whole.length, headerOf(size) + size, `${size} bytes`)
    t.equal(whole.bytes[0], 0x81)
    t.strictSame(await received(whole.bytes), [['message', text, false]])
  }
})

t.test('frames share no bytes with each other, in any memory', async t => {
  const texts = Array.from({ length: 60 }, (_, i) =>
    String.fromCharCode(97 + (i % 26)).repeat([100, 2043, 2044, 4096, 9001, 16_380, 16_381][i % 7])
  )
  const frames = texts.map((text) => textFrame(text))
  t.same(await received(...frames.map(({ bytes }) => bytes)), texts.map((text) => ['message', text, false]))
  const memories = new Set(
    frames.filter(({ length }) => length >= 2048 && length <= 16_384).map(({ memory }) => memory)
  )
  t.ok(memories.size < 10, 'those of some KiB are in a few slabs')
  t.notOk(memories.has(frames[6].memory), 'large ones are in none of them')
})

t.test('a text that is not ASCII is sent as its UTF-8 bytes', async t => {
  for (const unit of [
    'é',
    'ÿ',
    'Ł',
    'ก',
    '漢',
    '😀',
    'a\u0000b',
    '\u0080',
    '\u07ff\u0800',
    '\uffff'
  ]) {
    for (const count of [1, 13, 20, 41, 200]) {
      const text = unit.repeat(count)
      t.strictSame(
        await received(textFrame(text).bytes),
        [['message', text, false]],
        `${count} times ${unit}`
      )
    }
  }
})

t.test('a lone surrogate is sent as U+FFFD', async t => {
  for (const [text, sent] of [
    ['\ud800', '\ufffd'],
    ['a\udc00b', 'a\ufffdb'],
    ['\ud83d'.repeat(60), '\ufffd'.repeat(60)]
  ]) {
    t.strictSame(await received(textFrame(text).bytes), [['message', sent, false]])
  }
})

t.test('copies bytes into a binary frame at the moment of the call', async t => {
  for (const size of sizes) {
    const data = Buffer.alloc(size, 7)
    const whole = binaryFrame(data)
    data.fill(9)
    t.equal(whole.length, headerOf(size) + size, `${size} bytes`)
    t.strictSame(await received(whole.bytes), [['message', Buffer.alloc(size, 7), true]])
  }
})

t.test('sends only the view of a Uint8Array, not its whole buffer', async t => {
  const part = new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 4)
  t.strictSame(await received(binaryFrame(part).bytes), [['message', Buffer.from([2, 3, 4]), true]])
})

t.test('a string can be sent as a binary frame', async t => {
  t.strictSame(await received(binaryFrame('é').bytes), [['message', Buffer.from('é'), true]])
})

t.test('a text of any length and any characters has the header of its bytes', async (t) => {
  const lengths = [...Array(130).keys(), 681, 682, 683, 684, 21_845, 21_846]
  for (const unit of ['x', 'é', 'ก', '😀', 'xé', '\ud800']) {
    for (const length of lengths) {
      const text = unit.repeat(length).slice(0, length)
      const payload = Buffer.from(text)
      const { bytes } = textFrame(text)
      const expected = frame(opcodes.text, payload).bytes
      if (!bytes.equals(expected)) t.fail(`${length} times ${unit}`)
    }
  }
})

t.test('bytes can be sent as text where they are UTF-8', async t => {
  const bytes = new TextEncoder().encode('grüße')
  t.strictSame(await received(textFrameFromBytes(bytes)!.bytes), [['message', 'grüße', false]])
  t.strictSame(textFrameFromBytes(new Uint8Array(0))?.bytes, Buffer.from([0x81, 0]))
  t.equal(textFrameFromBytes(Buffer.from([0x61, 0xff])), undefined)
  t.equal(textFrameFromBytes(Buffer.from([0xed, 0xa0, 0x80])), undefined, 'an encoded surrogate')
  t.equal(textFrameFromBytes(Buffer.alloc(300, 0x80)), undefined, 'a longer header')
})

t.test('shared and detached memory can be sent as text', async t => {
  const shared = new Uint8Array(new SharedArrayBuffer(2)).fill(0x61)
  t.strictSame(textFrameFromBytes(shared)?.bytes, Buffer.from([0x81, 2, 0x61, 0x61]))
  const detached = new Uint8Array(4)
  structuredClone(detached.buffer, { transfer: [detached.buffer] })
  t.strictSame(textFrameFromBytes(detached)?.bytes, Buffer.from([0x81, 0]))
})

t.test('pings and pongs carry their data', async t => {
  const longest = 'p'.repeat(125)
  t.strictSame(
    await received(
      pingFrame().bytes,
      pingFrame(Buffer.from('a')).bytes,
      pongFrame(Buffer.alloc(0)).bytes,
      pongFrame(Buffer.from(longest)).bytes
    ),
    [
      ['ping', ''],
      ['ping', 'a'],
      ['pong', ''],
      ['pong', longest]
    ]
  )
})

t.test('a close frame carries its code and reason', async t => {
  for (const [code, reason] of [
    [1000, ''],
    [1001, 'server shutting down'],
    [4999, 'ü'.repeat(61)]
  ] as const) {
    t.strictSame(await received(closeFrame(code, reason).bytes), [['close', code, reason]])
  }
})

t.test('a close frame without a code is empty', async t => {
  t.strictSame(closeFrame(noCode, 'not sent').bytes, Buffer.from([0x88, 0]))
  t.strictSame(await received(closeFrame(noCode, '').bytes), [['close', 1005, '']])
})

t.test('a close reason is cut to 123 bytes between two characters', async t => {
  const x = (count: number): string => 'x'.repeat(count)
  for (const [reason, cut] of [
    ['', ''],
    [x(123), x(123)],
    [x(124), x(123)],
    [x(100_000), x(123)],
    [x(121) + 'é', x(121) + 'é'],
    [x(122) + 'é', x(122)],
    [x(120) + '漢', x(120) + '漢'],
    [x(121) + '漢', x(121)],
    [x(119) + '😀', x(119) + '😀'],
    [x(120) + '😀', x(120)],
    [x(122) + '😀', x(122)],
    [x(123) + '😀', x(123)],
    ['漢'.repeat(42), '漢'.repeat(41)],
    ['😀'.repeat(62), '😀'.repeat(30)]
  ]) {
    t.equal(cutReason(reason), cut)
    t.strictSame(await received(closeFrame(1000, reason).bytes), [['close', 1000, cut]])
  }
})

t.test('a frame for a compressed payload has RSV1 set', async t => {
  const data = Buffer.from([1, 2])
  t.strictSame(frame(opcodes.text, data, true).bytes, Buffer.from([0xc1, 2, 1, 2]))
  t.strictSame(frame(opcodes.binary, data).bytes, Buffer.from([0x82, 2, 1, 2]))
})

t.test('ws reads any sequence of frames correctly', async () => {
  const item = fc.oneof(
    fc
      .string({ unit: 'binary', maxLength: 300 })
      .map((text): [Buffer, Event] => [textFrame(text).bytes, ['message', text, false]]),
    fc
      .uint8Array({ maxLength: 300 })
      .map((data): [Buffer, Event] => [binaryFrame(data).bytes, ['message', Buffer.from(data), true]]),
    fc
      .string({ maxLength: 125 })
      .map((data): [Buffer, Event] => [pingFrame(Buffer.from(data)).bytes, ['ping', data]])
  )
  await fc.assert(fc.asyncProperty(fc.array(item, { maxLength: 8 }), async items => {
    const events = await received(...items.map(([bytes]) => bytes))
    if (events.length !== items.length) {
      throw new Error(`${events.length} of ${items.length} events`)
    }
    items.forEach(([, expected], i) => {
      if (
        expected.some((value, k) =>
          Buffer.isBuffer(value) ? !value.equals(events[i][k] as Buffer) : value !== events[i][k]
        )
      ) {
        throw new Error(`event ${i} differs`)
      }
    })
  }))
})

t.test('joins frames that lie one after the other without a copy', async (t) => {
  const [first, ...others] = Array.from('abcd', (letter) => textFrame(letter.repeat(50)))
  const frames = [first, ...others]
  const joined = joinFrames(frames, 4 * 52)
  t.same(joined.bytes, bytesOf(frames))
  // A new slab may begin among them: then they are copied.
  const follow = others.every(({ memory }) => memory === first.memory)
  t.equal(joined.memory === first.memory && joined.start === first.start, follow)
})

t.test('copies frames that do not lie one after the other', async (t) => {
  const [a, b, c] = Array.from('abc', (letter) => textFrame(letter.repeat(50)))
  const elsewhere = new Slice(Buffer.alloc(a.end + 52), a.end, 52)
  for (const frames of [[a, c], [b, a], [a, a], [a, elsewhere], [a, b, a, b, c], [c, a, b, c]]) {
    const joined = joinFrames(frames, 52 * frames.length)
    t.same(joined.bytes, bytesOf(frames))
    t.notOk(joined.memory === a.memory)
  }
})

t.test('cuts small frames of any number from slabs without mixing them', async (t) => {
  const texts = Array.from({ length: 500 }, (_, i) => `${i} ${'x'.repeat(i * 7 % 300)}`)
  const frames = texts.map(textFrame)
  for (const [i, { bytes }] of frames.entries()) {
    const header = texts[i].length < 126 ? 2 : 4
    if (bytes.toString('latin1', header) !== texts[i]) t.fail(`frame ${i}`)
  }
  const whole = bytesOf(frames)
  t.same(joinFrames(frames, whole.length).bytes, whole)
})

t.test('makes whole frames up to the last byte of a slab', async (t) => {
  // A slab has 8192 bytes: two are left after 2730 of these frames.
  for (let i = 0; i < 3 * 2731; i++) {
    if (textFrame('a').length !== 3) t.fail(`small frame ${i}`)
  }
  // A slab of larger frames has 65536 bytes. The one that is new begins with this frame.
  const payload = Buffer.alloc(2044)
  let before = 0
  while (binaryFrame(payload).start !== 0) t.ok(++before < 33)
  for (let i = 1; i < 31; i++) binaryFrame(payload)
  t.equal(binaryFrame(Buffer.alloc(2045)).length, 2049)
})
