// Each rule of RFC 6455 and each limit that a client can violate.
import t from 'tap'
import { maySendCode } from '../../../lib/connection/close-codes.js'
import { violations } from '../../../lib/websocket/parser-events.js'
import {
  begin, binary, build, bytesOf, client, close, closing, eventsOf, more, octets, text
} from './parser-events.js'
import type { Event, Options } from './parser-events.js'

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
