import t from 'tap'
import { fanOut } from './fan-out.js'
import { termsFromEnv } from './suite.js'

t.test(
  'a receiver on another node gets its messages in order, or is told of each that it misses',
  async (t) => {
    const { failure, runs, seed } = await fanOut.check(termsFromEnv(150))
    if (failure !== undefined) t.fail(failure)
    t.pass(`${runs} runs, seed ${seed}`)
  }
)
