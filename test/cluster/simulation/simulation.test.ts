import t from 'tap'
import { Simulation } from './simulation.js'
import type { Report } from './guarantees.js'

// CLUSTER_SEEDS=20000 runs more seeds; CLUSTER_SEED=n repeats one run.
const one = process.env.CLUSTER_SEED
const first = one === undefined ? 1 : Number(one)
const count = one === undefined ? Number(process.env.CLUSTER_SEEDS ?? 1000) : 1

// A generous timeout: the load of the machine must not decide the result.
t.setTimeout(count * 600 + 60_000)

t.test(`keeps all guarantees while nodes and the engine fail: ${count} seeds`, async (t) => {
  const total: Report = { messages: 0, torn: 0, exits: 0, calls: 0, claims: 0, takeOvers: 0 }
  for (let seed = first; seed < first + count; seed++) {
    try {
      const report = await new Simulation(seed).run()
      for (const key of Object.keys(total) as (keyof Report)[]) total[key] += report[key]
    } catch (err) {
      t.fail(`CLUSTER_SEED=${seed}: ${(err as Error).message}`)
      if (one !== undefined) throw err
    }
  }
  t.comment(`${count} simulations: ${JSON.stringify(total)}`)
  t.ok(total.messages > 0, 'messages were delivered')
})
