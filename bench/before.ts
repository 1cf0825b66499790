// Measures this tree and an earlier revision in pairs, to find the cost of a change.
//   npm run bench:before -- main~20
//   npm run bench:before -- v0.1.0 --rounds 15 --scenarios echo,storm --modes serve --benches hop
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { compare, figures, type Comparison, type Measurement } from './compare.js'
import { runInProcess } from './rig/generator.js'
import { benchFolder, compiledFolder } from './rig/machine.js'
import { table } from './rig/markdown.js'
import { pairedRatio, showInterval, type Interval } from './rig/statistics.js'
import { scenarios } from './scenarios.js'
import type { ServerKind } from './rig/server.js'
import type { Timed } from './process/timing.js'

const benches = ['hop', 'scheduler', 'frames', 'relations', 'names', 'groups', 'spawn']

const { values, positionals: [revision] } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '15' },
    scenarios: { type: 'string', default: scenarios.map(({ name }) => name).join() },
    modes: { type: 'string', default: 'serve,loop,broadcast' },
    benches: { type: 'string', default: benches.join() }
  }
})
if (revision === undefined) {
  throw new Error('Name the earlier revision: npm run bench:before -- main~20')
}
const rounds = Number(values.rounds)

/** Checks the revision out in an ignored folder, and compiles it with today's packages. */
function compileRevision (): string {
  const root = join(benchFolder, '..')
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, maxBuffer: 2 ** 28 })
  const commit = git('rev-parse', '--short', `${revision}^{commit}`).toString().trim()
  const folder = join(root, 'node_modules', '.cache', 'bench-before', commit)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  execFileSync('tar', ['-x', '-C', folder], { input: git('archive', commit) })
  execFileSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'bench/tsconfig.json'],
    { cwd: folder, stdio: 'inherit' }
  )
  console.log(
    `Now beside ${commit}: ` +
      git('log', '-1', '--format=%s (%ad)', '--date=short', commit).toString().trim()
  )
  return join(folder, 'bench/dist/bench')
}

function row (name: string, ratio: Interval | undefined): string[] {
  if (ratio === undefined) return [name, 'failed', '', '']
  const verdict =
    ratio.low <= 1 && ratio.high >= 1 ? '1.00 is inside' : ratio.median < 1 ? 'better' : 'worse'
  return [name, showInterval(ratio), String(ratio.pairs), verdict]
}

/**
 * Both revisions are servers of one comparison, so that each round measures one after the other.
 */
async function compareServers (before: string): Promise<void> {
  const modes = values.modes.split(',')
  for (const name of values.scenarios.split(',').filter(Boolean)) {
    const scenario = scenarios.find((one) => one.name === name)
    if (scenario === undefined) throw new Error(`No scenario has the name '${name}'`)
    const kinds = modes.flatMap((mode): ServerKind[] => [
      {
        name: `before, ${mode}`,
        file: join(before, 'servers/ours.js'),
        argument: mode,
        protocol: 'ws'
      },
      {
        name: `now, ${mode}`,
        file: join(compiledFolder, 'servers/ours.js'),
        argument: mode,
        protocol: 'ws'
      }
    ])
    const names = {
      serve: 'ours, serve',
      loop: 'ours, for await',
      broadcast: 'ours, broadcast'
    } as Record<string, string>
    const left = modes.filter((mode) => scenario.without?.includes(names[mode]) !== true)
    const wanted = kinds.filter(({ argument }) => left.includes(argument!))
    const comparison = await compare({ ...scenario, without: [], rounds }, wanted, rounds)
    const measured: Array<keyof Measurement> = name === 'idle' ? ['rss', 'heap'] : ['cpuPerUnit']
    console.log(
      table(
        ['now / before', 'ratio', 'pairs', ''],
        left.flatMap((mode) =>
          measured.map((figure) =>
            row(`${name}, ${mode}, ${figure}`, ratioOf(comparison, mode, figure))
          )
        )
      )
    )
    for (const problem of comparison.problems) console.log(`A measurement failed: ${problem}`)
  }
}

function ratioOf (
  comparison: Comparison,
  mode: string,
  figure: keyof Measurement
): Interval | undefined {
  return pairedRatio(
    figures(comparison, `now, ${mode}`, figure),
    figures(comparison, `before, ${mode}`, figure)
  )
}

/** Each pair is two processes. They take turns in being the first. */
async function compareBenches (before: string): Promise<void> {
  for (const bench of values.benches.split(',').filter(Boolean)) {
    const results: Record<'now' | 'before', Timed[][]> = { now: [], before: [] }
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? ['before', 'now'] as const : ['now', 'before'] as const
      for (const which of order) {
        const folder = which === 'now' ? compiledFolder : before
        results[which].push(
          await runInProcess<Timed[]>(bench, { rounds: 1, milliseconds: 50 }, folder)
        )
      }
    }
    const names = results.now[0].map(({ name }) => name)
    const nanoseconds = (which: 'now' | 'before', name: string) =>
      results[which].map((timed) => timed.find((one) => one.name === name)?.nanoseconds[0])
    console.log(
      table(
        ['now / before', 'ratio', 'pairs', ''],
        names.map((name) =>
          row(
            `${bench}: ${name}`,
            pairedRatio(nanoseconds('now', name), nanoseconds('before', name))
          )
        )
      )
    )
  }
}

const before = compileRevision()
console.log(
  `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.version}, ` +
    `load ${loadavg()[0].toFixed(2)} at the start`
)
console.log(
  'Ratios of server CPU, nanoseconds or bytes; below 1 is better. ' +
    'The median of the pairs, with its interval of at least 95 %.'
)
await compareServers(before)
await compareBenches(before)
