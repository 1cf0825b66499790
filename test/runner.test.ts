// The runner of this suite has to fail when a test fails.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { root } from './program.js'

const reporter = pathToFileURL(join(root, 'scripts/tap-reporter.mjs')).href

/** The exit code of a run whose output is `output`. @throws if it fails for another reason */
function exitCodeAfter (t: Test, output: string): number | null {
  const cwd = t.testdir({
    'run.mjs': `
      import TapReporter from ${JSON.stringify(reporter)}
      const reporter = new TapReporter()
      reporter.resume()
      reporter.write(${JSON.stringify(output)})
    `
  })
  const { status, stderr } = spawnSync(process.execPath, ['run.mjs'], { cwd, encoding: 'utf8' })
  if (stderr !== '') throw new Error(stderr)
  return status
}

t.test('exits with 0 when all tests passed', async (t) => {
  t.equal(exitCodeAfter(t, 'ok 1 - a\n1..1\n# { total: 1, pass: 1 }\n'), 0)
})

t.test('exits with 1 when a test failed', async (t) => {
  t.equal(exitCodeAfter(t, 'not ok 1 - a\n1..1\n# { total: 1, pass: 0, fail: 1 }\n'), 1)
})

t.test('exits with 1 when the run ended before its totals', async (t) => {
  t.equal(exitCodeAfter(t, 'ok 1 - a\n'), 1)
})
