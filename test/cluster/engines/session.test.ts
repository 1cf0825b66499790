import t from 'tap'
import { maxUnflushed } from '../../../lib/cluster/engines/session.js'

t.test('the engine is sent at least the windows of two peers before it has seen any of it', async (t) => {
  t.ok(maxUnflushed >= 2 * 8 * 1024 * 1024)
})
