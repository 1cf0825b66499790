import t from 'tap'
import { relations } from './relations.js'
import { termsFromEnv } from './suite.js'

t.test('whatever processes do to each other, in whatever order, the guarantees hold', { timeout: 60_000 }, async t => {
  const { failure, runs, seed } = await relations.check(termsFromEnv(3000))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
