import t from 'tap'
import { supervisors } from './supervisors.js'
import { termsFromEnv } from './suite.js'

t.test('supervisors restart, stop and give up as their strategy says', { timeout: 60_000 }, async t => {
  const { failure, runs, seed } = await supervisors.check(termsFromEnv(3000))
  if (failure !== undefined) t.fail(failure)
  t.pass(`${runs} runs, seed ${seed}`)
})
