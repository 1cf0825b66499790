// With `npm run test:long`: ten minutes, or a minute with `--smoke`.
import t from 'tap'
import { startRooms, Visitor } from './kill-run.js'
import type { Random } from './kill-run.js'

const time = process.env.TEST_SMOKE === '1' ? 60_000 : 600_000
const keys = 6
const visitors = 4

function series (seed: number): Random {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor(state / 2 ** 32 * limit)
  }
}

t.setTimeout(0)
t.test('keeps one process per key while rooms are killed at random', async (t) => {
  const seed = Number(process.env.FC_SEED ?? Date.now() % 1_000_000)
  t.comment(`FC_SEED=${seed}`)
  const random = series(seed)
  const { app, steady, fragile, url } = await startRooms()
  t.teardown(() => app.close())
  const crowds = [steady, fragile].map((rooms, i) => {
    const kind = i === 0 ? 'steady' : 'fragile'
    const all = Array.from({ length: keys * visitors }, () => new Visitor())
    const runs = all.map((visitor, n) => visitor.run(
      // Most stay with one key, so that a key has several visitors; others go from key to key.
      () => `${url}/${kind}/${n % 3 === 0 ? random(keys) : n % keys}`, random, { refusals: i === 1 }
    ))
    return { rooms, all, runs }
  })

  let harms = 0
  for (const end = Date.now() + time; Date.now() < end; harms++) {
    const { rooms } = crowds[random(2)]
    rooms.harm(app.processes, String(random(keys)), random)
    // Rooms get as far as one message or more between two harms.
    for (let i = random(30); i > 0; i--) await rooms.progress()
  }

  for (const { rooms, all, runs } of crowds) {
    for (const visitor of all) visitor.finish()
    // Every visitor has an answer in a room that goes on. A visitor that waits for ever hangs here.
    await Promise.all(runs)
    t.strictSame(all.flatMap(({ problems }) => problems), [], 'what visitors have seen')
    t.strictSame(rooms.problems, [], 'what rooms have seen')
    const sum = (pick: (visitor: Visitor) => number) =>
      all.reduce((total, visitor) => total + pick(visitor), 0)
    t.comment(`${sum(({ visits }) => visits)} visits, ${sum((one) => one.refusals)} refusals, ` +
      `${rooms.started} rooms, ${rooms.handled} messages`)
  }
  t.ok(steady.started > 10 && harms > 10, `${harms} harms`)

  const rooms = [steady, fragile]
  await Promise.all(rooms.flatMap(({ keyed }) => keyed.list().map((key) => keyed.stop(key))))
  const { keyed } = app.processes.stats()
  t.match(keyed, { steady: { alive: 0 }, fragile: { alive: 0 } })
  t.strictSame(app.processes.list(), [], 'no process and no connection remains')
})
