import t from 'tap'
import { termsFromEnv } from './suite.js'
import { upgrades } from './upgrades.js'

/** One history plays a hundred sockets in real time: it stands for so many of those on a mocked clock. */
const weight = 1000

t.test(
  'every socket with an upgrade is gone in time, and those without one are as on plain Fastify',
  async (t) => {
    const terms = termsFromEnv(2 * weight)
    const { failure, runs, seed } = await upgrades.check(
      { ...terms, runs: Math.ceil(terms.runs / weight) },
      false
    )
    if (failure !== undefined) t.fail(failure)
    t.pass(`${runs} runs, seed ${seed}`)
  }
)
