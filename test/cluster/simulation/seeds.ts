// CLUSTER_SEEDS=20000 runs more seeds of a simulation; CLUSTER_SEED=n repeats one run.
import type { Test } from 'tap'

/** A simulation that throws when a guarantee is broken. */
export interface Seeded<Report extends object> {
  /** How many seeds of the fastest simulation take as long as one of these. */
  readonly share: number
  /** All zero: each run is added to it. */
  readonly total: Report
  /** Without `CLUSTER_SEEDS`; before it is divided by `share`. */
  readonly seeds: number
  run (seed: number): Promise<Report>
  /** Whether all runs together have tested something. */
  hasTested (total: Report): boolean
}

export function simulate<Report extends object> (
  t: Test, name: string, { share, total, seeds, run, hasTested }: Seeded<Report>
): void {
  const one = process.env.CLUSTER_SEED
  const first = one === undefined ? 1 : Number(one)
  const wanted = Number(process.env.CLUSTER_SEEDS ?? seeds)
  const count = one === undefined ? Math.ceil(wanted / share) : 1

  // A generous timeout: the load of the machine must not decide the result.
  t.setTimeout(count * share * 600 + 60_000)

  t.test(`${name}: ${count} seeds`, async (t) => {
    const sums = total as Record<string, number>
    for (let seed = first; seed < first + count; seed++) {
      try {
        const report = await run(seed)
        for (const [key, value] of Object.entries(report)) sums[key] += value as number
      } catch (err) {
        t.fail(`CLUSTER_SEED=${seed}: ${(err as Error).message}`)
        if (one !== undefined) throw err
      }
    }
    t.comment(`${count} simulations: ${JSON.stringify(total)}`)
    t.ok(hasTested(total), 'it has tested something')
  })
}
