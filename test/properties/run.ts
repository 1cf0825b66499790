// Runs all property suites, or the given ones, with `FC_RUNS` histories each.
//   FC_RUNS=200000 npx tsx test/properties/run.ts [suite…]
// Prints the result of each suite. The exit code is 1 when a suite fails.
import { suites as mocked } from './all.js'
import { termsFromEnv } from './suite.js'
import { upgrades } from './connections/upgrades.js'

// A history of real sockets takes a second or two: run `upgrades` with a small FC_RUNS.
const suites = [...mocked, upgrades]

const named = process.argv.slice(2)
const unknown = named.filter((name) => !suites.some((suite) => suite.name === name))
if (unknown.length > 0) {
  throw new Error(
    `there is no suite '${unknown.join("', '")}', only ${suites.map(({ name }) => name).join(', ')}`
  )
}

const terms = termsFromEnv(200_000)
for (const suite of suites) {
  if (named.length > 0 && !named.includes(suite.name)) continue
  const { runs, seed, took, failure } = await suite.check(terms)
  console.log(
    `${suite.name}: ${runs} runs in ${Math.round(took / 1000)} s, ` +
      `seed ${seed}: ${failure ?? 'holds'}`
  )
  if (failure !== undefined) process.exitCode = 1
}
