// Fragmented messages, and control frames, which must not be fragmented.
import t from 'tap'
import { frame, opcodes } from './fixtures/raw-client.js'
import { Suite, binary, chopped, pong, protocolError, text, violation } from './fixtures/suite.js'
import type { Case } from './fixtures/suite.js'

const suite = await Suite.start(t)
const unexpected = protocolError('unexpected continuation')
const expected = protocolError('expected continuation')

/** The frames of one message. */
function fragments (parts: readonly string[], opcode: number = opcodes.text): Buffer[] {
  return parts.map((part, i) =>
    frame(i === 0 ? opcode : opcodes.continuation, part, { fin: i === parts.length - 1 })
  )
}

const first = frame(opcodes.text, 'one ', { fin: false })
const next = frame(opcodes.continuation, 'two ', { fin: false })
const last = frame(opcodes.continuation, 'three')

t.test('joins fragments into one message', async (t) => {
  const messages: string[][] = [
    ['one ', 'two'],
    ['one ', 'two ', 'three'],
    ['', ''],
    ['', '', ''],
    ['', 'in the middle', ''],
    ['first', '', ''],
    ['', '', 'last'],
    ['a', '', 'b', '', 'c'],
    Array.from({ length: 50 }, (_, i) => `${i};`),
    ['x'.repeat(125), 'y'.repeat(126), 'z'.repeat(65536)]
  ]
  const cases: Case[] = messages.flatMap((parts) => [
    {
      name: `text in ${parts.length} fragments of ${parts.slice(0, 5).map(({ length }) => length)}`,
      sends: fragments(parts),
      gets: [text(parts.join(''))]
    },
    {
      name: `binary in ${parts.length} fragments ` +
        `of ${parts.slice(0, 5).map(({ length }) => length)}`,
      sends: fragments(parts, opcodes.binary),
      gets: [binary(parts.join(''))]
    }
  ])
  const short = cases.filter(({ name }) => !name.includes('65536'))
  await suite.run(t, [
    ...cases,
    ...cases.map((one) => ({
      ...one,
      name: `${one.name}, in one write`,
      sends: [Buffer.concat(one.sends as Buffer[])]
    })),
    ...chopped(Infinity, short),
    ...chopped(1, short)
  ])
})

t.test('reads several fragmented messages in a row', (t) =>
  suite.run(t, [
    {
      name: 'text, then binary',
      sends: [...fragments(['a', 'b']), 1, ...fragments(['c', 'd'], opcodes.binary)],
      gets: [text('ab'), binary('cd')]
    },
    {
      name: 'whole, in fragments, whole',
      sends: [frame(opcodes.text, 'a'), ...fragments(['b', 'c']), frame(opcodes.text, 'd')],
      gets: [text('a'), text('bc'), text('d')]
    },
    {
      name: 'a hundred in one write',
      sends: [
        Buffer.concat(Array.from({ length: 100 }, (_, i) => fragments([`${i}`, '.'])).flat())
      ],
      gets: Array.from({ length: 100 }, (_, i) => text(`${i}.`))
    }
  ])
)

t.test('control frames may stand between fragments', async (t) => {
  const pings = ['a', 'b', 'c'].map((word) => frame(opcodes.ping, word))
  const cases: Case[] = [
    { name: 'a ping', sends: [first, pings[0], 1, last], gets: [pong('a'), text('one three')] },
    {
      name: 'a ping after each',
      sends: [first, pings[0], next, pings[1], 2, last],
      gets: [pong('a'), pong('b'), text('one two three')]
    },
    {
      name: 'three pings',
      sends: [first, ...pings, 3, last],
      gets: [...['a', 'b', 'c'].map(pong), text('one three')]
    },
    {
      name: 'a pong',
      sends: [first, frame(opcodes.pong, 'pong'), last],
      gets: [text('one three')]
    },
    {
      name: 'a ping, and an error after it',
      sends: [first, pings[0], first],
      gets: [pong('a')],
      ends: expected
    }
  ]
  await suite.run(t, [...cases, ...chopped(1, cases)])
})

