/** One small fault, put into one file of `lib/` when it is loaded. */
export interface Mutant {
  /** The fault, in one line. */
  readonly name: string
  /** The path below `lib/`. */
  readonly file: string
  /** Occurs in the file exactly once. */
  readonly search: string
  readonly replace: string
  /** At least one of these property suites must catch it. */
  readonly suites: readonly string[]
}

/** The result of a mutant, or of a suite without one, which must pass. */
export interface Outcome {
  readonly mutant: string | undefined
  readonly suite: string
  readonly caught: boolean
  /** The number of histories until it was caught, or of all. */
  readonly runs: number
  /** Milliseconds. */
  readonly took: number
  /** How it was caught: the first line of the failure. */
  readonly how: string
}

/** The import query that loads a module, and its imports of this repository, with a mutant. */
export function queryOf (mutant: Mutant | undefined): string {
  const { file, search, replace } = mutant ?? {}
  return `?${new URLSearchParams({ mutant: JSON.stringify({ file, search, replace }) }).toString()}`
}
