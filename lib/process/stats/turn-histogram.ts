import type { TurnStats } from '../../../types/stats.js'

/** The upper bounds of the buckets, in milliseconds. */
export const turnBounds = [1, 5, 10, 50, 100, 500, 1000, 10_000] as const

/** How long turns take. Nearly all are in the first bucket, so that the search ends there. */
export class TurnHistogram {
  #total = 0
  /** The measurements of each bucket; the last ones are above all bounds. */
  readonly #counts: number[] = [...turnBounds.map(() => 0), 0]

  /** @param took milliseconds */
  record (took: number): void {
    this.#total += took
    let bucket = 0
    while (took > turnBounds[bucket]) bucket++
    this.#counts[bucket]++
  }

  stats (): TurnStats {
    let count = 0
    const buckets = turnBounds.map((upTo, i) => {
      count += this.#counts[i]
      return { upTo, count }
    })
    count += this.#counts[turnBounds.length]
    return { count, total: this.#total, buckets }
  }
}
