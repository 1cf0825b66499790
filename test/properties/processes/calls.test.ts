import t from 'tap'
import { calls } from './calls.js'
import { termsFromEnv } from '../suite.js'

t.test('settles calls, receives and timers once, and leaves nothing behind', async t => {
  const { failure, runs, seed } = await calls.check(termsFromEnv(3000))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
