import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { maySendCode } from '../../lib/websocket/frames.js'
import { violations } from '../../lib/connection/close-codes.js'
import { FrameParser } from '../../lib/websocket/parser.js'
import type { ViolationCode } from '../../lib/connection/close-codes.js'
import type { ParserEvents } from '../../lib/websocket/parser.js'

type Event =
  | [name: 'text', data: string]
  | [name: 'binary' | 'compressed', data: string]
  | [name: 'ping' | 'pong', data: string]
  | [name: 'close', code: number, reason: string]
  | [name: 'violation', code: ViolationCode, reason: string]

/**
 * Records the events of a parser. `then` runs inside each event; `go` is the result of a message.
 */
class Log implements ParserEvents {
  events: Event[] = []
  data: Buffer[] = []
  go: () => boolean = () => true
  then: (event: Event) => void = () => {}

  onMessage (data: Buffer, binary: boolean, compressed: boolean): boolean {
    this.data.push(data)
    this.#add(
      binary || compressed
        ? [compressed ? 'compressed' : 'binary', data.toString('hex')]
        : ['text', data.toString()]
    )
    return this.go()
  }

  onPing (data: Buffer): void { this.#add(['ping', data.toString()]) }
  onPong (data: Buffer): void { this.#add(['pong', data.toString()]) }
  onCloseFrame (code: number, reason: string): void { this.#add(['close', code, reason]) }
  onViolation (code: ViolationCode, reason: string): void { this.#add(['violation', code, reason]) }

  #add (event: Event): void {
    this.events.push(event)
    this.then(event)
  }
}

interface Options { maxPayload?: number, maxFragments?: number, deflate?: boolean }

function build ({ maxPayload = 1 << 20, maxFragments = 16, deflate = false }: Options = {}): {
  log: Log
  parser: FrameParser
} {
  const log = new Log()
  return { log, parser: new FrameParser(log, maxPayload, maxFragments, deflate) }
}

interface Bits { fin?: boolean, rsv?: number, mask?: readonly number[] | null, length?: bigint }

/** Makes a client frame. Options can make each part of it invalid. */
function client (
  opcode: number,
  payload: Uint8Array | string = '',
  { fin = true, rsv = 0, mask = [0x12, 0x89, 0xff, 0x04], length }: Bits = {}
): Buffer {
  const data = Buffer.from(payload as string)
  const announced = length ?? BigInt(data.length)
  const bytes = [(fin ? 0x80 : 0) | (rsv << 4) | opcode]
  const masked = mask === null ? 0 : 0x80
  const extended = (count: number): number[] =>
    Array.from({ length: count }, (_, i) =>
      Number((announced >> BigInt(8 * (count - 1 - i))) & 0xffn)
    )
  if (announced < 126n) bytes.push(masked | Number(announced))
  else if (announced < 65536n) bytes.push(masked | 126, ...extended(2))
  else bytes.push(masked | 127, ...extended(8))
  if (mask !== null) {
    bytes.push(...mask)
    data.forEach((byte, i) => {
      data[i] = byte ^ mask[i % 4]
    })
  }
  return Buffer.concat([Buffer.from(bytes), data])
}

const text = (data: string, bits?: Bits): Buffer => client(1, data, bits)
const binary = (data: Uint8Array | string, bits?: Bits): Buffer => client(2, data, bits)
const more = (data: Uint8Array | string, fin = false): Buffer => client(0, data, { fin })
const begin = (data: Uint8Array | string, opcode = 1): Buffer =>
  client(opcode, data, { fin: false })
const close = (payload: Uint8Array | string = ''): Buffer => client(8, payload)
const closing = (code: number, reason: Uint8Array | string = ''): Buffer =>
  close(Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason as string)]))

function octets (bytes: Buffer, to: (octet: Buffer) => void): void {
  for (const byte of bytes) to(Buffer.from([byte]))
}

/** Returns the events of these bytes. Asserts that parsing them byte by byte gives the same. */
function eventsOf (t: Test, bytes: Buffer, options?: Options): Event[] {
  const dripped = build(options)
  octets(bytes, octet => dripped.parser.parseChunk(octet))
  const whole = build(options)
  whole.parser.parseChunk(Buffer.from(bytes))
  t.strictSame(dripped.log.events, whole.log.events, 'whole and octet by octet')
  t.equal(whole.parser.bytesWaiting, dripped.parser.bytesWaiting)
  return whole.log.events
}

