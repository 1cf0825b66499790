import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Section } from './report.js'

/** A suite of `npm test` that can be run for longer. */
interface Suite {
  title: string
  about: string
  files: readonly string[]
  environment: Record<string, string>
}

// From dist/test/soak.
const root = join(import.meta.dirname, '../../../../..')

const all: readonly Suite[] = [
  {
    title: 'Properties',
    about: 'Random histories, beside a model of what is promised.',
    files: testsIn('test/properties'),
    environment: { FC_RUNS: '200000' }
  },
  {
    title: 'Many nodes',
    about:
      'Simulated clusters: nodes that stall, die and are cut off, engines that lose and reorder.',
    files: ['test/cluster/simulation/simulation.test.ts'],
    environment: { CLUSTER_SEEDS: '20000' }
  },
  {
    title: 'Mutants',
    about: 'Faults put into the sources on purpose: each is found.',
    files: testsIn('test/mutants'),
    environment: {}
  }
]

/** Milliseconds after which a suite has failed. */
const patience = 60 * 60_000

/** Runs the long forms of the suites, one after the other. */
export async function * suites (): AsyncGenerator<Section> {
  for (const { title, about, files, environment } of all) {
    const section = new Section(title, about)
    const settings = Object.entries(environment)
      .map(([name, value]) => `${name}=${value} `)
      .join('')
    const args = ['--jobs=1', '--timeout=0', ...files]
    // The output, with the seed of a failure, goes to the terminal; the report has its figures.
    const child = spawn(process.execPath, ['scripts/test.mjs', ...args], {
      cwd: root, env: { ...process.env, ...environment }, stdio: ['ignore', 2, 2], timeout: patience
    })
    const [code, signal] = await once(child, 'exit') as [number | null, string | null]
    const command = `${settings}npm test -- ${args.join(' ')}`
    section.holds(
      `\`${command}\` finds nothing`,
      code === 0,
      [`exit code ${code ?? signal}`, ...figures()].join('; ')
    )
    yield section
  }
}

/** The test files of a folder. */
function testsIn (folder: string): string[] {
  return readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => `${folder}/${file}`)
}

/** Tests whose name tells how much they have tried. */
function figures (): string[] {
  const lines = readFileSync(join(root, '.tap/results.tap'), 'utf8').split('\n')
  return lines.flatMap(
    (line) =>
      /^ *ok \d+ - (.*\b\d+ (?:runs|seeds|mutants|cases)\b.*?)(?: #.*)?$/.exec(line)?.[1] ?? []
  )
}
