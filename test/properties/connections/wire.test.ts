import t from 'tap'
import { termsFromEnv } from '../suite.js'
import { wire } from './wire.js'

t.test('reads client bytes split at any place, up to the first violation', async (t) => {
  const { failure, runs, seed } = await wire.check(termsFromEnv(3000))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
