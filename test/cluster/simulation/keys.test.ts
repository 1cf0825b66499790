// Processes with keys on many nodes. CLUSTER_SEEDS=20000 runs more seeds, CLUSTER_SEED=n one.
import t from 'tap'
import { KeySimulation } from './key-simulation.js'
import type { KeyReport } from './key-simulation.js'

const one = process.env.CLUSTER_SEED
const first = one === undefined ? 1 : Number(one)
// One of these takes as long as 50 of the others.
const count = one === undefined ? Math.ceil(Number(process.env.CLUSTER_SEEDS ?? 250) / 50) : 1

// A generous timeout: the load of the machine must not decide the result.
t.setTimeout(count * 30_000 + 60_000)

t.test(`lets at most one instance of a key take mail: ${count} seeds`, async (t) => {
  const total: KeyReport = { taken: 0, started: 0, places: 0, refused: 0 }
  for (let seed = first; seed < first + count; seed++) {
    try {
      const report = await new KeySimulation(seed).run()
      for (const key of Object.keys(total) as (keyof KeyReport)[]) total[key] += report[key]
    } catch (err) {
      t.fail(`CLUSTER_SEED=${seed}: ${(err as Error).message}`)
      if (one !== undefined) throw err
    }
  }
  t.comment(`${count} simulations: ${JSON.stringify(total)}`)
  t.ok(total.taken > 0 && total.places > 0, 'keys had processes on several nodes')
})
