import t from 'tap'
import { keys } from './keys.js'
import { termsFromEnv } from '../suite.js'

t.test('lets at most one instance of a key take mail, and keeps nothing of it', async t => {
  const { failure, runs, seed } = await keys.check(termsFromEnv(500))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
