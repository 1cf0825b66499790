import t from 'tap'
import { calls } from './calls.js'
import { termsFromEnv } from './suite.js'

t.test('calls, receives and timers end by what comes first, once, and leave nothing behind', { timeout: 60_000 }, async t => {
  const { failure, runs, seed } = await calls.check(termsFromEnv(3000))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
