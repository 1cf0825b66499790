import t from 'tap'
import { fuzzed, protocol } from './protocol.js'
import { termsFromEnv } from '../suite.js'

t.test('exactly what the schemas accept arrives, and each call is answered once', async (t) => {
  const { failure, runs, seed } = await protocol.check(termsFromEnv(200))
  if (failure !== undefined) t.fail(failure)
  t.comment(`${fuzzed.accepted} of ${fuzzed.messages} messages were accepted`)
  t.pass(`${runs} runs, seed ${seed}`)
})
