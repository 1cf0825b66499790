import t from 'tap'
import { explain } from './explain.js'
import { termsFromEnv } from '../suite.js'

t.test('explains each end as a model that knows why it came', async t => {
  const { failure, runs, seed } = await explain.check(termsFromEnv(400))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
