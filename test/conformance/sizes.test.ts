// Messages with each form of length in the header, and the limit.
import t from 'tap'
import { frame, label, opcodes } from './fixtures/raw-client.js'
import { Suite, binary, chopped, text, tooLarge } from './fixtures/suite.js'
import type { Case, Step } from './fixtures/suite.js'

const MiB = 1024 * 1024
const sizes = [0, 1, 125, 126, 127, 128, 65535, 65536]
// The period does not divide a power of two, so lost, repeated or misplaced bytes are visible.
const letters = 'the quick brown fox jumps over a lazy dog, '

function message (kind: 'text' | 'binary', size: number): Buffer {
  if (kind === 'text') {
    return Buffer.from(letters.repeat(Math.ceil(size / letters.length)).slice(0, size))
  }
  return Buffer.from(Uint8Array.from({ length: size }, (_, i) => i % 251))
}

function echo (kind: 'text' | 'binary', size: number): Case {
  const data = message(kind, size)
  return {
    name: `${kind} of ${size}`,
    sends: [frame(opcodes[kind], data)],
    gets: [label(kind, data)]
  }
}

function both (sizes: readonly number[]): Case[] {
  return [...sizes.map((size) => echo('text', size)), ...sizes.map((size) => echo('binary', size))]
}

/** A message with fragments of these sizes. */
function fragments (...sizes: number[]): Step[] {
  return sizes.map((size, i) =>
    frame(i === 0 ? opcodes.binary : opcodes.continuation, Buffer.alloc(size), {
      fin: i === sizes.length - 1
    })
  )
}

const suite = await Suite.start(t)

t.test('echoes messages of any size', (t) =>
  suite.run(t, both([...sizes, 1000, 4096, MiB - 1, MiB]))
)

t.test('echoes messages that TCP splits at any place', (t) => suite.run(t, [
  ...chopped(1, both(sizes.filter((size) => size <= 128))),
  ...chopped(2, both(sizes.filter((size) => size <= 128))),
  ...[997, 1460, 16384].flatMap((chop) => chopped(chop, both([65535, 65536]))),
  ...chopped(65535, both([MiB]))
]))

t.test('echoes many messages of one write in order', async (t) => {
  const words = Array.from({ length: 200 }, (_, i) => `message ${i}`)
  const frames = words.map((word) => frame(opcodes.text, word))
  const all = { name: '200 messages', sends: [Buffer.concat(frames)], gets: words.map(text) }
  const empty = {
    name: '200 empty messages',
    sends: [Buffer.concat(words.map(() => frame(opcodes.binary)))],
    gets: words.map(() => binary(''))
  }
  await suite.run(t, [
    all,
    ...[7, 64, 1000].flatMap((chop) => chopped(chop, [all])),
    empty,
    ...chopped(5, [empty])
  ])
})

t.test('a message over the limit ends the connection with 1009', async (t) => {
  const announced = [
    MiB + 1,
    2 ** 31,
    2 ** 32,
    2n ** 53n,
    2n ** 63n - 1n,
    2n ** 63n,
    2n ** 64n - 1n
  ]
  const cases: Case[] = [
    {
      name: 'one octet too many',
      sends: [frame(opcodes.binary, Buffer.alloc(MiB + 1))],
      ends: tooLarge
    },
    {
      name: 'text that is one octet too long',
      sends: [frame(opcodes.text, message('text', MiB + 1))],
      ends: tooLarge
    },
    {
      name: 'after a good message',
      sends: [frame(opcodes.text, 'good'), 1, frame(opcodes.binary, Buffer.alloc(MiB + 1))],
      gets: [text('good')],
      ends: tooLarge
    },
    ...announced.map((length) => ({
      name: `a header that says ${length}`,
      sends: [frame(opcodes.binary, '', { length })],
      ends: tooLarge
    })),
    {
      name: 'fragments that are as long as can be',
      sends: fragments(MiB / 2, MiB / 2),
      gets: [binary(Buffer.alloc(MiB))]
    },
    {
      name: 'then an empty fragment',
      sends: fragments(MiB - 1, 1, 0),
      gets: [binary(Buffer.alloc(MiB))]
    },
    {
      name: 'fragments with one octet too many',
      sends: fragments(MiB / 2, MiB / 2, 1),
      ends: tooLarge
    },
    { name: 'a fragment that is too long', sends: fragments(1, MiB), ends: tooLarge }
  ]
  await suite.run(t, cases)
  await suite.run(t, chopped(60000, cases.slice(0, 2)))
})

t.test('no connection is left afterwards', (t) => suite.finish(t))
