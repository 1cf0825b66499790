// Messages and control frames arrive as they were sent, however they are cut.
import fc from 'fast-check'
import t from 'tap'
import { FrameParser } from '../../../lib/websocket/parser.js'
import {
  Log, begin, binary, build, bytesOf, client, closing, eventsOf, more, text
} from './parser-events.js'
import type { Event } from './parser-events.js'

const sizes = [
  0, 1, 2, 3, 4, 5, 63, 64, 65, 125, 126, 127, 191, 192, 193, 1000, 65535, 65536, 70001
]

t.test('a message of any size arrives, whole or octet by octet', async t => {
  for (const size of sizes) {
    const data = bytesOf(size)
    t.strictSame(eventsOf(t, binary(data)), [['binary', data.toString('hex')]], `${size} bytes`)
    const ascii = 'abcdefghij'.repeat(size / 10 + 1).slice(0, size)
    t.strictSame(eventsOf(t, text(ascii)), [['text', ascii]], `${size} characters`)
  }
})

t.test('several frames in one chunk arrive in order', async t => {
  const { log, parser } = build()
  const data = sizes.map(bytesOf)
  parser.parseChunk(Buffer.concat(data.map(d => binary(d))))
  t.strictSame(log.data, data)
  t.equal(parser.bytesWaiting, 0)
  t.equal(parser.hasPartialFrame, false)
})

t.test('a frame is parsed wherever it is cut in two', async t => {
  for (const size of [1, 125, 200, 65536]) {
    const bytes = binary(bytesOf(size))
    const around = [
      ...Array(20).keys(),
      bytes.length >> 1,
      bytes.length - 2,
      bytes.length - 1
    ].filter((cut) => cut > 0 && cut < bytes.length)
    for (const cut of around) {
      const { log, parser } = build()
      const copy = Buffer.concat([bytes, bytes])
      parser.parseChunk(copy.subarray(0, cut))
      t.equal(parser.hasPartialFrame, true)
      t.equal(parser.bytesWaiting, cut)
      parser.parseChunk(copy.subarray(cut))
      t.strictSame(log.data, [bytesOf(size), bytesOf(size)], `${size} bytes cut at ${cut}`)
      t.equal(parser.hasPartialFrame, false)
    }
  }
})

t.test('emits nothing for an empty chunk', async t => {
  const { log, parser } = build()
  parser.parseChunk(Buffer.alloc(0))
  t.equal(parser.hasPartialFrame, false)
  parser.parseChunk(text('a').subarray(0, 3))
  parser.parseChunk(Buffer.alloc(0))
  t.equal(parser.bytesWaiting, 3)
  t.strictSame(log.events, [])
})

t.test('unmasks with any mask, also with zeros', async t => {
  for (const mask of [
    [0, 0, 0, 0],
    [255, 255, 255, 255],
    [0, 0, 0, 1],
    [128, 0, 0, 0],
    [0x80, 0x7f, 1, 0xfe]
  ]) {
    for (const size of [1, 5, 63, 64, 300]) {
      t.strictSame(eventsOf(t, binary(bytesOf(size), { mask })), [
        ['binary', bytesOf(size).toString('hex')]
      ])
      t.strictSame(eventsOf(t, text('é'.repeat(size), { mask })), [['text', 'é'.repeat(size)]])
      t.strictSame(eventsOf(t, text('a'.repeat(size) + '\xff', { mask })), [
        ['text', 'a'.repeat(size) + '\xff']
      ])
    }
  }
})

t.test('accepts a length that is encoded longer than necessary', async t => {
  const { log, parser } = build()
  parser.parseChunk(Buffer.from([0x81, 0x80 | 126, 0, 1, 0, 0, 0, 0, 0x61]))
  parser.parseChunk(Buffer.from([0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x62]))
  t.strictSame(log.events, [['text', 'a'], ['text', 'b']])
})

t.test('emits control frames between fragments at once', async t => {
  t.strictSame(
    eventsOf(
      t,
      Buffer.concat([
        begin('a'),
        client(9, '1'),
        more('b'),
        client(10, '2'),
        client(9),
        more('c', true),
        text('d')
      ])
    ),
    [
      ['ping', '1'],
      ['pong', '2'],
      ['ping', ''],
      ['text', 'abc'],
      ['text', 'd']
    ]
  )
  t.strictSame(eventsOf(t, Buffer.concat([begin('a'), closing(1000), more('b', true)])), [
    ['close', 1000, '']
  ])
})

t.test('control frames of 0 and 125 bytes arrive', async t => {
  const longest = 'p'.repeat(125)
  t.strictSame(
    eventsOf(t, Buffer.concat([client(9), client(9, longest), client(10), client(10, longest)])),
    [
      ['ping', ''],
      ['ping', longest],
      ['pong', ''],
      ['pong', longest]
    ]
  )
})

