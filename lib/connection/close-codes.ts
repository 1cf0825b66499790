import type { LeaveCause } from '../../types/messages.js'

/** How a connection ends, as its client, its target and the monitors of its PID see it. */
export interface CloseReason {
  readonly cause: LeaveCause
  /**
   * The close code that the client sees or sent. Undefined: there was no close frame, or it had no
   * code.
   */
  readonly code: number | undefined
  /**
   * The reason in the server's close frame. Undefined: no frame is sent, the socket is destroyed.
   */
  readonly frameReason: string | undefined
  /** `reason` in the `ws.leave` for the target. */
  readonly leaveReason: string
  /** The exit reason of the PID. */
  readonly exitReason: string
}

/** Stands for a value that is not fixed: the client, a process or the violation decides it. */
export const given = Symbol('given')

type OrGiven<T> = { readonly [K in keyof T]: T[K] | typeof given }

/** A row of the table: a close reason, and the event that leads to it. */
export type CloseRow = OrGiven<Omit<CloseReason, 'cause'>> & Pick<CloseReason, 'cause'> & {
  readonly when: string
}

/**
 * Every way in which a connection ends, in the order of the table in docs/close-codes.md. A test
 * compares both, `when` word for word.
 */
export const closeCodes = {
  closedByClient: {
    cause: 'client',
    when: 'the client closes',
    code: given,
    frameReason: given,
    // Where the client's close frame has no reason.
    leaveReason: 'client closed',
    exitReason: 'normal'
  },
  lost: {
    cause: 'lost',
    when: 'the socket is lost without a close frame',
    code: undefined,
    frameReason: undefined,
    leaveReason: 'connection lost',
    exitReason: 'connection_lost'
  },
  pingTimeout: {
    cause: 'ping_timeout',
    when: 'no pong in time',
    code: undefined,
    frameReason: undefined,
    leaveReason: 'ping timeout',
    exitReason: 'ping_timeout'
  },
  closedByProcess: {
    cause: 'process',
    when: '`ws.close`',
    code: given,
    frameReason: given,
    leaveReason: given,
    exitReason: 'normal'
  },
  targetExited: {
    cause: 'target',
    when: 'the target ends with `normal` or `shutdown`',
    code: 1000,
    frameReason: 'target process exited',
    leaveReason: 'target process exited',
    exitReason: 'normal'
  },
  targetFailed: {
    cause: 'target',
    when: 'the target ends with any other reason',
    code: 1011,
    frameReason: 'target process exited',
    leaveReason: 'target process exited',
    exitReason: 'target_down'
  },
  targetMissedJoin: {
    cause: 'target',
    when: 'the target ends, with any reason, before it took the `ws.join` of this client ' +
      '(after a transfer: the new target)',
    code: 1013,
    frameReason: 'target process exited',
    leaveReason: 'target process exited',
    exitReason: 'target_down'
  },
  targetNodeClosing: {
    cause: 'target',
    when: 'the node of the target is closing',
    code: 1012,
    frameReason: 'target node closing',
    leaveReason: 'target node closing',
    exitReason: 'target_down'
  },
  targetNodeLost: {
    cause: 'target',
    when: 'the node of the target is lost',
    code: 1012,
    frameReason: 'target node lost',
    leaveReason: 'target node lost',
    exitReason: 'target_down'
  },
  violated: {
    cause: 'protocol',
    when: 'message too large; invalid UTF-8; protocol error; too many fragments',
    code: given,
    frameReason: given,
    leaveReason: given,
    exitReason: 'protocol_error'
  },
  clientTooSlow: {
    cause: 'slow',
    when: "the client reads too slowly, `overflow: 'close'`",
    code: 1013,
    frameReason: 'client too slow',
    leaveReason: 'client too slow',
    exitReason: 'slow_client'
  },
  messagesMissed: {
    cause: 'slow',
    when: "messages from another node were refused or lost on their way, `overflow: 'close'`",
    code: 1013,
    frameReason: 'messages missed',
    leaveReason: 'messages missed',
    exitReason: 'slow_client'
  },
  shutdown: {
    cause: 'shutdown',
    when: "`app.close()`, `cancel(pid)`, `exit(pid, 'shutdown')`",
    code: 1001,
    frameReason: 'server shutting down',
    leaveReason: 'server shutting down',
    exitReason: 'shutdown'
  },
  killed: {
    cause: 'killed',
    when: "`exit(pid, 'kill')`",
    code: undefined,
    frameReason: undefined,
    leaveReason: 'killed',
    exitReason: 'killed'
  },
  // The client never learns the reason of a process.
  exited: {
    cause: 'exit',
    when: '`exit(pid, reason)`, or a linked process failed',
    code: 1011,
    frameReason: 'closed by server',
    leaveReason: given,
    exitReason: given
  },
  exitedNormally: {
    cause: 'exit',
    when: "`exit(pid, 'normal')`",
    code: 1000,
    frameReason: 'closed by server',
    leaveReason: 'normal',
    exitReason: 'normal'
  }
} as const satisfies Record<string, CloseRow>

/**
 * The `ws.leave` for the old target of a transfer. The connection goes on, so it has no row above.
 */
export const transferred = { cause: 'transfer', leaveReason: 'transferred' } as const

/** The ways in which a client can break the protocol or a limit: codes of `closeCodes.violated`. */
export const violations = {
  /** RFC 6455 is broken: `protocol error: ` and the rule follow each other in the reason. */
  protocolError: { code: 1002, reason: 'protocol error' },
  invalidUtf8: { code: 1007, reason: 'invalid UTF-8' },
  invalidDeflate: { code: 1007, reason: 'invalid deflate data' },
  tooManyFragments: { code: 1008, reason: 'too many fragments' },
  tooLarge: { code: 1009, reason: 'message too large' }
} as const

export type Violation = (typeof violations)[keyof typeof violations]
export type ViolationCode = Violation['code']
