import t from 'tap'
import { warnings } from './warnings.js'
import { termsFromEnv } from '../suite.js'

t.test('logs each warning once, within its limits, for any order and pace', async t => {
  const { failure, runs, seed } = await warnings.check(termsFromEnv(300))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