t.test('a control frame in fragments is an error', async (t) => {
  const cases: Case[] = (['close', 'ping', 'pong'] as const).flatMap((kind) => {
    const part = frame(opcodes[kind], '', { fin: false })
    const ends = protocolError('fragmented control frame')
    return [
      { name: `a ${kind}`, sends: [part], ends },
      { name: `a ${kind} with its continuation`, sends: [part, frame(opcodes.continuation)], ends },
      { name: `a ${kind} between fragments`, sends: [first, part, last], ends },
      {
        name: `a ${kind} after a good message`,
        sends: [frame(opcodes.text, 'good'), 1, part],
        gets: [text('good')],
        ends
      }
    ]
  })
  await suite.run(t, [...cases, ...chopped(1, cases)])
})

t.test('fragments in the wrong order are an error', async (t) => {
  const cases: Case[] = [
    { name: 'a continuation of nothing', sends: [last], ends: unexpected },
    { name: 'a continuation of nothing, not the last', sends: [next], ends: unexpected },
    {
      name: 'an empty continuation of nothing',
      sends: [frame(opcodes.continuation)],
      ends: unexpected
    },
    {
      name: 'a continuation after a good message',
      sends: [frame(opcodes.text, 'good'), 1, last],
      gets: [text('good')],
      ends: unexpected
    },
    {
      name: 'a continuation after the last one',
      sends: [first, last, 1, last],
      gets: [text('one three')],
      ends: unexpected
    },
    {
      name: 'a continuation after a ping',
      sends: [frame(opcodes.ping), last],
      gets: [pong()],
      ends: unexpected
    },
    ...(['text', 'binary'] as const).flatMap((kind) => [
      {
        name: `a ${kind} inside a text`,
        sends: [first, frame(opcodes[kind], 'new'), last],
        ends: expected
      },
      {
        name: `the start of a ${kind} inside a text`,
        sends: [first, next, frame(opcodes[kind], 'new', { fin: false }), last],
        ends: expected
      },
      {
        name: `an empty ${kind} inside an empty text`,
        sends: [frame(opcodes.text, '', { fin: false }), frame(opcodes[kind])],
        ends: expected
      }
    ])
  ]
  await suite.run(t, [...cases, ...chopped(Infinity, cases), ...chopped(1, cases)])
})

t.test('a message has at most 1024 fragments', async (t) => {
  const some = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => String.fromCharCode(97 + (i % 26)))
  const ends = violation(1008, 'too many fragments')
  const endless = [
    first,
    ...Array.from({ length: 1023 }, () => frame(opcodes.continuation, '', { fin: false }))
  ]
  await suite.run(t, [
    {
      name: '1023',
      sends: [Buffer.concat(fragments(some(1023)))],
      gets: [text(some(1023).join(''))]
    },
    {
      name: '1024',
      sends: [Buffer.concat(fragments(some(1024)))],
      gets: [text(some(1024).join(''))]
    },
    {
      name: '1024 twice',
      sends: [Buffer.concat(fragments(some(1024))), 1, Buffer.concat(fragments(some(1024)))],
      gets: [text(some(1024).join('')), text(some(1024).join(''))]
    },
    { name: '1025', sends: [Buffer.concat(fragments(some(1025)))], ends },
    {
      name: '1024 and no last one, all but one of them empty',
      sends: [Buffer.concat(endless), frame(opcodes.ping)],
      gets: [pong()]
    },
    { name: '1025 empty ones', sends: [Buffer.concat(endless), frame(opcodes.continuation)], ends },
    {
      name: '1025 with a ping in between',
      sends: [Buffer.concat(endless), frame(opcodes.ping), frame(opcodes.continuation)],
      gets: [pong()],
      ends
    }
  ])
})

t.test('no connection is left afterwards', (t) => suite.finish(t))