const sizes = [
  0, 1, 2, 3, 4, 5, 63, 64, 65, 125, 126, 127, 191, 192, 193, 1000, 65535, 65536, 70001
]

function bytesOf (size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 0xff))
}

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

t.test('reports a violation with code and reason, and parses nothing after it', async t => {
  const protocol = (detail: string): Event => ['violation', 1002, `protocol error: ${detail}`]
  const rows: Array<[name: string, bytes: Buffer, expected: Event, options?: Options]> = [
    ['RSV1 without deflate', text('a', { rsv: 4 }), protocol('reserved bits set')],
    ['RSV2', text('a', { rsv: 2 }), protocol('reserved bits set')],
    ['RSV3', text('a', { rsv: 1 }), protocol('reserved bits set')],
    ['RSV2 with deflate', text('a', { rsv: 2 }), protocol('reserved bits set'), { deflate: true }],
    [
      'RSV1 and RSV3 with deflate',
      text('a', { rsv: 5 }),
      protocol('reserved bits set'),
      { deflate: true }
    ],
    ['RSV1 on a ping', client(9, '', { rsv: 4 }), protocol('reserved bits set'), { deflate: true }],
    [
      'RSV1 on a continuation',
      Buffer.concat([begin('a'), client(0, 'b', { rsv: 4 })]),
      protocol('reserved bits set'),
      { deflate: true }
    ],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, Buffer, Event] => [
      `opcode ${opcode}`,
      client(opcode),
      protocol(`unknown opcode ${opcode}`)
    ]),
    ['no mask', text('a', { mask: null }), protocol('frame not masked')],
    ['a ping without a mask', client(9, '', { mask: null }), protocol('frame not masked')],
    ...[8, 9, 10].flatMap((opcode): Array<[string, Buffer, Event]> => [
      [
        `a part of control frame ${opcode}`,
        client(opcode, '', { fin: false }),
        protocol('fragmented control frame')
      ],
      [
        `a long control frame ${opcode}`,
        client(opcode, 'x'.repeat(126)),
        protocol('control frame too long')
      ],
      [
        `a huge control frame ${opcode}`,
        client(opcode, '', { length: 1n << 40n }),
        protocol('control frame too long')
      ]
    ]),
    ['a continuation of nothing', more('a', true), protocol('unexpected continuation')],
    [
      'a continuation of a whole message',
      Buffer.concat([begin('a'), more('b', true), more('c')]),
      protocol('unexpected continuation')
    ],
    [
      'a text inside a message',
      Buffer.concat([begin('a'), text('b')]),
      protocol('expected continuation')
    ],
    [
      'a binary inside a message',
      Buffer.concat([begin('a'), begin('b', 2)]),
      protocol('expected continuation')
    ],
    ['a close payload of one byte', close('x'), protocol('invalid close payload')],
    [
      'a close reason that is not UTF-8',
      closing(1000, Buffer.from([0xc3])),
      ['violation', 1007, 'invalid UTF-8']
    ],
    [
      'a text that is not UTF-8',
      text('', { length: 1n, mask: [0xff, 0, 0, 0] }),
      ['violation', 1007, 'invalid UTF-8']
    ],
    [
      'a length of 2^63',
      binary('', { length: 1n << 63n }),
      ['violation', 1009, 'message too large'],
      { maxPayload: Infinity }
    ],
    [
      'a length of 2^64 - 1',
      binary('', { length: (1n << 64n) - 1n }),
      ['violation', 1009, 'message too large'],
      { maxPayload: Infinity }
    ],
    [
      'a length of 2^53',
      binary('', { length: 1n << 53n }),
      ['violation', 1009, 'message too large'],
      { maxPayload: Infinity }
    ],
    [
      'a length of 2^32',
      binary('', { length: 1n << 32n }),
      ['violation', 1009, 'message too large']
    ]
  ]
  for (const [name, bytes, expected, options] of rows) {
    const after = Buffer.concat([bytes, Buffer.from([0]), text('unseen'), close()])
    const events = eventsOf(t, after, options)
    t.strictSame(events.slice(-1), [expected], name)
    t.notOk(events.some(event => event[1] === 'unseen'), name)
  }
})

t.test('delivers messages before a violation', async t => {
  t.strictSame(eventsOf(t, Buffer.concat([text('a'), client(9, 'p'), client(3)])), [
    ['text', 'a'], ['ping', 'p'], ['violation', 1002, 'protocol error: unknown opcode 3']
  ])
})

