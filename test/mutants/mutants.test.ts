// Tests of the tests: each mutant of `all.ts` is put into `lib/` when it is loaded, and must be
// caught by a property suite. A mutant that survives shows a gap in the suites.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../program.js'
import { suites } from '../properties/all.js'
import { mutants } from './all.js'
import type { Test } from 'tap'
import type { Outcome } from './mutant.js'

const here = (name: string): string => join(root, 'test/mutants', name)

/** The number of parallel processes. `npm run test:long` uses the other cores. */
const children = 1

type Line = Outcome | { begins: string } | { failed: string, why: string }

/**
 * Runs some of the mutants in one process. `env -u` removes the loaders and the coverage that tap
 * passes to every child process: mutated code must not count as covered.
 */
async function run (t: Test, shard: number): Promise<Line[]> {
  const child = spawn(
    'env',
    [
      '-u',
      'NODE_OPTIONS',
      '-u',
      'NODE_V8_COVERAGE',
      process.execPath,
      '--import',
      here('loader.mjs'),
      here('run.ts'),
      String(shard),
      String(children)
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] }
  )
  t.teardown(() => child.kill('SIGKILL'))
  const exit = once(child, 'exit')
  const lines: Line[] = []
  let last = ''
  for await (const text of createInterface(child.stdout)) {
    const line = JSON.parse(text) as Line
    if ('begins' in line) last = line.begins
    else lines.push(line)
  }
  t.strictSame(await exit, [0, null], `the child ended behind '${last}'`)
  return lines
}

t.test('is caught by a suite that passes without the mutant', async t => {
  const lines = (
    await Promise.all(Array.from({ length: children }, (_, shard) => run(t, shard)))
  ).flat()
  const survivors: string[] = []
  let caught = 0
  let held = 0
  for (const line of lines) {
    if ('begins' in line) continue
    if ('failed' in line) {
      t.fail(`${line.failed}: ${line.why}`)
      continue
    }
    const { mutant, suite, runs, how } = line
    if (mutant === undefined) {
      if (line.caught) t.fail(`without a mutant: ${how}`)
      else held++
    } else if (line.caught) {
      caught++
      t.comment(`${mutant}: caught by ${suite} after ${runs} runs`)
    } else survivors.push(`${mutant}: survived ${runs} runs of ${suite}`)
  }
  t.strictSame(survivors, [], 'no mutant survives')
  t.equal(held, suites.length, 'every suite holds without one')
  t.equal(caught, mutants.length)
})
