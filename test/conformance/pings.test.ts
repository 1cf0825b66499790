// Pings are answered with their data, at once and in order. Pongs are not answered.
import t from 'tap'
import { frame, opcodes } from './fixtures/raw-client.js'
import { Suite, chopped, pong, protocolError, text } from './fixtures/suite.js'
import type { Case } from './fixtures/suite.js'

const suite = await Suite.start(t)
const payloads: Array<[name: string, payload: string | Buffer]> = [
  ['nothing', ''],
  ['one octet', '?'],
  ['a word', 'payload'],
  ['octets that are no text', Buffer.from([0x00, 0xff, 0xfe, 0xfd, 0xc0, 0x80, 0xed, 0xa0])],
  ['124 octets', Buffer.alloc(124, 0xfe)],
  ['125 octets', Buffer.alloc(125, 0xfe)]
]
const tooLong = protocolError('control frame too long')

t.test('a ping is answered with its data', async (t) => {
  const cases: Case[] = payloads.map(([name, payload]) => ({
    name: `a ping with ${name}`,
    sends: [frame(opcodes.ping, payload)],
    gets: [pong(payload)]
  }))
  await suite.run(t, [...cases, ...chopped(1, cases), ...chopped(3, cases)])
})

t.test('a pong is accepted and not answered', async (t) => {
  const cases: Case[] = payloads.map(([name, payload]) => ({
    name: `a pong with ${name}`,
    sends: [frame(opcodes.pong, payload)],
    gets: []
  }))
  await suite.run(t, [
    ...cases,
    ...chopped(1, cases),
    {
      name: 'a pong, then a ping',
      sends: [frame(opcodes.pong, 'unsolicited'), frame(opcodes.ping, 'solicits')],
      gets: [pong('solicits')]
    },
    {
      name: 'ten pongs, then a text',
      sends: [
        ...Array.from({ length: 10 }, (_, i) => frame(opcodes.pong, `pong ${i}`)),
        frame(opcodes.text, 'text')
      ],
      gets: [text('text')]
    }
  ])
})

t.test('a ping or pong of more than 125 octets ends the connection with 1002', async (t) => {
  const cases: Case[] = (['ping', 'pong'] as const).flatMap((kind) =>
    [126, 127, 65536].map((length) => ({
      name: `a ${kind} of ${length} octets`,
      sends: [frame(opcodes[kind], Buffer.alloc(length))],
      ends: tooLong
    }))
  )
  await suite.run(t, [
    ...cases,
    ...chopped(
      1,
      cases.filter(({ name }) => !name.includes('65536'))
    ),
    {
      name: 'after a good ping',
      sends: [frame(opcodes.ping, 'good'), frame(opcodes.ping, Buffer.alloc(126))],
      gets: [pong('good')],
      ends: tooLong
    },
    {
      name: 'a header that says 2^63',
      sends: [frame(opcodes.ping, '', { length: 2n ** 63n })],
      ends: tooLong
    }
  ])
})

t.test('pings are answered in order', async (t) => {
  const words = Array.from({ length: 10 }, (_, i) => `ping ${i}`)
  const pings = words.map((word) => frame(opcodes.ping, word))
  const ten: Case = { name: 'ten pings', sends: pings, gets: words.map(pong) }
  const many = Array.from({ length: 1000 }, (_, i) => String(i))
  await suite.run(t, [
    ten,
    { ...ten, name: 'ten pings in one write', sends: [Buffer.concat(pings)] },
    ...chopped(1, [ten]),
    {
      name: 'a thousand pings in one write',
      sends: [Buffer.concat(many.map((word) => frame(opcodes.ping, word)))],
      gets: many.map(pong)
    },
    {
      name: 'a ping, then a text',
      sends: [frame(opcodes.ping, 'ping'), frame(opcodes.text, 'text')],
      gets: [pong('ping'), text('text')]
    },
    {
      name: 'a text, then a ping',
      sends: [frame(opcodes.text, 'text'), 1, frame(opcodes.ping, 'ping')],
      gets: [text('text'), pong('ping')]
    },
    {
      name: 'a ping before and after each text',
      sends: ['a', 'b', 'c'].flatMap((word, i) => [
        frame(opcodes.ping, word),
        frame(opcodes.text, word),
        3 * i + 2,
        frame(opcodes.ping, word)
      ]),
      gets: ['a', 'b', 'c'].flatMap((word) => [pong(word), text(word), pong(word)])
    }
  ])
})

t.test('a ping between fragments is answered before the message is whole', async (t) => {
  const cases: Case[] = [0, 1, 125].map((length) => ({
    name: `a ping of ${length} octets between two fragments`,
    sends: [
      frame(opcodes.text, 'one ', { fin: false }),
      frame(opcodes.ping, Buffer.alloc(length)),
      1,
      frame(opcodes.continuation, 'two')
    ],
    gets: [pong(Buffer.alloc(length)), text('one two')]
  }))
  await suite.run(t, [
    ...cases,
    ...chopped(1, cases.slice(0, 2)),
    {
      name: 'pongs between fragments',
      sends: [
        frame(opcodes.text, 'one ', { fin: false }),
        frame(opcodes.pong, 'pong'),
        frame(opcodes.pong),
        frame(opcodes.continuation, 'two')
      ],
      gets: [text('one two')]
    }
  ])
})

t.test('no connection is left afterwards', (t) => suite.finish(t))
