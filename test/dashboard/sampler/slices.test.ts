import t from 'tap'
import { maxVisits, Slices } from '../../../lib/dashboard/sampler/slices.js'
import { ManualClock, ticks } from '../../properties/clock.js'

function * count (to: number, visited: number[]): Iterator<undefined> {
  for (let i = 0; i < to; i++) {
    visited.push(i)
    yield
  }
}

t.test('takes a limited number of steps in each turn, of all jobs together', async (t) => {
  const clock = new ManualClock()
  const slices = new Slices(clock)
  const visited: number[] = []
  let done = 0
  for (const size of [1500, 700, 0]) {
    slices.run(count(size, visited)).then(() => { done++ }, t.threw)
  }
  t.equal(visited.length, 0, 'nothing runs at once')
  const turns: Array<[number, number]> = []
  while (clock.busy) {
    const before = visited.length
    clock.yieldOnce()
    await ticks()
    turns.push([visited.length - before, done])
  }
  t.strictSame(turns, [[maxVisits, 0], [maxVisits, 1], [200, 3]])
})

t.test('an iteration that throws fails alone', async (t) => {
  const clock = new ManualClock()
  const slices = new Slices(clock)
  const visited: number[] = []
  function * failing (): Iterator<undefined> { throw new Error('bad') }
  const failed = t.rejects(slices.run(failing()), { message: 'bad' })
  const counted = slices.run(count(3, visited))
  clock.yieldOnce()
  await Promise.all([failed, counted])
  t.equal(visited.length, 3)
  t.equal(clock.busy, false)
})

t.test('drops its jobs', async (t) => {
  const clock = new ManualClock()
  const slices = new Slices(clock)
  const visited: number[] = []
  slices.run(count(1500, visited)).then(() => { t.fail() }, t.threw)
  clock.yieldOnce()
  slices.clear()
  clock.yieldOnce()
  t.equal(visited.length, maxVisits)
  t.equal(clock.busy, false)
})
