import t from 'tap'
import { TurnHistogram, turnBounds } from '../../../lib/process/stats/turn-histogram.js'
import { buildRuntime } from '../helpers.js'
import { ManualClock } from '../../properties/clock.js'

t.test('puts a time into the first bucket that is not below it', async (t) => {
  const histogram = new TurnHistogram()
  const times = [0.01, 1, 1.001, 5, 9, 50, 51, 100, 500, 1000, 10_000, 10_001]
  for (const time of times) histogram.record(time)
  t.strictSame(histogram.stats(), {
    count: 12,
    total: times.reduce((sum, time) => sum + time, 0),
    buckets: [
      { upTo: 1, count: 2 },
      { upTo: 5, count: 4 },
      { upTo: 10, count: 5 },
      { upTo: 50, count: 6 },
      { upTo: 100, count: 8 },
      { upTo: 500, count: 9 },
      { upTo: 1000, count: 10 },
      { upTo: 10_000, count: 11 }
    ]
  })
})

t.test('has eight buckets from 1 ms to 10 s', async (t) => {
  t.equal(turnBounds.length, 8)
  t.strictSame([turnBounds[0], turnBounds[7]], [1, 10_000])
  t.strictSame([...turnBounds].sort((a, b) => a - b), [...turnBounds])
})

t.test('measures the turns of processes', async (t) => {
  const clock = new ManualClock()
  const { processes } = buildRuntime({ clock })
  processes.spawn(() => { clock.time += 30 })
  processes.spawn(() => { clock.time += 700 })
  clock.run()
  clock.yieldOnce()
  clock.run()
  const { turns, longestTurn } = processes.stats()
  t.equal(turns.total, 730)
  t.equal(longestTurn, 700)
  t.same(turns.buckets.map(({ count }) => count), [0, 0, 0, 1, 1, 1, 2, 2].map((count) => {
    return count + turns.count - 2
  }))
})
