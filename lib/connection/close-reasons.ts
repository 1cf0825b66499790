import { isOrderly } from '../process/runtime.js'
import { noCode } from '../websocket/frames.js'
import type { ViolationCode } from '../websocket/parser.js'
import type { LeaveCause } from '../../types/messages.js'

/** How a connection ends, in all the places that are told of it: a row of the README, "Close codes". */
export interface CloseReason {
  readonly cause: LeaveCause
  /** The code the client sees or sent; undefined where there is none. */
  readonly code: number | undefined
  /** What `ws.leave` says. */
  readonly reason: string
  /** What the PID's watchers are told. */
  readonly exit: string
  /** What the close frame says; undefined: there is none, and the socket is cut. */
  readonly told: string | undefined
}

export const lost: CloseReason = { cause: 'lost', code: undefined, reason: 'connection lost', exit: 'connection_lost', told: undefined }

export const pingTimeout: CloseReason = { cause: 'ping_timeout', code: undefined, reason: 'ping timeout', exit: 'ping_timeout', told: undefined }

export const tooSlow: CloseReason = { cause: 'slow', code: 1013, reason: 'client too slow', exit: 'slow_client', told: 'client too slow' }

/** Messages from another node were refused or lost on their way. */
export const missedMessages: CloseReason = { cause: 'slow', code: 1013, reason: 'messages missed', exit: 'slow_client', told: 'messages missed' }

const shutdown: CloseReason = { cause: 'shutdown', code: 1001, reason: 'server shutting down', exit: 'shutdown', told: 'server shutting down' }

const killed: CloseReason = { cause: 'killed', code: undefined, reason: 'killed', exit: 'killed', told: undefined }

/** The client has sent a close frame: its code and reason come back, 1005 standing for no code. */
export function closedByClient (code: number, reason: string): CloseReason {
  return { cause: 'client', code: code === noCode ? undefined : code, reason: reason === '' ? 'client closed' : reason, exit: 'normal', told: reason }
}

/** The client broke the protocol or a limit. */
export function violated (code: ViolationCode, reason: string): CloseReason {
  return { cause: 'protocol', code, reason, exit: 'protocol_error', told: reason }
}

/** A process sent `ws.close`. */
export function closedByProcess (code: number, reason: string): CloseReason {
  return { cause: 'process', code, reason, exit: 'normal', told: reason }
}

/** @param tookJoin whether the target took the `ws.join` of this client before it ended */
export function targetExited (reason: string, tookJoin: boolean): CloseReason {
  const told = 'target process exited'
  // Nothing was said to this client yet, so it may simply come back.
  if (!tookJoin) return { cause: 'target', code: 1013, reason: told, exit: 'target_down', told }
  return isOrderly(reason)
    ? { cause: 'target', code: 1000, reason: told, exit: 'normal', told }
    : { cause: 'target', code: 1011, reason: told, exit: 'target_down', told }
}

/** The node of the target is out of reach: what became of the target is not known. */
export const targetNodeLost: CloseReason = { cause: 'target', code: 1012, reason: 'target node lost', exit: 'target_down', told: 'target node lost' }

/** The node of the target has said that it is closing: the client may come back at once. */
export const targetNodeClosing: CloseReason = { cause: 'target', code: 1012, reason: 'target node closing', exit: 'target_down', told: 'target node closing' }

/** A linked process failed: the client is never told with what. */
export function linkFailed (reason: string): CloseReason {
  return { cause: 'exit', code: 1011, reason, exit: reason, told: 'closed by server' }
}

/** Somebody has ended the PID. */
export function exited (reason: string): CloseReason {
  if (reason === 'killed') return killed
  if (reason === 'shutdown') return shutdown
  if (reason === 'normal') return { ...linkFailed(reason), code: 1000 }
  return linkFailed(reason)
}
