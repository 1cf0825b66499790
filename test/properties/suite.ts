// A property suite is a module without a test runner. Tests run some thousands of its histories,
// the
// soak runs hundreds of thousands, and the mutants run as many as needed.
import fc from 'fast-check'

/** The number of histories. A seed and a path repeat one failure. */
export interface Terms {
  readonly runs: number
  readonly seed?: number
  readonly path?: string
}

/** The result of a suite. */
export interface Verdict {
  readonly suite: string
  /** The number of histories that ran, including a failed one. */
  readonly runs: number
  readonly seed: number
  /** Milliseconds. */
  readonly took: number
  /** The shortest failing history, with the command that repeats it. */
  readonly failure: string | undefined
  /** The path to that history, for the same seed. */
  readonly path: string | null
}

export interface Suite {
  readonly name: string
  /** @param shrink whether to search for a shorter failing history */
  check (terms: Terms, shrink?: boolean): Promise<Verdict>
}

/** Uncaught errors, which this process records instead of ending. */
export const uncaught: unknown[] = []

/**
 * @param run runs one history; throws when a guarantee is broken, and leaves nothing behind
 */
export function suiteOf<T> (
  name: string,
  histories: fc.Arbitrary<T>,
  run: (history: T) => Promise<void>
): Suite {
  const property = fc.asyncProperty(histories, async (history) => {
    await run(history)
    // Unhandled rejections are reported when the event loop continues.
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    if (uncaught.length > 0) throw uncaught.splice(0)[0]
  })
  return {
    name,
    async check ({ runs, seed, path }, shrink = true) {
      const started = performance.now()
      const details = await fc.check(property, {
        numRuns: runs,
        endOnFailure: !shrink,
        ...(seed !== undefined && { seed }),
        ...(path !== undefined && { path })
      })
      return {
        suite: name,
        runs: details.numRuns,
        seed: details.seed,
        took: performance.now() - started,
        failure: details.failed ? describe(name, details) : undefined,
        path: details.counterexamplePath
      }
    }
  }
}

function describe<T> (name: string, details: fc.RunDetails<[T]>): string {
  const { seed, counterexamplePath, numRuns, errorInstance, counterexample } = details
  return [
    `'${name}' does not hold: ` +
      (errorInstance instanceof Error ? errorInstance.stack : String(errorInstance)),
    `after ${numRuns} runs; again: FC_SEED=${seed} FC_PATH=${counterexamplePath} ` +
      `npm test -- $(find test/properties -name '${name}.test.ts')`,
    fc.stringify(counterexample)
  ].join('\n')
}

/** The seed of the histories in CI. */
const pushSeed = 20261125

/** `FC_RUNS`, `FC_SEED` and `FC_PATH`, where they are set. */
export function termsFromEnv (runs: number, env: NodeJS.ProcessEnv = process.env): Terms {
  return {
    runs: numberFrom('FC_RUNS', env) ?? runs,
    // CI uses a fixed seed, so that only a change can fail it. The soak and local runs use new
    // ones.
    seed: numberFrom('FC_SEED', env) ?? (env.CI === 'true' ? pushSeed : undefined),
    path: env.FC_PATH === '' ? undefined : env.FC_PATH
  }
}

function numberFrom (name: string, env: NodeJS.ProcessEnv): number | undefined {
  const text = env[name]
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (!Number.isInteger(value)) throw new Error(`${name} must be an integer, got '${text}'`)
  return value
}

/** Throws unless both are the same. */
export function equal (actual: unknown, expected: unknown, what = ''): void {
  if (!Object.is(actual, expected)) {
    throw new Error(
      `${what === '' ? '' : `${what}: `}${String(actual)} instead of ${String(expected)}`
    )
  }
}

export function sameSet (actual: readonly string[], expected: readonly string[], what = ''): void {
  equal([...actual].sort().join(), [...expected].sort().join(), what)
}
