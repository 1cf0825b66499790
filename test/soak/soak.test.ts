// The checks that the report of the soak relies on find the faults that they are made for.
import t from 'tap'
import { Acknowledgements, Echoes, Nothing, Numbers } from './clients/readings.js'
import { dataOf, isBinary, isContent, numberOf } from './content.js'
import { parseOptions } from './options.js'
import { Section, verdict } from './report.js'
import { Problems, together } from './rig/problems.js'
import { slope } from './rig/slope.js'
import type { Reading } from './clients/readings.js'

const client = 7

/** The result of a reading for messages that arrive in this order. */
function judged (
  reading: Reading, numbers: readonly number[], sent = 4
): Array<string | undefined> {
  for (let n = 0; n < sent; n++) reading.sent(n)
  return numbers.map((n) => reading.take(Buffer.from(dataOf(client, n)), isBinary(n)))
}

t.test('detects an echo that is lost, doubled, out of order or wrong', async (t) => {
  t.strictSame(judged(new Echoes(client), [0, 1, 2, 3]), [
    undefined,
    undefined,
    undefined,
    undefined
  ])
  for (const numbers of [[1], [0, 0], [0, 2, 1], [0, 1, 3]]) {
    t.type(judged(new Echoes(client), numbers).at(-1), 'string', numbers.join())
  }
  const echoes = new Echoes(client)
  judged(echoes, [0, 1, 2])
  t.equal(echoes.unanswered, 1, 'one is still to come')
  t.notOk(isContent(dataOf(client, 0), true, client, 0), 'text that comes as binary')
  t.notOk(isContent(dataOf(client + 1, 0), false, client, 0), 'that of another client')
})

t.test('detects a number that is acknowledged twice or never', async (t) => {
  const reading = new Acknowledgements()
  for (let n = 0; n < 3; n++) reading.sent(n)
  t.strictSame(
    [2, 0].map((n) => reading.take(Buffer.from(`${n}`))),
    [undefined, undefined],
    'in any order'
  )
  t.equal(reading.unanswered, 1)
  t.type(reading.take(Buffer.from('0')), 'string')
})

t.test('detects gaps where none are allowed, and always a step back', async (t) => {
  t.type(judged(new Numbers(false), [0, 2]).at(-1), 'string')
  t.equal(judged(new Numbers(true), [0, 2]).at(-1), undefined)
  t.type(judged(new Numbers(true), [0, 2, 1]).at(-1), 'string')
  t.type(judged(new Nothing(), [0]).at(-1), 'string')
  t.equal(numberOf(dataOf(client, 12)), 12)
})

t.test('computes the slope of a line with any offset', async (t) => {
  t.equal(slope([{ work: 0, bytes: 100 }, { work: 10, bytes: 100 }, { work: 30, bytes: 100 }]), 0)
  t.equal(
    slope([
      { work: 10, bytes: 1000 },
      { work: 20, bytes: 1030 },
      { work: 30, bytes: 1060 }
    ]),
    3
  )
})

t.test('one failed statement fails the report', async (t) => {
  const section = new Section('Phase', 'What it does.')
  section.equal('as many', [1, { client: 1 }], [1, { client: 1 }])
  section.note('took', '3 s')
  t.equal(verdict([section]).ok, true)
  section.equal('as many', 1, 2)
  const { ok, text } = verdict([section])
  t.equal(ok, false)
  t.match(text, 'Phase: as many (seen: 1 instead of 2)')
  t.match(section.text, '| as many | 1 instead of 2 | **no** |')
})

t.test('counts all problems and keeps the first ones', async (t) => {
  const problems = new Problems()
  t.equal(together([{ problems }]), 'none')
  for (let i = 0; i < 100; i++) problems.add(`problem ${i}`)
  t.equal(problems.first.length, 10)
  t.match(together([{ problems }]), /^100: problem 0; problem 1/)
})

t.test('throws for an unknown command line', async (t) => {
  t.equal(parseOptions(['--smoke', '--connections', '5']).scale.idle.connections, 5)
  for (const args of [['--connections', 'many'], ['--connections', '0'], ['--quick'], ['idle']]) {
    t.throws(() => parseOptions(args), args.join(' '))
  }
})
