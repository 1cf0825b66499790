import t from 'tap'
import { batches } from './batches.js'
import { termsFromEnv } from '../suite.js'

t.test('sends each client its own bytes with the native sender, in any order', async (t) => {
  const { failure, runs, seed } = await batches.check(termsFromEnv(300))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
