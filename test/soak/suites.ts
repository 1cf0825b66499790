import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Section } from './report.js'

/** A suite of `npm test` that can be run for longer. */
interface Suite { title: string, about: string, files: readonly string[], environment: Record<string, string> }

const all: readonly Suite[] = [
  {
    title: 'Properties',
    about: 'Random histories, beside a model of what is promised.',
    files: ['test/properties', 'test/process/properties.test.ts'],
    environment: { FC_RUNS: '200000' }
  },
  { title: 'Mutants', about: 'Faults put into the sources on purpose: each is found.', files: ['test/mutants'], environment: {} },
  { title: 'Cluster simulation', about: 'Nodes on a simulated network, by seed.', files: ['test/cluster'], environment: { CLUSTER_SEEDS: '20000' } }
]

/** Milliseconds after which a suite has failed. */
const patience = 60 * 60_000
// From dist/test/soak.
const root = join(import.meta.dirname, '../../../../..')

/** Runs the long forms of the suites, one after the other; those that this checkout has. */
export async function * suites (): AsyncGenerator<Section> {
  for (const { title, about, files, environment } of all) {
    const there = files.filter((file) => existsSync(join(root, file)))
    if (there.length === 0) continue
    const section = new Section(title, about)
    const settings = Object.entries(environment).map(([name, value]) => `${name}=${value} `).join('')
    const args = ['tap', '--disable-coverage', '--jobs=1', '--timeout=0', ...there]
    // What it prints, with the seed of a failure, goes to the terminal; the report has its figures.
    const child = spawn('npx', args, { cwd: root, env: { ...process.env, ...environment }, stdio: ['ignore', 2, 2], timeout: patience })
    const [code, signal] = await once(child, 'exit') as [number | null, string | null]
    section.holds(`\`${settings}npx ${args.join(' ')}\` finds nothing`, code === 0, [`exit code ${code ?? signal}`, ...figures()].join('; '))
    yield section
  }
}

/** Tests whose name tells how much they have tried. */
function figures (): string[] {
  const lines = readFileSync(join(root, '.tap/results.tap'), 'utf8').split('\n')
  return lines.flatMap((line) => /^ *ok \d+ - (.*\b\d+ (?:runs|seeds|mutants|cases)\b.*?)(?: #.*)?$/.exec(line)?.[1] ?? [])
}
