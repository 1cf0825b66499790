import type { LeaveCause } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

/** How a connection ends, as its client, its target and the monitors of its PID see it. */
export interface CloseReason {
  readonly cause: LeaveCause
  /** The code that the client sees or sent. Undefined: it has closed without one, or is cut. */
  readonly code: number | undefined
  /** The reason that the client sees. Undefined: it gets neither code nor reason, and is cut. */
  readonly clientReason: string | undefined
  /** `reason` in the `ws.leave` for the target. */
  readonly leaveReason: string
  /** The exit reason of the PID. */
  readonly exitReason: string
  /** The linked process whose end has ended this connection. */
  readonly because?: Pid
  /** The process that closed or ended it. */
  readonly by?: Pid
}

/** Stands for a value that is not fixed: the client, a process or the violation decides it. */
export const given = Symbol('given')

type OrGiven<T> = { readonly [K in keyof T]: T[K] | typeof given }

/** A row of the table: a close reason, and the event that leads to it. */
export type CloseRow = OrGiven<Omit<CloseReason, 'cause' | 'because' | 'by'>> &
  Pick<CloseReason, 'cause'> & { readonly when: string }

/**
 * Every way in which a connection ends, in the order of the table in docs/close-codes.md. A test
 * compares both, `when` word for word.
 */
export const closeCodes = {
  closedByClient: {
    cause: 'client',
    when: 'the client closes',
    code: given,
    clientReason: given,
    // Where the client's close frame has no reason.
    leaveReason: 'client closed',
    exitReason: 'normal'
  },
  lost: {
    cause: 'lost',
    when: 'the socket is lost without a close frame',
    code: undefined,
    clientReason: undefined,
    leaveReason: 'connection lost',
    exitReason: 'connection_lost'
  },
  pingTimeout: {
    cause: 'ping_timeout',
    when: 'no pong in time',
    code: undefined,
    clientReason: undefined,
    leaveReason: 'ping timeout',
    exitReason: 'ping_timeout'
  },
  closedByProcess: {
    cause: 'process',
    when: '`ws.close`',
    code: given,
    clientReason: given,
    leaveReason: given,
    exitReason: 'normal'
  },
  targetExited: {
    cause: 'target',
    when: 'the target ends with `normal` or `shutdown`',
    code: 1000,
    clientReason: 'target process exited',
    leaveReason: 'target process exited',
    exitReason: 'normal'
  },
  targetFailed: {
    cause: 'target',
    when: 'the target ends with any other reason',
    code: 1011,
    clientReason: 'target process exited',
    leaveReason: 'target process exited',
    exitReason: 'target_down'
  },
  targetMissedJoin: {
    cause: 'target',
    when: 'the target ends, with any reason, before it took the `ws.join` of this client ' +
      '(after a transfer: the new target)',
    code: 1013,
    clientReason: 'target process exited',
    leaveReason: 'target process exited',
    exitReason: 'target_down'
  },
  targetNodeClosing: {
    cause: 'target',
    when: 'the node of the target is closing',
    code: 1012,
    clientReason: 'target node closing',
    leaveReason: 'target node closing',
    exitReason: 'target_down'
  },
  targetNodeLost: {
    cause: 'target',
    when: 'the node of the target is lost',
    code: 1012,
    clientReason: 'target node lost',
    leaveReason: 'target node lost',
    exitReason: 'target_down'
  },
  violated: {
    cause: 'protocol',
    when: 'message too large; invalid UTF-8; protocol error; too many fragments; ' +
      'too many messages',
    code: given,
    clientReason: given,
    leaveReason: given,
    exitReason: 'protocol_error'
  },
  invalidMessage: {
    cause: 'protocol',
    when: "an invalid message, where the protocol has `invalid: 'close'`",
    code: given,
    clientReason: 'invalid message',
    leaveReason: 'invalid message',
    exitReason: 'protocol_error'
  },
  expired: {
    cause: 'expired',
    when: '`expires_at` has passed',
    code: 1008,
    clientReason: 'session expired',
    leaveReason: 'session expired',
    exitReason: 'expired'
  },
  clientTooSlow: {
    cause: 'slow',
    when: "the client reads too slowly, `overflow: 'close'`",
    code: 1013,
    clientReason: 'client too slow',
    leaveReason: 'client too slow',
    exitReason: 'slow_client'
  },
  messagesMissed: {
    cause: 'slow',
    when: "messages from another node were refused or lost on their way, `overflow: 'close'`",
    code: 1013,
    clientReason: 'messages missed',
    leaveReason: 'messages missed',
    exitReason: 'slow_client'
  },
  shutdown: {
    cause: 'shutdown',
    when: "`app.close()`, `cancel(pid)`, `exit(pid, 'shutdown')`",
    code: 1001,
    clientReason: 'server shutting down',
    leaveReason: 'server shutting down',
    exitReason: 'shutdown'
  },
  killed: {
    cause: 'killed',
    when: "`exit(pid, 'kill')`",
    code: undefined,
    clientReason: undefined,
    leaveReason: 'killed',
    exitReason: 'killed'
  },
  // The client never learns the reason of a process.
  exited: {
    cause: 'exit',
    when: '`exit(pid, reason)`, or a linked process failed',
    code: 1011,
    clientReason: 'closed by server',
    leaveReason: given,
    exitReason: given
  },
  exitedNormally: {
    cause: 'exit',
    when: "`exit(pid, 'normal')`",
    code: 1000,
    clientReason: 'closed by server',
    leaveReason: 'normal',
    exitReason: 'normal'
  }
} as const satisfies Record<string, CloseRow>

/**
 * The `ws.leave` for the old target of a transfer. The connection goes on, so it has no row above.
 */
export const transferred = { cause: 'transfer', leaveReason: 'transferred' } as const

const maxReasonBytes = 123

/** Whether a client may be sent this code (RFC 6455 section 7.4). */
export function maySendCode (code: unknown): code is number {
  if (typeof code !== 'number' || !Number.isInteger(code)) return false
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
    (code >= 3000 && code <= 4999)
}

/**
 * Cuts a reason to the 123 bytes of UTF-8 that fit in a close frame (RFC 6455 section 5.5), between
 * characters.
 */
export function cutReason (reason: string): string {
  // A UTF-16 unit takes at least one byte, so no more units need to be encoded.
  const bytes = Buffer.from(reason.slice(0, maxReasonBytes + 1))
  if (bytes.length <= maxReasonBytes) return reason
  let end = maxReasonBytes
  while ((bytes[end] & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
