// Runs the whole bench. bench/README.md explains its use.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { compare } from './compare.js'
import { measureFloods, measureStalls } from './events.js'
import { measureGrowth } from './growth.js'
import {
  comparisonSection,
  floodSection,
  goalSection,
  growthPlot,
  growthSection,
  page,
  sleepingSection,
  stallSection,
  timingSection
} from './page.js'
import { runInProcess } from './rig/generator.js'
import { benchFolder, describeMachine } from './rig/machine.js'
import { allowsRing, buildNative } from './rig/native.js'
import { installPeers } from './rig/peers.js'
import { byRing, scenarios, servers, type Scenario } from './scenarios.js'
import type { Results, Sleeping } from './results.js'
import type { Timed } from './process/timing.js'

const parts = ['compare', 'events', 'growth', 'process'] as const
const timed = ['hop', 'scheduler', 'frames', 'relations', 'names', 'groups', 'spawn']
/** Waiting processes, each after the same waiting code in the JavaScript engine alone. */
const asleep: ReadonlyArray<[what: string, engine: boolean]> = [
  ['a promise', true], ['serve', false],
  ['await of a promise', true], ['await serve', false], ['receive', false],
  ['for await of promises', true], ['for await', false]
]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: parts.join() },
    scenarios: { type: 'string', default: scenarios.map(({ name }) => name).join() },
    servers: { type: 'string', default: servers.map(({ name }) => name).join(';') },
    from: { type: 'string' },
    write: { type: 'boolean', default: false }
  }
})

function chosen<T> (all: readonly T[], names: string[], nameOf: (one: T) => string): T[] {
  for (const name of names) {
    if (!all.some((one) => nameOf(one) === name)) {
      throw new Error(`Not one of ${all.map(nameOf).join(', ')}: '${name}'`)
    }
  }
  return all.filter((one) => names.includes(nameOf(one)))
}

const { quick } = values
if (quick && values.write) {
  throw new Error('--quick is a look: it measures other things than the page says')
}
const rounds = quick ? 1 : Number(values.rounds)

/** A quick run: one round, in which the servers also warm up. */
function shortened (scenario: Scenario): Scenario {
  const { spec } = scenario
  switch (spec.kind) {
    case 'rooms': return { ...scenario, spec: { ...spec, warmup: 0.4, seconds: 0.3 } }
    case 'plain': return { ...scenario, atLeast: 1 }
    default:
      return {
        ...scenario, spec: { ...spec, connections: spec.kind === 'idle' ? 5000 : 2000 }
      }
  }
}

function print (section: string): void {
  console.log(`${section}\n`)
}

async function run (): Promise<Results> {
  const wanted = chosen(parts, values.only.split(','), String)
  let kinds = chosen(servers, values.servers.split(';'), ({ name }) => name)
  const compared = chosen(scenarios, values.scenarios.split(','), ({ name }) => name)
  installPeers()
  const isCompared = wanted.includes('compare') &&
    compared.some((scenario) => scenario.kinds === undefined)
  const needsNative = isCompared && kinds.some((kind) => kind.native !== undefined)
  if (needsNative && !buildNative()) kinds = kinds.filter((kind) => kind.native === undefined)
  const needsRing = isCompared && kinds.some(({ name }) => name === byRing)
  if (needsRing && !allowsRing()) kinds = kinds.filter(({ name }) => name !== byRing)
  const results: Results = { machine: describeMachine(), rounds }

  if (wanted.includes('compare')) {
    results.comparisons = []
    for (const scenario of compared) {
      const comparison = quick
        ? await compare(shortened(scenario), kinds, 1, 0)
        : await compare(scenario, kinds, rounds)
      results.comparisons.push(comparison)
      print(comparisonSection(comparison))
    }
  }
  if (wanted.includes('events')) {
    results.stalls = await measureStalls(10_000, Math.min(rounds, 3))
    print(stallSection(results.stalls))
    results.floods = await measureFloods(Math.min(rounds, 3))
    print(floodSection(results.floods))
  }
  if (wanted.includes('growth')) {
    results.growth = await measureGrowth(Math.min(rounds, 2), quick ? 0.3 : 0.6)
    print(growthSection(results.growth))
  }
  if (wanted.includes('process')) {
    results.timings = {}
    for (const name of timed) {
      results.timings[name] = await runInProcess<Timed[]>(name, {
        rounds,
        milliseconds: quick ? 30 : 100
      })
      print(timingSection(name, results.timings[name]))
    }
    results.sleeping = []
    for (const count of quick ? [100_000] : [100_000, 1_000_000]) {
      for (const [what, engine] of asleep) {
        const { heap, rss } = await runInProcess<Pick<Sleeping, 'heap' | 'rss'>>('sleeping', {
          count,
          what
        })
        results.sleeping.push({ count, what, engine, heap, rss })
      }
    }
    print(sleepingSection(results.sleeping))
  }
  return results
}

const results =
  values.from === undefined
    ? await run()
    : (JSON.parse(readFileSync(values.from, 'utf8')) as Results)
if (values.from === undefined) {
  const file = join(benchFolder, 'dist/results.json')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
}
print(goalSection(results))
if (values.write) {
  writeFileSync(join(benchFolder, 'README.md'), page(results))
  if (results.growth !== undefined) {
    writeFileSync(join(benchFolder, 'growth.svg'), growthPlot(results.growth))
  }
}
