import t from 'tap'
import { fanOut } from './fan-out.js'
import { termsFromEnv } from '../suite.js'

t.test(
  'a remote receiver gets its messages in order, or is notified of each missed one',
  async (t) => {
    const { failure, runs, seed } = await fanOut.check(termsFromEnv(150))
    if (failure !== undefined) t.fail(failure)
    t.pass(`${runs} runs, seed ${seed}`)
  }
)
