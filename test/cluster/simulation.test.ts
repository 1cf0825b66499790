import t from 'tap'
import { Simulation } from './simulation.js'
import type { Report } from './simulation.js'

// CLUSTER_SEEDS=20000 for a soak, CLUSTER_SEED=n to see one run again.
const one = process.env.CLUSTER_SEED
const first = one === undefined ? 1 : Number(one)
const count = one === undefined ? Number(process.env.CLUSTER_SEEDS ?? 1000) : 1

// CPU time decides how many seeds there are, not the load of the machine.
t.setTimeout(count * 600 + 60_000)

t.test(`nodes keep what is promised, whatever happens to them and to the engine: ${count} seeds`, async (t) => {
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
  t.ok(total.messages > 0, 'messages were handed on')
})
