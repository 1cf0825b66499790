import t from 'tap'
import { closedByClient, closedByProcess, exited, linkFailed, lost, pingTimeout, targetExited, tooSlow, violated } from '../../lib/connection/close-reasons.js'
import type { CloseReason } from '../../lib/connection/close-reasons.js'

t.test('the table of endings', async t => {
  const none = undefined
  const gone = 'target process exited'
  const table: Array<[CloseReason, cause: string, code: number | undefined, told: string | undefined, reason: string, exit: string]> = [
    [closedByClient(4000, 'bye'), 'client', 4000, 'bye', 'bye', 'normal'],
    [closedByClient(1005, ''), 'client', none, '', 'client closed', 'normal'],
    [lost, 'lost', none, none, 'connection lost', 'connection_lost'],
    [pingTimeout, 'ping_timeout', none, none, 'ping timeout', 'ping_timeout'],
    [closedByProcess(4000, 'enough'), 'process', 4000, 'enough', 'enough', 'normal'],
    [targetExited('normal', true), 'target', 1000, gone, gone, 'normal'],
    [targetExited('shutdown', true), 'target', 1000, gone, gone, 'normal'],
    [targetExited('killed', true), 'target', 1011, gone, gone, 'target_down'],
    ...['normal', 'shutdown', 'killed', 'noconnection'].map((reason): typeof table[number] =>
      [targetExited(reason, false), 'target', 1013, gone, gone, 'target_down']),
    [violated(1009, 'message too large'), 'protocol', 1009, 'message too large', 'message too large', 'protocol_error'],
    [tooSlow, 'slow', 1013, 'client too slow', 'client too slow', 'slow_client'],
    [exited('shutdown'), 'shutdown', 1001, 'server shutting down', 'server shutting down', 'shutdown'],
    [exited('killed'), 'killed', none, none, 'killed', 'killed'],
    [exited('secret'), 'exit', 1011, 'closed by server', 'secret', 'secret'],
    [exited('normal'), 'exit', 1000, 'closed by server', 'normal', 'normal'],
    [linkFailed('killed'), 'exit', 1011, 'closed by server', 'killed', 'killed']
  ]
  for (const [closeReason, cause, code, frameReason, leaveReason, exitReason] of table) {
    t.strictSame(closeReason, { cause, code, frameReason, leaveReason, exitReason }, cause)
  }
})
