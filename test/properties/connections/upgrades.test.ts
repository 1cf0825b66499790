import t from 'tap'
import { termsFromEnv } from '../suite.js'
import { upgrades } from './upgrades.js'

/**
 * One history runs a hundred sockets in real time. It counts as this many histories of a manual
 * clock.
 */
const weight = 1000

t.test(
  'ends every upgrade socket in time, and leaves other sockets as plain Fastify does',
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
