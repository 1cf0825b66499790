// Text must be UTF-8, whole, in fragments, and split by TCP at any place.
import t from 'tap'
import { frame, opcodes } from './fixtures/raw-client.js'
import { Suite, badText, binary, chopped, text } from './fixtures/suite.js'
import type { Case } from './fixtures/suite.js'

const suite = await Suite.start(t)

/** A text with one fragment for each octet. */
function octets (data: Buffer): Buffer[] {
  return Array.from(data, (_, i) =>
    frame(i === 0 ? opcodes.text : opcodes.continuation, data.subarray(i, i + 1), {
      fin: i === data.length - 1
    })
  )
}

/** The same text whole, in fragments of one octet, and in writes of one octet. */
function everyWay (name: string, data: Buffer, rest: Partial<Case>): Case[] {
  const whole = { name, sends: [frame(opcodes.text, data)], ...rest }
  const fragments = { ...whole, name: `${name}, in fragments`, sends: octets(data) }
  return [whole, fragments, ...chopped(1, [whole]), ...chopped(Infinity, [fragments])]
}

/** Code points on both sides of each boundary. */
const valid: number[] = [
  0x00,
  0x01,
  0x7f,
  0x80,
  0x7ff,
  0x800,
  0xfff,
  0x1000,
  0xcfff,
  0xd7ff,
  0xe000,
  0xfdd0,
  0xfdef,
  0xfeff,
  0xfffd,
  0x10000,
  0x3ffff,
  0x40000,
  0xfffff,
  0x100000,
  0x10fffd,
  // The last two code points of each plane are noncharacters. They are valid text.
  ...Array.from({ length: 17 }, (_, plane) => [
    plane * 0x10000 + 0xfffe,
    plane * 0x10000 + 0xffff
  ]).flat()
]

/** Invalid UTF-8, by reason. */
const invalid: Record<string, string[]> = {
  'a continuation of nothing': [
    '80',
    'bf',
    '8080',
    '80bf',
    '80bf80',
    '80bf80bfbf',
    Buffer.from(Uint8Array.from({ length: 64 }, (_, i) => 0x80 + i)).toString('hex')
  ],
  'a first octet alone': ['c220', 'df20', 'e020', 'ef20', 'f020', 'f420', 'c2c2', 'dfe0a080'],
  'a last octet missing': ['c2', 'df', 'e0a0', 'e180', 'efbf', 'f09080', 'f48fbf'],
  'two octets missing': ['e0', 'ef', 'f090', 'f48f'],
  'three octets missing': ['f0', 'f4'],
  'cut short by a letter': ['e28241', 'f09f9841', 'f09f41', 'f4418080'],
  'several cut short': ['c2e0a0f09080', 'dfefbff48fbf'],
  'octets that stand nowhere': ['fe', 'ff', 'fefeffff', 'feff0041', 'fffe4100'],
  'Latin-1': ['e9', '677265fc6e'],
  'longer than needed, 2 octets': ['c080', 'c0af', 'c081', 'c1bf'],
  'longer than needed, 3 octets': ['e08080', 'e080af', 'e09fbf'],
  'longer than needed, 4 octets': ['f0808080', 'f08080af', 'f08fbfbf'],
  '5 octets': ['f8808080af', 'f887bfbfbf', 'f888808080', 'fbbfbfbfbf'],
  '6 octets': ['fc80808080af', 'fc83bfbfbfbf', 'fc8480808080', 'fdbfbfbfbfbf'],
  'one surrogate': ['eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf'],
  'a pair of surrogates': [
    'eda080edb080',
    'eda080edbfbf',
    'edafbfedb080',
    'edafbfedbfbf',
    'edadbfedbfbf'
  ],
  'over U+10FFFF': ['f4908080', 'f49fbfbf', 'f5808080', 'f7bfbfbf']
}

t.test('accepts every code point as text', async (t) => {
  for (const code of valid) {
    const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
    await suite.run(
      t,
      everyWay(name, Buffer.from(`<${String.fromCodePoint(code)}>`), {
        gets: [text(`<${String.fromCodePoint(code)}>`)]
      })
    )
  }
  await suite.run(t, Array.from({ length: 17 }, (_, plane) => {
    let all = ''
    for (let code = plane * 0x10000; code < (plane + 1) * 0x10000; code++) {
      if (code < 0xd800 || code > 0xdfff) all += String.fromCodePoint(code)
    }
    return { name: `all of plane ${plane}`, sends: [frame(opcodes.text, all)], gets: [text(all)] }
  }))
})

