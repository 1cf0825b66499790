import t from 'tap'
import { termsFromEnv } from './suite.js'
import { wire } from './wire.js'

t.test(
  'what a client writes is understood however it is cut, up to the first violation',
  async (t) => {
    const { failure, runs, seed } = await wire.check(termsFromEnv(3000))
    if (failure !== undefined) t.fail(failure)
    t.pass(`${runs} runs, seed ${seed}`)
  }
)
