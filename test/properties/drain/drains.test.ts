import t from 'tap'
import { termsFromEnv } from '../suite.js'
import { drains } from './drains.js'

t.test('closes each connection in its turn, whatever else happens', async (t) => {
  const { failure, runs, seed } = await drains.check(termsFromEnv(1000))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
