/** One small fault, put into one file of `lib/` while it is loaded. */
export interface Mutant {
  /** What is wrong with it, in a line. */
  readonly name: string
  /** Below `lib/`. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly search: string
  readonly replace: string
  /** The property suites that must catch it; the first that does is enough. */
  readonly suites: readonly string[]
}

/** What became of a mutant. Without a mutant: a suite that must hold. */
export interface Outcome {
  readonly mutant: string | undefined
  readonly suite: string
  readonly caught: boolean
  /** Histories until it was caught, or all. */
  readonly runs: number
  /** Milliseconds. */
  readonly took: number
  /** How it was caught: the first line of the failure. */
  readonly how: string
}

/** The query that gives a module, and all it imports of this repository, the fault of a mutant. */
export function queryOf (mutant: Mutant | undefined): string {
  const { file, search, replace } = mutant ?? {}
  return `?${new URLSearchParams({ mutant: JSON.stringify({ file, search, replace }) }).toString()}`
}
