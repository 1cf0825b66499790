import t from 'tap'
import { notLocalError } from '../../lib/cluster/errors.js'

t.test('reports a remote PID as not alive, and any other value as an invalid PID', async (t) => {
  t.match(notLocalError('1@b.1'), { code: 'FST_PROCESS_NOT_ALIVE', message: /1@b\.1/ })
  for (const wrong of ['someone', 5, undefined]) {
    t.match(notLocalError(wrong), { code: 'FST_PROCESS_INVALID_PID' })
  }
})