t.test('checks a rule as soon as its byte is available', async t => {
  for (const [bytes, reason] of [
    [[0xb1], 'protocol error: reserved bits set'],
    [[0x83], 'protocol error: unknown opcode 3'],
    [[0x8b], 'protocol error: unknown opcode 11'],
    [[0x09], 'protocol error: fragmented control frame'],
    [[0x80], 'protocol error: unexpected continuation'],
    [[0x81, 0x01], 'protocol error: frame not masked'],
    [[0x89, 0xfe], 'protocol error: control frame too long'],
    [[0x88, 0x81], 'protocol error: invalid close payload'],
    [[0x82, 0xfe, 0x00, 0xff], 'message too large'],
    [[0x82, 0xff, 0, 0, 0, 0, 0, 0, 1, 0], 'message too large']
  ] as Array<[number[], string]>) {
    for (const dripped of [false, true]) {
      const { log, parser } = build({ maxPayload: 200 })
      const push = (part: number[]): void => parser.parseChunk(Buffer.from(part))
      const early = bytes.slice(0, -1)
      if (dripped) octets(Buffer.from(early), octet => parser.parseChunk(octet))
      else if (early.length > 0) push(early)
      t.strictSame(log.events, [], reason)
      push(bytes.slice(-1))
      t.equal(log.events[0]?.[2], reason)
    }
  }
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

t.test('text must be UTF-8', async t => {
  const rows: Array<[hex: string, valid: boolean]> = [
    ['00', true],
    ['7f', true],
    ['c280', true],
    ['dfbf', true],
    ['e0a080', true],
    ['ed9fbf', true],
    ['ee8080', true],
    ['efbfbd', true],
    ['efbfbf', true],
    ['f0908080', true],
    ['f48fbfbf', true],
    ['cebae1bdb9cf83cebcceb5', true],
    ['80', false],
    ['bf', false],
    ['c0', false],
    ['c1', false],
    ['f5', false],
    ['fe', false],
    ['ff', false],
    ['c080', false],
    ['c1bf', false],
    ['e08080', false],
    ['e09fbf', false],
    ['f0808080', false],
    ['f08fbfbf', false],
    ['eda080', false],
    ['edbfbf', false],
    ['eda081edb080', false],
    ['f4908080', false],
    ['f7bfbfbf', false],
    ['f888808080', false],
    ['c3', false],
    ['e282', false],
    ['f09f98', false],
    ['c328', false],
    ['e228a1', false]
  ]
  const padded = ['', '61'.repeat(70), '61'.repeat(300)]
  for (const [hex, valid] of rows) {
    for (const padding of padded) {
      const bytes = Buffer.from(padding + hex + padding, 'hex')
      const expected: Event = valid
        ? ['text', bytes.toString()]
        : ['violation', 1007, 'invalid UTF-8']
      t.strictSame(eventsOf(t, client(1, bytes)), [expected], `${hex} in ${bytes.length} bytes`)
      t.strictSame(eventsOf(t, client(2, bytes)), [['binary', bytes.toString('hex')]])
      for (let cut = padding.length / 2; cut <= bytes.length - padding.length / 2; cut++) {
        const split = Buffer.concat([
          begin(bytes.subarray(0, cut)),
          client(9),
          more(bytes.subarray(cut), true)
        ])
        t.strictSame(eventsOf(t, split), [['ping', ''], expected], `${hex} split at ${cut}`)
      }
    }
  }
})

t.test('emits a close frame with its code and reason', async t => {
  for (const [bytes, code, reason] of [
    [close(), 1005, ''],
    [closing(1000), 1000, ''],
    [closing(1001, 'going'), 1001, 'going'],
    [closing(4999, 'ü'.repeat(61) + 'x'), 4999, 'ü'.repeat(61) + 'x']
  ] as const) {
    t.strictSame(eventsOf(t, Buffer.concat([bytes, text('unseen'), client(3)])), [
      ['close', code, reason]
    ])
  }
})

t.test('accepts only close codes that may be sent', async t => {
  for (const code of [
    0, 1, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 1100, 2000, 2999, 3000, 3999,
    4999, 5000, 65535
  ]) {
    t.strictSame(eventsOf(t, closing(code, 'x')), [
      maySendCode(code)
        ? ['close', code, 'x']
        : ['violation', 1002, `protocol error: invalid close code ${code}`]
    ])
  }
})

t.test('a message may have exactly maxPayload bytes', async t => {
  const tooLarge: Event[] = [['violation', violations.tooLarge.code, violations.tooLarge.reason]]
  for (const maxPayload of [0, 1, 125, 126, 65535, 65536]) {
    const fits = bytesOf(maxPayload)
    const over = bytesOf(maxPayload + 1)
    t.strictSame(
      eventsOf(t, binary(fits), { maxPayload }),
      [['binary', fits.toString('hex')]],
      `${maxPayload} bytes`
    )
    t.strictSame(eventsOf(t, binary(over), { maxPayload }), tooLarge)
    const half = maxPayload >> 1
    t.strictSame(
      eventsOf(
        t,
        Buffer.concat([
          begin(fits.subarray(0, half), 2),
          client(9, 'not counted'),
          more(fits.subarray(half), true)
        ]),
        { maxPayload }
      ).at(-1),
      ['binary', fits.toString('hex')]
    )
    t.strictSame(
      eventsOf(
        t,
        Buffer.concat([begin(over.subarray(0, half), 2), more(over.subarray(half), true)]),
        { maxPayload }
      ),
      tooLarge
    )
  }
})

t.test('applies maxPayload to each message', async t => {
  const maxPayload = 4
  const bytes = Buffer.concat([
    text('abcd'),
    begin('ab'),
    more('cd', true),
    begin('abc'),
    more('d', true),
    text('abcd')
  ])
  t.strictSame(eventsOf(t, bytes, { maxPayload }), Array(4).fill(['text', 'abcd']))
})

t.test('a message may have exactly maxFragments frames, empty ones included', async t => {
  const bytes = (count: number): Buffer =>
    Buffer.concat([
      begin(''),
      ...Array.from({ length: count - 2 }, () => Buffer.concat([more(''), client(9)])),
      more('z', true)
    ])
  t.strictSame(
    eventsOf(t, Buffer.concat([bytes(5), bytes(5)]), { maxFragments: 5 }).filter(
      ([name]) => name !== 'ping'
    ),
    [
      ['text', 'z'],
      ['text', 'z']
    ]
  )
  t.strictSame(
    eventsOf(t, bytes(6), { maxFragments: 5 }).filter(([name]) => name !== 'ping'),
    [['violation', 1008, 'too many fragments']]
  )
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
  log.onMessage = (_data, binary, compressed) => seen.push([binary, compressed]) > 0
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

t.test('parsing stops after a message that is answered with false', async t => {
  const { log, parser } = build()
  log.go = () => false
  const bytes = Buffer.concat([
    text('a'),
    client(9),
    text('b'),
    begin('c'),
    more('d', true),
    text('e')
  ])
  parser.parseChunk(bytes)
  t.equal(parser.isStopped, true)
  t.strictSame(log.events, [['text', 'a']])
  t.equal(parser.bytesWaiting, bytes.length - 7)
  parser.resumeParsing()
  t.strictSame(log.events, [['text', 'a'], ['ping', ''], ['text', 'b']])
  log.go = () => log.events.length < 4
  parser.resumeParsing()
  t.strictSame(log.events.slice(3), [['text', 'cd']])
  t.equal(parser.isStopped, true)
  parser.resumeParsing()
  t.strictSame(log.events.slice(4), [['text', 'e']])
  t.equal(parser.bytesWaiting, 0)
})

t.test('keeps no bytes when it stops at the end of a chunk', async t => {
  const { log, parser } = build()
  log.go = () => false
  parser.parseChunk(text('a'))
  t.equal(parser.isStopped, true)
  t.equal(parser.bytesWaiting, 0)
  parser.parseChunk(text('b'))
  t.equal(log.events.length, 1)
  t.equal(parser.bytesWaiting, 7)
  parser.resumeParsing()
  t.equal(log.events.length, 2)
})

t.test('keeps a chunk unchanged that arrives after a stop', async t => {
  const { log, parser } = build()
  log.go = () => false
  parser.parseChunk(binary('a'))
  const chunk = binary('b')
  parser.parseChunk(chunk)
  parser.resumeParsing()
  t.equal(log.data[1].buffer, chunk.buffer)
})

t.test('keeps bytes in order that arrive while stopped', async t => {
  const { log, parser } = build()
  log.go = () => false
  const bytes = Buffer.concat([
    begin('a'),
    more('b', true),
    text('c'),
    text('d'),
    text('e'.repeat(300))
  ])
  octets(bytes, octet => parser.parseChunk(octet))
  t.strictSame(log.events, [['text', 'ab']])
  t.equal(parser.bytesWaiting, 7 + 7 + 308)
  parser.resumeParsing()
  octets(text('f'), octet => parser.parseChunk(octet))
  log.go = () => true
  parser.resumeParsing()
  t.strictSame(log.events.slice(1), [
    ['text', 'c'],
    ['text', 'd'],
    ['text', 'e'.repeat(300)],
    ['text', 'f']
  ])
})

t.test('copies small waiting chunks a few times, not once for each chunk', async t => {
  const { log, parser } = build()
  log.go = () => false
  parser.parseChunk(text('a'))
  const bytes = binary(bytesOf(65536))
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  octets(bytes, octet => parser.parseChunk(octet))
  t.ok(allocations().length <= 18)
  parser.resumeParsing()
  t.strictSame(log.data[1], bytesOf(65536))
})

t.test('stops after a fragmented message, too', async t => {
  const { log, parser } = build()
  log.go = () => false
  const bytes = Buffer.concat([text('abc'), text('d')])
  parser.parseChunk(bytes.subarray(0, 5))
  parser.parseChunk(bytes.subarray(5))
  t.strictSame(log.events, [['text', 'abc']])
  t.equal(parser.bytesWaiting, 7)
  t.equal(parser.hasPartialFrame, false)
  parser.resumeParsing()
  t.strictSame(log.events, [['text', 'abc'], ['text', 'd']])
})

t.test('does nothing when it is resumed without a stop', async t => {
  const { log, parser } = build()
  parser.resumeParsing()
  parser.parseChunk(text('a').subarray(0, 4))
  t.equal(parser.bytesWaiting, 4)
  t.strictSame(log.events, [])
})

t.test('reports a violation after a stop when it is resumed', async t => {
  const { log, parser } = build()
  log.go = () => false
  parser.parseChunk(Buffer.concat([text('a'), client(3)]))
  t.equal(log.events.length, 1)
  parser.resumeParsing()
  t.strictSame(log.events[1], ['violation', 1002, 'protocol error: unknown opcode 3'])
  t.equal(parser.isStopped, false)
})

t.test('stops even if a handler calls resumeParsing before it returns false', async t => {
  const { log, parser } = build()
  log.then = () => parser.resumeParsing()
  log.go = () => false
  parser.parseChunk(Buffer.concat([text('a'), text('b')]))
  t.strictSame(log.events, [['text', 'a']])
  t.equal(parser.isStopped, true)
})

t.test('parses bytes that arrive during an event after the waiting ones', async t => {
  const { log, parser } = build()
  log.then = event => { if (event[1] === 'a') parser.parseChunk(text('pushed')) }
  parser.parseChunk(Buffer.concat([text('a'), text('b')]))
  t.strictSame(log.events, [['text', 'a'], ['text', 'b'], ['text', 'pushed']])
  parser.parseChunk(text('a'))
  t.strictSame(log.events.slice(3), [['text', 'a'], ['text', 'pushed']])
})

t.test('can be ended inside any event', async t => {
  const message = Buffer.concat([begin('x'), more('y', true)])
  for (const first of [
    text('a'),
    binary('a'),
    message,
    client(9),
    client(10),
    closing(1000),
    client(3)
  ]) {
    for (const answer of [true, false]) {
      for (const dripped of [false, true]) {
        const { log, parser } = build()
        log.go = () => answer
        log.then = () => parser.stopForever()
        const bytes = Buffer.concat([first, text('b'), client(9), client(4)])
        if (dripped) octets(bytes, (octet) => parser.parseChunk(octet))
        else parser.parseChunk(bytes)
        parser.resumeParsing()
        parser.parseChunk(text('c'))
        t.equal(log.events.length, 1)
        t.equal(parser.isStopped, false)
        t.equal(parser.bytesWaiting, 0)
        t.equal(parser.hasPartialFrame, false)
      }
    }
  }
})

t.test('drops waiting bytes when it is ended', async t => {
  for (const bytes of [
    Buffer.concat([text('a'), text('b')]),
    Buffer.concat([begin('a'), more('bc').subarray(0, 7)])
  ]) {
    const { log, parser } = build()
    log.go = () => false
    parser.parseChunk(bytes)
    t.ok(parser.bytesWaiting > 0)
    const before = log.events.length
    parser.stopForever()
    t.equal(parser.isStopped, false)
    t.equal(parser.hasPartialFrame, false)
    t.equal(parser.bytesWaiting, 0)
    parser.parseChunk(Buffer.concat([more('bc', true), text('c')]))
    parser.resumeParsing()
    t.equal(log.events.length, before)
  }
})

t.test('passes a whole frame on without a copy', async t => {
  const { log, parser } = build()
  const chunk = Buffer.concat([binary(bytesOf(500)), text('a')])
  parser.parseChunk(chunk)
  t.equal(log.data[0].buffer, chunk.buffer)
  t.equal(log.data[1].buffer, chunk.buffer)
})

t.test('copies bytes of a borrowed buffer that are needed later', async t => {
  const stream = Buffer.concat([
    binary('ab'),
    text('é'),
    client(1, 'packed', { rsv: 4 }),
    client(9, 'ping'),
    begin('c', 2),
    more('d', true),
    binary(bytesOf(200)),
    text('end')
  ])
  const expected: Event[] = [
    ['binary', '6162'],
    ['text', 'é'],
    ['compressed', Buffer.from('packed').toString('hex')],
    ['ping', 'ping'],
    ['binary', '6364'],
    ['binary', bytesOf(200).toString('hex')],
    ['text', 'end']
  ]
  for (let cut = 0; cut <= stream.length; cut++) {
    for (const stops of [false, true]) {
      const { log, parser } = build({ deflate: true })
      log.go = () => !stops
      const lent = Buffer.alloc(stream.length + 10)
      for (const part of [stream.subarray(0, cut), stream.subarray(cut)]) {
        part.copy(lent)
        parser.parseBorrowed(lent, part.length)
        lent.fill(0xff)
      }
      while (parser.isStopped) parser.resumeParsing()
      const messages = log.data.filter(
        (_, i) => log.events.filter(([name]) => name !== 'ping')[i][0] !== 'text'
      )
      if (messages.some(({ buffer }) => buffer === lent.buffer)) {
        t.fail(`cut at ${cut}: a message is in the lent buffer`)
      }
      if (JSON.stringify(log.events) !== JSON.stringify(expected)) {
        t.strictSame(log.events, expected, `cut at ${cut}, ${stops ? 'stopped' : 'not stopped'}`)
      }
    }
  }
})

t.test('appends borrowed bytes to waiting ones, and keeps none when ended', async t => {
  const { log, parser } = build()
  log.go = () => false
  const lent = Buffer.alloc(100)
  for (const data of ['a', 'b', 'c']) {
    const length = text(data).copy(lent)
    parser.parseBorrowed(lent, length)
    lent.fill(0xff)
    parser.parseBorrowed(lent, 0)
  }
  t.equal(parser.bytesWaiting, 2 * text('b').length)
  while (parser.isStopped) parser.resumeParsing()
  t.strictSame(log.events, [['text', 'a'], ['text', 'b'], ['text', 'c']])
  parser.stopForever()
  parser.parseBorrowed(lent, 9)
  t.equal(parser.bytesWaiting, 0)
})

t.test('keeps no chunk in memory for its fragments', async t => {
  const { log, parser } = build()
  const chunks = [begin('a', 2), more('b'), more('c', true)].map((bytes) =>
    Buffer.concat([bytes, client(9, 'x'.repeat(125))])
  )
  for (const chunk of chunks) parser.parseChunk(chunk)
  t.notOk(chunks.some(chunk => chunk.buffer === log.data[0].buffer))
  t.ok(log.data[0].buffer.byteLength <= 256)
})

t.test('a message is independent of the next one', async t => {
  const { log, parser } = build()
  for (const data of ['abc', 'xyz', '']) {
    parser.parseChunk(Buffer.concat([begin(data), more(data, true)]))
    octets(text(data), octet => parser.parseChunk(octet))
  }
  t.strictSame(log.data.map(String), ['abcabc', 'abc', 'xyzxyz', 'xyz', '', ''])
})

t.test('doubles the memory of a partial frame as its bytes arrive', async t => {
  const { log, parser } = build()
  const data = bytesOf(256 * 1024)
  const bytes = binary(data)
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  let allocated = 0
  let largest = 0
  let tooLarge = 0
  octets(bytes, octet => {
    parser.parseChunk(octet)
    for (const { args: [size] } of allocations()) {
      allocated++
      largest = size as number
    }
    if (parser.hasPartialFrame && largest > Math.max(256, 2 * parser.bytesWaiting)) tooLarge++
  })
  t.equal(tooLarge, 0, 'never more than twice what has arrived')
  t.ok(allocated <= 20, `${allocated} allocations`)
  t.equal(largest, data.length + 14)
  t.strictSame(log.data, [data])
  t.equal(parser.bytesWaiting, 0)
  t.equal(parser.hasPartialFrame, false)
})

t.test('allocates no memory for an announced length', async t => {
  const { parser } = build({ maxPayload: Number.MAX_SAFE_INTEGER })
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  parser.parseChunk(Buffer.concat([binary('', { length: 1n << 40n }), bytesOf(300)]))
  parser.parseChunk(bytesOf(10))
  t.strictSame(allocations().map(({ args }) => args[0]), [314, 628])
  t.equal(parser.bytesWaiting, 324)
})

t.test('doubles the memory of many small fragments', async t => {
  const { log, parser } = build({ maxFragments: 20000 })
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  parser.parseChunk(begin('x', 2))
  for (let i = 0; i < 16384; i++) parser.parseChunk(more('y'))
  parser.parseChunk(more('z', true))
  t.ok(allocations().length <= 8)
  t.equal(log.data[0].toString(), `x${'y'.repeat(16384)}z`)
})

t.test('never takes more memory than maxPayload for fragments', async t => {
  const { log, parser } = build({ maxPayload: 1000 })
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  parser.parseChunk(
    Buffer.concat([begin(bytesOf(600), 2), more(bytesOf(100)), more(bytesOf(300), true)])
  )
  t.strictSame(allocations().map(({ args }) => args[0]), [600, 1000])
  t.equal(log.data[0].length, 1000)
})

t.test('takes no more memory than the message needs for the last fragment', async t => {
  const { log, parser } = build()
  const allocations = t.capture(Buffer, 'allocUnsafeSlow', Buffer.allocUnsafeSlow)
  parser.parseChunk(Buffer.concat([begin(bytesOf(600), 2), more(bytesOf(100), true)]))
  t.strictSame(allocations().map(({ args }) => args[0]), [600, 700])
  t.equal(log.data[0].buffer.byteLength, 700)
})

t.test('holds no memory after a whole message, a stop at the end, or the end', async t => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const bytes = binary(bytesOf(5000))
  const half = bytes.subarray(0, 3000)
  const fragments = Buffer.concat([begin(bytesOf(3000), 2), more(bytesOf(3000)), more('', true)])
  const rows: Array<[name: string, chunks: Buffer[], then: (parser: FrameParser) => void]> = [
    ['a whole message', [bytes], () => {}],
    ['a message in two chunks', [half, bytes.subarray(3000)], () => {}],
    ['a fragmented message', [fragments], () => {}],
    ['a partial frame, ended', [half], parser => parser.stopForever()],
    ['a partial message, ended', [fragments.subarray(0, 6016)], parser => parser.stopForever()],
    ['bytes that wait, ended', [bytes, bytes], parser => parser.stopForever()]
  ]
  const refs: Array<[string, WeakRef<object>]> = []
  // In its own function, so that no variable of the test keeps the released bytes alive.
  const parsed = ([name, chunks, then]: typeof rows[number]): FrameParser => {
    const parser = new FrameParser(
      { onMessage: () => false, onPing () {}, onPong () {}, onCloseFrame () {}, onViolation () {} },
      1 << 20,
      16,
      false
    )
    const allocate = Buffer.allocUnsafeSlow
    Buffer.allocUnsafeSlow = size => {
      const buffer = allocate(size)
      refs.push([name, new WeakRef(buffer.buffer)])
      return buffer
    }
    for (const chunk of chunks) {
      const copy = Buffer.allocUnsafeSlow(chunk.length)
      chunk.copy(copy)
      parser.parseChunk(copy)
    }
    Buffer.allocUnsafeSlow = allocate
    then(parser)
    return parser
  }
  const parsers = rows.map(parsed)
  await setImmediate()
  gc()
  t.strictSame(refs.filter(([, ref]) => ref.deref() !== undefined).map(([name]) => name), [])
  t.notOk(parsers.some(parser => parser.bytesWaiting > 0 || parser.hasPartialFrame))
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
            if (parser.isStopped && next() !== 0) parser.resumeParsing()
          }
          while (parser.isStopped) parser.resumeParsing()
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
