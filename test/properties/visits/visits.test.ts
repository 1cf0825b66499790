import t from 'tap'
import { visits } from './visits.js'
import { termsFromEnv } from '../suite.js'

t.test('clients of keys lose only what the end of a process takes with it', async (t) => {
  const { failure, runs, seed } = await visits.check(termsFromEnv(300))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
