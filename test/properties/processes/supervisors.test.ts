import t from 'tap'
import { supervisors } from './supervisors.js'
import { termsFromEnv } from '../suite.js'

t.test('restarts, stops and gives up as the strategy requires', async t => {
  const { failure, runs, seed } = await supervisors.check(termsFromEnv(3000))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
