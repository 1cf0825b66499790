import t from 'tap'
import { closeCodes } from '../../lib/connection/close-codes.js'
import {
  closedByClient,
  closedByProcess,
  exited,
  linkFailed,
  targetExited,
  violated
} from '../../lib/connection/close-reasons.js'
import type { CloseReason } from '../../lib/connection/close-codes.js'

t.test('chooses cause, code and reasons for each event that ends a connection', async t => {
  const none = undefined
  const gone = 'target process exited'
  type Row = [
    CloseReason,
    cause: string,
    code: number | undefined,
    frameReason: string | undefined,
    leaveReason: string,
    exitReason: string
  ]
  const closing = 'server shutting down'
  const tooLarge = 'message too large'
  const table: Row[] = [
    [closedByClient(4000, 'bye'), 'client', 4000, 'bye', 'bye', 'normal'],
    [closedByClient(1005, ''), 'client', none, '', 'client closed', 'normal'],
    [closeCodes.lost, 'lost', none, none, 'connection lost', 'connection_lost'],
    [closeCodes.pingTimeout, 'ping_timeout', none, none, 'ping timeout', 'ping_timeout'],
    [closedByProcess(4000, 'enough'), 'process', 4000, 'enough', 'enough', 'normal'],
    [targetExited('normal', true), 'target', 1000, gone, gone, 'normal'],
    [targetExited('shutdown', true), 'target', 1000, gone, gone, 'normal'],
    [targetExited('killed', true), 'target', 1011, gone, gone, 'target_down'],
    ...['normal', 'shutdown', 'killed', 'noconnection'].map((reason): Row =>
      [targetExited(reason, false), 'target', 1013, gone, gone, 'target_down']),
    [violated(1009, tooLarge), 'protocol', 1009, tooLarge, tooLarge, 'protocol_error'],
    [closeCodes.clientTooSlow, 'slow', 1013, 'client too slow', 'client too slow', 'slow_client'],
    [exited('shutdown'), 'shutdown', 1001, closing, closing, 'shutdown'],
    [exited('killed'), 'killed', none, none, 'killed', 'killed'],
    [exited('secret'), 'exit', 1011, 'closed by server', 'secret', 'secret'],
    [exited('normal'), 'exit', 1000, 'closed by server', 'normal', 'normal'],
    [linkFailed('killed'), 'exit', 1011, 'closed by server', 'killed', 'killed']
  ]
  for (const [closeReason, cause, code, frameReason, leaveReason, exitReason] of table) {
    const { when, ...rest } = closeReason as CloseReason & { when: string }
    t.type(when, 'string')
    t.strictSame(rest, { cause, code, frameReason, leaveReason, exitReason }, cause)
  }
})
