import t from 'tap'
import { closeCodes } from '../../lib/connection/close-codes.js'
import { closedByClient, closedByProcess } from '../../lib/connection/close-reasons.js'
import { ConnectionCounters } from '../../lib/connection/counters.js'
import type { CloseReason } from '../../lib/connection/close-codes.js'
import type { Pid } from '../../types/pid.js'

const pid = '1@local.1' as Pid
const target = '2@local.1' as Pid

function counters (): { counters: ConnectionCounters, close: (reason: CloseReason) => void } {
  const counters = new ConnectionCounters('local')
  const connection = { pid, describe: () => ({ target, uptime: 0 }) }
  return {
    counters,
    close (reason) {
      counters.connectionOpened(pid, target)
      counters.connectionClosed(connection, reason)
    }
  }
}

t.test('counts open and closed connections, and transfers', async (t) => {
  const { counters: counted, close } = counters()
  counted.connectionOpened(pid, target)
  counted.connectionTransferred(pid, target, pid)
  close(closeCodes.lost)
  t.equal(counted.opened, 2)
  t.equal(counted.open, 1)
  t.equal(counted.closed, 1)
  t.equal(counted.transferred, 1)
})

t.test('counts closes by cause and code', async (t) => {
  const { counters: counted, close } = counters()
  for (let i = 0; i < 3; i++) close(closeCodes.lost)
  close(closedByClient(undefined, ''))
  close(closedByClient(1001, 'going away'))
  close(closedByProcess(4000, 'bye'))
  close(closedByProcess(4000, 'see you'))
  t.strictSame(counted.closedBy, [
    { cause: 'lost', code: undefined, times: 3 },
    { cause: 'client', code: undefined, times: 1 },
    { cause: 'client', code: 1001, times: 1 },
    { cause: 'process', code: 4000, times: 2 }
  ])
})

t.test('counts further codes of clients as `other`, and those of processes apart', async (t) => {
  const { counters: counted, close } = counters()
  for (let code = 4000; code < 4200; code++) close(closedByClient(code, ''))
  close(closedByClient(4000, ''))
  close(closedByProcess(4500, ''))
  const { closedBy } = counted
  t.equal(closedBy.length, 102)
  t.match(closedBy[0], { cause: 'client', code: 4000, times: 2 })
  t.strictSame(closedBy.slice(-2), [
    { cause: 'client', code: 'other', times: 100 },
    { cause: 'process', code: 4500, times: 1 }
  ])
})
