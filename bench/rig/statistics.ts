/** The median, minimum and maximum of some figures. */
export interface Spread { median: number, min: number, max: number }

export function spread (figures: readonly number[]): Spread {
  const sorted = [...figures].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const median = Number.isInteger(middle)
    ? (sorted[middle - 1] + sorted[middle]) / 2
    : sorted[Math.floor(middle)]
  return { median, min: sorted[0], max: sorted[sorted.length - 1] }
}

/**
 * Computes the ratio of each round, because a disturbance of a round affects both of its figures.
 * It skips rounds in which one figure is missing.
 */
export function ratios (
  figures: ReadonlyArray<number | undefined>,
  references: ReadonlyArray<number | undefined>
): Spread | undefined {
  const pairs = figures.flatMap((figure, round) => {
    const reference = references[round]
    return figure === undefined || reference === undefined ? [] : [figure / reference]
  })
  return pairs.length === 0 ? undefined : spread(pairs)
}

/** Formats a number with three significant digits, without an exponent. */
export function show (figure: number): string {
  if (Math.abs(figure) >= 100) return Math.round(figure).toLocaleString('en')
  return figure.toFixed(Math.abs(figure) >= 10 ? 1 : 2)
}

export function showSpread ({ median, min, max }: Spread): string {
  return `${show(median)} [${show(min)}–${show(max)}]`
}

/** The median of paired ratios, with the interval of the true median. */
export interface Interval { median: number, low: number, high: number, pairs: number }

/**
 * Computes the ratio of each pair. The interval depends only on their order (the sign test), so it
 * needs no assumption about their distribution. It contains the true median with at least 95 %.
 * With fewer than 6 pairs no such interval exists, and it is the whole range.
 */
export function pairedRatio (
  figures: ReadonlyArray<number | undefined>,
  references: ReadonlyArray<number | undefined>
): Interval | undefined {
  const pairs = figures
    .flatMap((figure, round) => {
      const reference = references[round]
      return figure === undefined || reference === undefined ? [] : [figure / reference]
    })
    .sort((a, b) => a - b)
  if (pairs.length === 0) return undefined
  const rank = signTestRank(pairs.length)
  return {
    median: spread(pairs).median,
    low: pairs[rank],
    high: pairs[pairs.length - 1 - rank],
    pairs: pairs.length
  }
}

/** The number of figures that may be left out on each side. */
function signTestRank (count: number): number {
  let probability = 2 ** -count
  let below = probability
  let rank = 0
  while (rank + 1 < count / 2) {
    probability *= (count - rank) / (rank + 1)
    below += probability
    if (below > 0.025) break
    rank++
  }
  return rank
}

export function showInterval ({ median, low, high }: Interval): string {
  return `${median.toFixed(2)} [${low.toFixed(2)} to ${high.toFixed(2)}]`
}
