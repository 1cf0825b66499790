/** The middle of some figures, and between which two they lie. */
export interface Spread { median: number, min: number, max: number }

export function spread (figures: readonly number[]): Spread {
  const sorted = [...figures].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const median = Number.isInteger(middle) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[Math.floor(middle)]
  return { median, min: sorted[0], max: sorted[sorted.length - 1] }
}

/**
 * Ratios taken round by round: what disturbed a round disturbed both of its figures. Rounds in which
 * one of them is missing are left out.
 */
export function ratios (figures: ReadonlyArray<number | undefined>, references: ReadonlyArray<number | undefined>): Spread | undefined {
  const pairs = figures.flatMap((figure, round) => {
    const reference = references[round]
    return figure === undefined || reference === undefined ? [] : [figure / reference]
  })
  return pairs.length === 0 ? undefined : spread(pairs)
}

/** Three significant digits, without an exponent. */
export function show (figure: number): string {
  if (Math.abs(figure) >= 100) return Math.round(figure).toLocaleString('en')
  return figure.toFixed(Math.abs(figure) >= 10 ? 1 : 2)
}

export function showSpread ({ median, min, max }: Spread): string {
  return `${show(median)} [${show(min)}–${show(max)}]`
}