t.test('joins fragments of any sizes into one message, empty ones too', async t => {
  for (const parts of [
    [0, 0],
    [0, 1, 0],
    [1, 0, 0],
    [1, 1, 1],
    [300, 2, 70000, 0, 5],
    [70000, 70000]
  ]) {
    const all = parts.map(bytesOf)
    const frames = all.map((part, i) =>
      client(i === 0 ? 2 : 0, part, { fin: i === parts.length - 1 })
    )
    t.strictSame(
      eventsOf(t, Buffer.concat(frames)),
      [['binary', Buffer.concat(all).toString('hex')]],
      `${parts}`
    )
  }
})

t.test('passes a compressed message on without inflating it', async t => {
  const options = { deflate: true }
  const odd = Buffer.from([0xff, 0xfe])
  t.strictSame(
    eventsOf(t, client(1, odd, { rsv: 4 }), options),
    [['compressed', 'fffe']],
    'its text is not checked here'
  )
  t.strictSame(
    eventsOf(
      t,
      Buffer.concat([
        client(1, odd, { rsv: 4, fin: false }),
        client(9),
        more(odd, true),
        text('a')
      ]),
      options
    ),
    [
      ['ping', ''],
      ['compressed', 'fffefffe'],
      ['text', 'a']
    ]
  )
  t.strictSame(eventsOf(t, Buffer.concat([begin(odd), more('', true)]), options), [
    ['violation', 1007, 'invalid UTF-8']
  ])
})

t.test('the flags of a message are its opcode and its RSV1 bit', async t => {
  const seen: Array<[boolean, boolean]> = []
  const log = new Log()
  log.onMessage = (message) => seen.push([typeof message !== 'string', false]) > 0
  log.onCompressed = (_data, binary) => seen.push([binary, true]) > 0
  const parser = new FrameParser(log, 100, 4, true)
  for (const opcode of [1, 2]) {
    for (const rsv of [0, 4]) {
      parser.parseChunk(client(opcode, 'a', { rsv }))
      parser.parseChunk(Buffer.concat([client(opcode, 'a', { rsv, fin: false }), more('b', true)]))
    }
  }
  t.strictSame(
    seen,
    [false, false, false, true, false, false, true, true].map((_, i) => [i > 3, i % 4 > 1])
  )
})

t.test(
  'any messages arrive as they were sent, however framed, chopped, stopped and resumed',
  async () => {
    const mask = fc.oneof(
      fc.constant([0, 0, 0, 0]),
      fc.array(fc.nat(255), { minLength: 4, maxLength: 4 })
    )
    const payload = fc.oneof(
      fc
        .string({ unit: 'binary', maxLength: 80 })
        .map((s) => ({ opcode: 1, data: Buffer.from(s) })),
      fc.uint8Array({ maxLength: 400 }).map((data) => ({ opcode: 2, data: Buffer.from(data) })),
      fc.nat(70000).map((size) => ({ opcode: 2, data: bytesOf(size) }))
    )
    const message = fc.record({
      payload,
      mask,
      cuts: fc.array(fc.nat(400), { maxLength: 5 }),
      pings: fc.array(fc.nat(5), { maxLength: 3 })
    })
    const chops = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 2000 })),
      { minLength: 1, maxLength: 50 }
    )
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 8 }),
        chops,
        fc.infiniteStream(fc.nat(2)),
        (messages, chops, dice) => {
          const expected: Event[] = []
          const frames: Buffer[] = []
          for (const {
            payload: { opcode, data },
            mask,
            cuts,
            pings
          } of messages) {
            const places = [
              0,
              ...cuts.filter((cut) => cut < data.length).sort((a, b) => a - b),
              data.length
            ]
            for (let i = 1; i < places.length; i++) {
              const fin = i === places.length - 1
              frames.push(
                client(i === 1 ? opcode : 0, data.subarray(places[i - 1], places[i]), { fin, mask })
              )
              if (!fin && pings.includes(i)) {
                frames.push(client(9, `${i}`, { mask }))
                expected.push(['ping', `${i}`])
              }
            }
            expected.push(
              opcode === 1 ? ['text', data.toString()] : ['binary', data.toString('hex')]
            )
          }
          frames.push(closing(4000, 'end'))
          expected.push(['close', 4000, 'end'])

          const { log, parser } = build()
          const next = (): number => dice.next().value
          log.go = () => next() !== 0
          const bytes = Buffer.concat(frames)
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = chops[i % chops.length]
            parser.parseChunk(Buffer.from(bytes.subarray(at, at + size)))
            at += size
            if (log.stopped && next() !== 0) log.resume(parser)
          }
          while (log.stopped) log.resume(parser)
          t.equal(parser.bytesWaiting, 0)
          if (JSON.stringify(log.events) !== JSON.stringify(expected)) {
            throw new Error(`got ${log.events.length} events`)
          }
        }
      ),
      { numRuns: 300 }
    )
  }
)
