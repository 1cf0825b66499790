import t from 'tap'
import { maxUnflushed } from '../../../../lib/cluster/engines/session/session.js'

t.test('allows unflushed bytes for at least two full windows', async (t) => {
  t.ok(maxUnflushed >= 2 * 8 * 1024 * 1024)
})
