import t from 'tap'
import { names } from './names.js'
import { termsFromEnv } from '../suite.js'

t.test('a healthy node loses no name and counts no fence while names come and go', async (t) => {
  const { failure, runs, seed } = await names.check(termsFromEnv(300))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
