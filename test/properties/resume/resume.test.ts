import t from 'tap'
import { resume } from './resume.js'
import { termsFromEnv } from '../suite.js'

t.test('clients and targets get each message once, over any number of sockets', async (t) => {
  const { failure, runs, seed } = await resume.check(termsFromEnv(3000))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
