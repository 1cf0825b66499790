import t from 'tap'
import { connections } from './connections.js'
import { termsFromEnv } from './suite.js'

t.test('whatever happens to connections among processes, all are told one story', { timeout: 60_000 }, async t => {
  const { failure, runs, seed } = await connections.check(termsFromEnv(3000))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
