// A property suite is a module without a test runner in it: tests run some thousands of its
// histories, the soak hundreds of thousands, and the mutants as many as it takes.
import fc from 'fast-check'

/** How many histories, and which: a seed and a path run one failure again. */
export interface Terms {
  readonly runs: number
  readonly seed?: number
  readonly path?: string
}

/** What a suite found. */
export interface Verdict {
  readonly suite: string
  /** Histories that were run, the one that failed too. */
  readonly runs: number
  readonly seed: number
  /** Milliseconds. */
  readonly took: number
  /** The shortest history that fails, with the command that runs it again. */
  readonly failure: string | undefined
  /** The path to it, for the same seed. */
  readonly path: string | null
}

export interface Suite {
  readonly name: string
  /** @param shrink look for a shorter history that fails as well */
  check (terms: Terms, shrink?: boolean): Promise<Verdict>
}

/** Turns of the event loop are real, whatever clock a history puts in their place. */
const realImmediate = setImmediate
const realNow = performance.now.bind(performance)

/** Errors that nobody has caught, where the process notes them instead of ending. */
export const uncaught: unknown[] = []

/**
 * @param run one history; it throws where a promise is broken, and leaves nothing behind
 */
export function suiteOf<T> (
  name: string,
  histories: fc.Arbitrary<T>,
  run: (history: T) => Promise<void>
): Suite {
  const property = fc.asyncProperty(histories, async (history) => {
    await run(history)
    // Rejections that nobody handles come to light when the event loop goes on.
    await new Promise((resolve) => {
      realImmediate(resolve)
    })
    if (uncaught.length > 0) throw uncaught.splice(0)[0]
  })
  return {
    name,
    async check ({ runs, seed, path }, shrink = true) {
      const started = realNow()
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
        took: realNow() - started,
        failure: details.failed ? describe(name, details) : undefined,
        path: details.counterexamplePath
      }
    }
  }
}

function describe<T> (name: string, details: fc.RunDetails<[T]>): string {
  const { seed, counterexamplePath, numRuns, errorInstance, counterexample } = details
  return [
    `'${name}' does not hold: ${errorInstance instanceof Error ? errorInstance.stack : String(errorInstance)}`,
    `after ${numRuns} runs; again: FC_SEED=${seed} FC_PATH=${counterexamplePath} npm test -- test/properties/${name}.test.ts`,
    fc.stringify(counterexample)
  ].join('\n')
}

/** The histories of every push. */
const pushSeed = 20261125

/** `FC_RUNS`, `FC_SEED` and `FC_PATH`, where they are set. */
export function termsFromEnv (runs: number, env: NodeJS.ProcessEnv = process.env): Terms {
  return {
    runs: numberFrom('FC_RUNS', env) ?? runs,
    // A push is judged by its change and not by luck: who searches is the soak, and every run at home.
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
