import t from 'tap'
import { answerTimeout, dialTimeout, mostUnflushed, pingInterval } from '../../../lib/cluster/transports/session.js'

/** Milliseconds of silence after which the other nodes take this one for down. */
const downTime = 8000

t.test('a connection that answers nothing is found out, and another one tried, before the node is taken for down', async (t) => {
  t.ok(3 * pingInterval < downTime)
  t.ok(dialTimeout + answerTimeout < downTime)
  t.ok(mostUnflushed >= 2 * 8 * 1024 * 1024, 'the windows of two peers')
})
