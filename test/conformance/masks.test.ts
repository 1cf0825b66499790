// Every client frame must be masked, with any key.
import t from 'tap'
import { closing, frame, opcodes } from './fixtures/raw-client.js'
import { Suite, binary, chopped, protocolError, text } from './fixtures/suite.js'
import type { Case } from './fixtures/suite.js'

const suite = await Suite.start(t)
const notMasked = protocolError('frame not masked')
const mask = null

t.test('a frame that is not masked is an error', async (t) => {
  const cases: Case[] = Object.entries(opcodes).flatMap(([kind, opcode]) =>
    ['', 'payload'].map((payload) => {
      const bad = frame(opcode, opcode === opcodes.close && payload ? closing(1000) : payload, {
        mask
      })
      const begun =
        opcode === opcodes.continuation ? [frame(opcodes.text, 'begun', { fin: false })] : []
      return { name: `a ${kind} frame with '${payload}'`, sends: [...begun, bad], ends: notMasked }
    })
  )
  await suite.run(t, [
    ...cases,
    ...chopped(1, cases),
    {
      name: 'a text of 65536',
      sends: [frame(opcodes.text, 'x'.repeat(65536), { mask })],
      ends: notMasked
    },
    {
      name: 'after a good message',
      sends: [frame(opcodes.text, 'good'), 1, frame(opcodes.text, 'bad', { mask })],
      gets: [text('good')],
      ends: notMasked
    },
    {
      name: 'the second fragment',
      sends: [
        frame(opcodes.text, 'good', { fin: false }),
        frame(opcodes.continuation, 'bad', { mask })
      ],
      ends: notMasked
    }
  ])
})

const keys = [
  [0x00, 0x00, 0x00, 0x00],
  [0xff, 0xff, 0xff, 0xff],
  [0x00, 0x00, 0x00, 0x01],
  [0x80, 0x00, 0x00, 0x00],
  [0x00, 0xff, 0x00, 0xff],
  [0x7f, 0x80, 0x81, 0xfe],
  [0x12, 0x34, 0x56, 0x78]
]
const nameOf = (key: readonly number[]): string => Buffer.from(key).toString('hex')

t.test('unmasks payloads of any length with any key', async (t) => {
  // Lengths around powers of two: short payloads are unmasked by bytes, longer ones by words or by
  // an
  // addon.
  const lengths = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 66, 67, 127, 128, 129, 191,
    192, 193, 194, 195, 255, 256, 257, 1023, 1024, 1025
  ]
  const octets = (length: number): Buffer =>
    Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + length) % 256))
  await suite.run(
    t,
    keys.map((key) => ({
      name: `binary, key ${nameOf(key)}`,
      sends: [
        Buffer.concat(lengths.map((length) => frame(opcodes.binary, octets(length), { mask: key })))
      ],
      gets: lengths.map((length) => binary(octets(length)))
    }))
  )
  const words = lengths.map((length) => 'grüße €😀 '.repeat(length))
  await suite.run(t, keys.map((key) => ({
    name: `text, key ${nameOf(key)}`,
    sends: [Buffer.concat(words.map((word) => frame(opcodes.text, word, { mask: key })))],
    gets: words.map(text)
  })))
})

t.test('unmasks each frame with its own key', async (t) => {
  const parts = ['one ', 'two ', 'three ', 'four ', 'five ', 'six ', 'seven']
  const sends = parts.map((part, i) =>
    frame(i === 0 ? opcodes.text : opcodes.continuation, part, { mask: keys[i], fin: i === 6 })
  )
  const cases: Case[] = [
    { name: 'fragments', sends, gets: [text(parts.join(''))] },
    {
      name: 'messages',
      sends: parts.map((part, i) => frame(opcodes.text, part, { mask: keys[i] })),
      gets: parts.map(text)
    }
  ]
  await suite.run(t, [...cases, ...[1, 2, 3, 5].flatMap((chop) => chopped(chop, cases))])
})

t.test('no connection is left afterwards', (t) => suite.finish(t))
