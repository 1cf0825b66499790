import t from 'tap'
import { relations } from './relations.js'
import { termsFromEnv } from '../suite.js'

t.test('holds the guarantees for any order of operations between processes', async t => {
  const { failure, runs, seed } = await relations.check(termsFromEnv(3000))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
