import t from 'tap'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../../program.js'
import { mutants } from './list.js'

/** The number of seeds to try for each mutant. One of them must fail. */
const seeds = 100

t.setTimeout(600_000)

t.test('the simulation catches a core with one rule left out', async (t) => {
  // Without tap's options for Node: the hunt loads mutated code, which must not count as covered.
  const hunt = join(root, 'test/cluster/mutants/hunt.ts')
  const { stdout } = await promisify(execFile)('env', [
    '-u',
    'NODE_OPTIONS',
    '-u',
    'NODE_V8_COVERAGE',
    process.execPath,
    '--import',
    'tsx',
    hunt,
    String(seeds)
  ])
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string, seeds: number, caught?: string })
  t.equal(lines.length, mutants.length)
  for (const { name, seeds, caught } of lines) {
    t.ok(caught, `${name}: caught by seed number ${seeds}`)
    t.comment(`${name}: ${seeds} seeds: ${caught ?? 'not caught'}`)
  }
})
