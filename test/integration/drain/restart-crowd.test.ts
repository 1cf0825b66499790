// With `npm run test:long`: `test/integration/drain/restart.test.ts` has a small crowd.
import t from 'tap'
import { checkRestart } from './restart.js'

t.test('loses nothing of 2000 clients when the server is drained and restarted', async (t) => {
  await checkRestart(t, {
    count: 2000, drain: { over: '10s' }, closeTimeout: 5000, interval: 1000
  })
})
