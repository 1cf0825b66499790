import t from 'tap'
import { connections } from './connections.js'
import { termsFromEnv } from '../suite.js'

t.test('all processes see the same history of a connection', async t => {
  const { failure, runs, seed } = await connections.check(termsFromEnv(3000))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
