import t from 'tap'
import { termsFromEnv } from '../suite.js'
import { clientSessions } from './sessions.js'

t.test('delivers every message once and in order, however sockets end', async (t) => {
  const { failure, runs, seed } = await clientSessions.check(termsFromEnv(1000))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
