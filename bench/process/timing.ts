import { Bench } from 'tinybench'

/** One case to time. */
export interface Case {
  name: string
  /** The name of the case to compare it with. */
  baseline?: string
  /** Operations in one run. */
  operations: number
  run: () => unknown
}

/** Nanoseconds for one operation, a median from each round. */
export interface Timed { name: string, baseline?: string, nanoseconds: number[] }

export interface TimingOptions { rounds: number, milliseconds: number }

/** Runs a task `count` times. */
export function repeat (times: number, run: (i: number) => void): () => void {
  return () => { for (let i = 0; i < times; i++) run(i) }
}

/** Times the cases in turn (A B C, A B C, …), after an uncounted round that compiles them. */
export async function time (
  cases: readonly Case[],
  { rounds, milliseconds }: TimingOptions
): Promise<Timed[]> {
  const timed: Timed[] = cases.map(({ name, baseline }) => ({ name, baseline, nanoseconds: [] }))
  for (let round = 0; round <= rounds; round++) {
    for (const [i, { name, operations, run }] of cases.entries()) {
      const bench = new Bench({ time: milliseconds, iterations: 5, warmup: false, throws: true })
      bench.add(name, async () => {
        await run()
      })
      await bench.run()
      const { result } = bench.tasks[0]
      if (!('latency' in result)) throw new Error(`${name}: ${result.state}`)
      if (round > 0) timed[i].nanoseconds.push((result.latency.p50 * 1e6) / operations)
    }
  }
  return timed
}
