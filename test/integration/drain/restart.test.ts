import t from 'tap'
import { checkRestart } from './restart.js'

t.test('loses nothing of 100 clients when the server is drained and restarted', async (t) => {
  await checkRestart(t, {
    count: 100, drain: { over: '1s' }, closeTimeout: 2000, interval: 200
  })
})
