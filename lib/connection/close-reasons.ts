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
  readonly leaveReason: string
  /** What the PID's watchers are told. */
  readonly exitReason: string
  /** What the close frame says; undefined: there is none, and the socket is cut. */
  readonly frameReason: string | undefined
}

export const lost: CloseReason = { cause: 'lost', code: undefined, leaveReason: 'connection lost', exitReason: 'connection_lost', frameReason: undefined }

export const pingTimeout: CloseReason = { cause: 'ping_timeout', code: undefined, leaveReason: 'ping timeout', exitReason: 'ping_timeout', frameReason: undefined }

export const tooSlow: CloseReason = { cause: 'slow', code: 1013, leaveReason: 'client too slow', exitReason: 'slow_client', frameReason: 'client too slow' }

/** Messages from another node were refused or lost on their way. */
export const missedMessages: CloseReason = { cause: 'slow', code: 1013, leaveReason: 'messages missed', exitReason: 'slow_client', frameReason: 'messages missed' }

const shutdown: CloseReason = { cause: 'shutdown', code: 1001, leaveReason: 'server shutting down', exitReason: 'shutdown', frameReason: 'server shutting down' }

const killed: CloseReason = { cause: 'killed', code: undefined, leaveReason: 'killed', exitReason: 'killed', frameReason: undefined }

/** The client has sent a close frame: its code and reason come back, 1005 standing for no code. */
export function closedByClient (code: number, reason: string): CloseReason {
  return { cause: 'client', code: code === noCode ? undefined : code, leaveReason: reason === '' ? 'client closed' : reason, exitReason: 'normal', frameReason: reason }
}

/** The client broke the protocol or a limit. */
export function violated (code: ViolationCode, reason: string): CloseReason {
  return { cause: 'protocol', code, leaveReason: reason, exitReason: 'protocol_error', frameReason: reason }
}

/** A process sent `ws.close`. */
export function closedByProcess (code: number, reason: string): CloseReason {
  return { cause: 'process', code, leaveReason: reason, exitReason: 'normal', frameReason: reason }
}

/** @param tookJoin whether the target took the `ws.join` of this client before it ended */
export function targetExited (reason: string, tookJoin: boolean): CloseReason {
  const told = 'target process exited'
  // Nothing was said to this client yet, so it may simply come back.
  if (!tookJoin) return { cause: 'target', code: 1013, leaveReason: told, exitReason: 'target_down', frameReason: told }
  return isOrderly(reason)
    ? { cause: 'target', code: 1000, leaveReason: told, exitReason: 'normal', frameReason: told }
    : { cause: 'target', code: 1011, leaveReason: told, exitReason: 'target_down', frameReason: told }
}

/** The node of the target is out of reach: what became of the target is not known. */
export const targetNodeLost: CloseReason = { cause: 'target', code: 1012, leaveReason: 'target node lost', exitReason: 'target_down', frameReason: 'target node lost' }

/** The node of the target has said that it is closing: the client may come back at once. */
export const targetNodeClosing: CloseReason = { cause: 'target', code: 1012, leaveReason: 'target node closing', exitReason: 'target_down', frameReason: 'target node closing' }

/** A linked process failed: the client is never told with what. */
export function linkFailed (reason: string): CloseReason {
  return { cause: 'exit', code: 1011, leaveReason: reason, exitReason: reason, frameReason: 'closed by server' }
}

/** Somebody has ended the PID. */
export function exited (reason: string): CloseReason {
  if (reason === 'killed') return killed
  if (reason === 'shutdown') return shutdown
  if (reason === 'normal') return { ...linkFailed(reason), code: 1000 }
  return linkFailed(reason)
}
