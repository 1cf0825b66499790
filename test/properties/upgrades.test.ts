import t from 'tap'
import { termsFromEnv } from './suite.js'
import { upgrades } from './upgrades.js'

t.test('every socket with an upgrade is gone in time, and those without one are as on plain Fastify', async (t) => {
  const { failure, runs, seed } = await upgrades.check(termsFromEnv(2), false)
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
