import t from 'tap'
import { notHere } from '../../lib/cluster/not-here.js'

t.test('a PID is not alive here; anything else is none', async (t) => {
  t.match(notHere('1@b.1'), { code: 'FST_PROCESS_NOT_ALIVE', message: /1@b\.1/ })
  for (const wrong of ['someone', 5, undefined]) t.match(notHere(wrong), { code: 'FST_PROCESS_INVALID_PID' })
})