t.test('accepts text that is split inside a character', async (t) => {
  const data = Buffer.from('aé€😀z')
  const cuts: Case[] = Array.from({ length: data.length - 1 }, (_, i) => ({
    name: `cut before octet ${i + 1}`,
    sends: [
      frame(opcodes.text, data.subarray(0, i + 1), { fin: false }),
      frame(opcodes.continuation, data.subarray(i + 1))
    ],
    gets: [text(data)]
  }))
  await suite.run(t, [
    ...cuts,
    ...cuts.map((cut) => ({
      ...cut,
      name: `${cut.name}, with an empty fragment`,
      sends: [cut.sends[0], frame(opcodes.continuation, '', { fin: false }), cut.sends[1]]
    })),
    ...everyWay('a byte order mark is kept', Buffer.from('\ufefftext'), {
      gets: [text('\ufefftext')]
    }),
    ...everyWay('a word', Buffer.from('Ελληνικά, 日本語, עברית'), {
      gets: [text('Ελληνικά, 日本語, עברית')]
    })
  ])
})

t.test('invalid text ends the connection with 1007', async (t) => {
  for (const [why, all] of Object.entries(invalid)) {
    for (const hex of all) {
      const data = Buffer.concat([
        Buffer.from('é<'),
        Buffer.from(hex, 'hex'),
        Buffer.from(/missing/.test(why) ? '' : '>')
      ])
      await suite.run(t, everyWay(`${why}: ${hex}`, data, { ends: badText }))
    }
  }
})

t.test('invalid text ends the connection at any position', async (t) => {
  const places = [0, 1, 2, 3, 4, 61, 63, 64, 65, 125, 126, 191, 192, 193, 200, 1000, 65535]
  await suite.run(
    t,
    places.flatMap((place) =>
      [
        [1, 2, 3, 4],
        [0, 0, 0, 0]
      ].flatMap((mask) =>
        [0, 1, 300].map((after) => {
          const data = Buffer.alloc(place + 1 + after, 'a')
          data[place] = 0xff
          return {
            name: `octet ${place} of ${data.length}, mask ${mask}`,
            sends: [frame(opcodes.text, data, { mask })],
            ends: badText
          }
        })
      )
    )
  )
  const half = Buffer.from('ec9d', 'hex')
  await suite.run(t, [
    {
      name: 'after a good message',
      sends: [frame(opcodes.text, 'good'), 1, frame(opcodes.text, half)],
      gets: [text('good')],
      ends: badText
    },
    {
      name: 'half a character, and the other half in the next message',
      sends: [frame(opcodes.text, half), frame(opcodes.text, Buffer.from([0xb4]))],
      ends: badText
    },
    {
      name: 'in the first of two fragments',
      sends: [
        frame(opcodes.text, Buffer.from([0xff]), { fin: false }),
        frame(opcodes.continuation, 'good')
      ],
      ends: badText
    },
    {
      name: 'in the last of two fragments',
      sends: [frame(opcodes.text, 'good', { fin: false }), frame(opcodes.continuation, half)],
      ends: badText
    },
    {
      name: 'a ping cannot complete it',
      sends: [
        frame(opcodes.text, half, { fin: false }),
        frame(opcodes.pong, Buffer.from([0xb4])),
        frame(opcodes.continuation)
      ],
      ends: badText
    }
  ])
})

t.test('accepts any octets in binary messages', async (t) => {
  const all = Object.values(invalid).flat().map((hex) => Buffer.from(hex, 'hex'))
  await suite.run(t, [
    {
      name: 'one message each',
      sends: [Buffer.concat(all.map((data) => frame(opcodes.binary, data)))],
      gets: all.map(binary)
    },
    {
      name: 'in fragments',
      sends: all.map((data, i) =>
        frame(i === 0 ? opcodes.binary : opcodes.continuation, data, { fin: i === all.length - 1 })
      ),
      gets: [binary(Buffer.concat(all))]
    }
  ])
})

t.test('no connection is left afterwards', (t) => suite.finish(t))
