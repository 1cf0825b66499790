// Runs every n-th mutant and prints each result as a line of JSON.
//   node --import ./test/mutants/loader.mjs test/mutants/run.ts 0 1 [name]
import { mutants } from './all.js'
import { queryOf } from './mutant.js'
import type { Mutant, Outcome } from './mutant.js'

/** The same histories in each run, so that the results are the same. */
const seed = 20261125
/** The number of histories in which a mutant must be caught. */
const mostRuns = 4000
/** The number of histories that must pass without a mutant. `test/properties` runs more. */
const controlRuns = 400

/** The modules of one mutant. */
type Suites = typeof import('../properties/all.js')
type Uncaught = typeof import('../properties/suite.js')

let uncaught: unknown[] = []
process.on('uncaughtException', (err) => { uncaught.push(err) })
process.on('unhandledRejection', (err) => { uncaught.push(err) })

async function outcomes (mutant: Mutant | undefined, names: readonly string[]): Promise<Outcome[]> {
  const query = queryOf(mutant)
  const all: Outcome[] = []
  uncaught = (await import(`../properties/suite.js${query}`) as Uncaught).uncaught
  const { suites } = await import(`../properties/all.js${query}`) as Suites
  for (const name of names) {
    const suite = suites.find((one) => one.name === name)
    if (suite === undefined) throw new Error(`there is no suite '${name}'`)
    const { runs, took, failure } = await suite.check(
      { runs: mutant === undefined ? controlRuns : mostRuns, seed },
      false
    )
    const caught = failure !== undefined
    all.push({
      mutant: mutant?.name,
      suite: name,
      runs,
      took,
      caught,
      how: failure?.split('\n')[0] ?? ''
    })
    if (caught && mutant !== undefined) return all.slice(-1)
  }
  return mutant === undefined ? all : all.slice(-1)
}

function print (value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

const [shard, of] = process.argv.slice(2, 4).map(Number)
const wanted = process.argv[4]
const { suites } = await import('../properties/all.js')
// Every suite must pass without a mutant: otherwise a caught mutant proves nothing.
const controls = wanted === undefined ? suites.map(({ name }) => [undefined, [name]] as const) : []
const work = [...controls, ...mutants.map((mutant) => [mutant, mutant.suites] as const)]
for (const [i, [mutant, names]] of work.entries()) {
  if (i % of !== shard || (wanted !== undefined && mutant?.name.includes(wanted) !== true)) continue
  print({ begins: mutant?.name ?? names[0] })
  try {
    for (const outcome of await outcomes(mutant, names)) print(outcome)
  } catch (err) {
    print({ failed: mutant?.name ?? names[0], why: String(err) })
  }
}
// A mutant may have left a timer behind.
process.stdout.write('', () => { process.exit(0) })
