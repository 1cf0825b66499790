import t from 'tap'
import { park } from './park.js'
import { termsFromEnv } from '../suite.js'

t.test('connections wait for a successor of their target, and lose only what is counted',
  async (t) => {
    const { failure, runs, seed } = await park.check(termsFromEnv(400))
    if (failure !== undefined) t.fail(failure)
    t.pass(`${runs} runs, seed ${seed}`)
  })
