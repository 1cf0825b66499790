import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Section } from './report.js'

/** A suite of `npm test` that can be run for longer. */
interface Suite { title: string, about: string, files: readonly string[], environment: Record<string, string> }

const all: readonly Suite[] = [
  { title: 'Properties', about: 'Random histories of processes and connections, beside a model.', files: ['test/process/properties.test.ts', 'test/integration/connection/model.test.ts'], environment: { FC_RUNS: '200000' } },
  { title: 'Mutants', about: 'Faults put into the sources: each is found.', files: ['test/mutants'], environment: {} },
  { title: 'Cluster simulation', about: 'Nodes on a simulated network, by seed.', files: ['test/cluster/simulation.test.ts'], environment: { CLUSTER_SEEDS: '20000' } }
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
    const child = spawn('npx', args, { cwd: root, env: { ...process.env, ...environment }, stdio: ['ignore', 'ignore', 'inherit'], timeout: patience })
    const [code, signal] = await once(child, 'exit')
    section.equal(`\`${settings}npx ${args.join(' ')}\` finds nothing`, { code, signal }, { code: 0, signal: null })
    yield section
  }
}
