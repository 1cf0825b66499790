import t from 'tap'
import { limited } from './limits.js'
import { termsFromEnv } from '../suite.js'

t.test('a client sends no faster than its limit, and lives until its end', async (t) => {
  const { failure, runs, seed } = await limited.check(termsFromEnv(100))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
