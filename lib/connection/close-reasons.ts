// Makes a close reason from a row of the close-code table, where the event brings a part of it: a
// code, a text, the exit reason of the target. `Connection` and `BoundClient` take the other rows
// as they are.
import { isOrderly } from '../process/exits/exit-signals.js'
import { closeCodes } from './close-codes.js'
import type { CloseReason } from './close-codes.js'
import type { Pid } from '../../types/pid.js'

/** @param code undefined where the client gave none */
export function closedByClient (code: number | undefined, reason: string): CloseReason {
  const row = closeCodes.closedByClient
  return {
    ...row,
    code,
    clientReason: reason,
    leaveReason: reason === '' ? row.leaveReason : reason
  }
}

/** A process sent `ws.close`. @param by undefined for code outside a process */
export function closedByProcess (code: number, reason: string, by?: Pid): CloseReason {
  const row = { ...closeCodes.closedByProcess, code, clientReason: reason, leaveReason: reason }
  return by === undefined ? row : { ...row, by }
}

/** The client broke the protocol or a limit. */
export function violated (code: number, reason: string): CloseReason {
  return { ...closeCodes.violated, code, clientReason: reason, leaveReason: reason }
}

/** The client sent a message that its protocol refuses. @param code 1007 or 1008 */
export function invalidMessage (code: number): CloseReason {
  return { ...closeCodes.invalidMessage, code }
}

/** @param tookJoin whether the target took the `ws.join` of this client before it ended */
export function targetExited (reason: string, tookJoin: boolean): CloseReason {
  // The target has done nothing for this client yet, so the client may connect again.
  if (!tookJoin) return closeCodes.targetMissedJoin
  return isOrderly(reason) ? closeCodes.targetExited : closeCodes.targetFailed
}

/** @param because the linked process */
export function linkFailed (reason: string, because?: Pid): CloseReason {
  const row = { ...closeCodes.exited, leaveReason: reason, exitReason: reason }
  return because === undefined ? row : { ...row, because }
}

/**
 * The PID was ended by `exit`, `cancel` or the closing server.
 * @param by the process that called `exit` or `cancel`, if one did
 * @param isKilled by `exit(pid, 'kill')`
 */
export function exited (reason: string, by?: Pid, isKilled = false): CloseReason {
  const row = isKilled ? closeCodes.killed : exitRow(reason)
  return by === undefined ? row : { ...row, by }
}

function exitRow (reason: string): CloseReason {
  if (reason === 'shutdown') return closeCodes.shutdown
  if (reason === 'normal') return closeCodes.exitedNormally
  return linkFailed(reason)
}

/**
 * Whether a later reason of a connection that is ending replaces the first one. `killed` does. So
 * does the client's own end after `lost`, because it was read before the loss was noticed.
 */
export function replacesReason (later: CloseReason, first: CloseReason): boolean {
  if (later.cause === 'killed') return true
  return first.cause === 'lost' && (later.cause === 'client' || later.cause === 'protocol')
}
