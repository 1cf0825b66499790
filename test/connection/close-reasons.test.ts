import t from 'tap'
import { closeCodes } from '../../lib/connection/close-codes.js'
import {
  closedByClient,
  closedByProcess,
  exited,
  linkFailed,
  replacesReason,
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
    clientReason: string | undefined,
    leaveReason: string,
    exitReason: string
  ]
  const closing = 'server shutting down'
  const tooLarge = 'message too large'
  const table: Row[] = [
    [closedByClient(4000, 'bye'), 'client', 4000, 'bye', 'bye', 'normal'],
    [closedByClient(undefined, ''), 'client', none, '', 'client closed', 'normal'],
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
    [exited('killed', undefined, true), 'killed', none, none, 'killed', 'killed'],
    [exited('killed'), 'exit', 1011, 'closed by server', 'killed', 'killed'],
    [exited('secret'), 'exit', 1011, 'closed by server', 'secret', 'secret'],
    [exited('normal'), 'exit', 1000, 'closed by server', 'normal', 'normal'],
    [linkFailed('killed'), 'exit', 1011, 'closed by server', 'killed', 'killed']
  ]
  for (const [closeReason, cause, code, clientReason, leaveReason, exitReason] of table) {
    const { when, ...rest } = closeReason as CloseReason & { when: string }
    t.type(when, 'string')
    t.strictSame(rest, { cause, code, clientReason, leaveReason, exitReason }, cause)
  }
})

t.test('replaces a reason by a kill, and a lost client by its own close', async t => {
  const { lost, killed, pingTimeout, shutdown } = closeCodes
  const closed = closedByClient(1000, '')
  const broken = violated(1002, 'protocol error')
  for (const [first, later, isReplaced] of [
    [lost, closed, true],
    [lost, broken, true],
    [lost, killed, true],
    [shutdown, killed, true],
    [lost, lost, false],
    [lost, pingTimeout, false],
    [lost, shutdown, false],
    [shutdown, closed, false],
    [pingTimeout, closed, false]
  ] as const) t.equal(replacesReason(later, first), isReplaced, `${later.cause} after ${first.cause}`)
})
