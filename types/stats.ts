import type { UpgradeRefusalReason } from './events.js'
import type { LeaveCause } from './messages.js'

/**
 * Counters since the start of the system, and gauges of the present. Each number is kept up to date
 * all the time, so that a call takes microseconds, however many processes there are.
 */
export interface ProcessStats {
  /** Gauge: processes and connections alive. */
  readonly alive: number
  /** Gauge: the same by kind. `ws` are the connections. */
  readonly aliveBy: Readonly<Record<'process' | 'supervisor' | 'ws', number>>
  readonly spawned: number
  /** Ended processes by exit reason. After 100 reasons, further ones are counted as `other`. */
  readonly exited: Record<string, number>
  /** Restarts of children, by all supervisors. */
  readonly restarts: number
  /** Supervisors that ended with `restart_intensity`. */
  readonly giveUps: number
  /** Accepted messages. */
  readonly sent: number
  /** Messages that a process took from its mailbox, or a connection wrote to its socket. */
  readonly delivered: number
  /** Messages without a receiver or a handler, or left in the mailbox of an ended process. */
  readonly deadLetters: number
  /** The same by reason. */
  readonly deadLettersBy: Readonly<Record<DeadLetterReason, number>>
  /** Refused messages: the mailbox or the socket is full, the process stops, or a bad payload. */
  readonly refused: number
  /** The same by reason. */
  readonly refusedBy: Readonly<Record<RefusalReason, number>>
  /** Messages of clients that the protocol of their connection has refused. */
  readonly invalid: number
  /**
   * The longest turn since the start, in milliseconds: it shows code that blocks the thread. A turn
   * is up to 16 messages of one `serve`, or up to 16 bodies that loop over their inboxes. Code that
   * runs after the `await` of something other than a message is not measured.
   */
  readonly longestTurn: number
  /** How long turns take. */
  readonly turns: TurnStats
  /** The processes with keys, by kind. */
  readonly keyed: Readonly<Record<string, KeyedStats>>
  /** The connections of this server. All 0 without a server. */
  readonly connections: ConnectionStats
  /** The upgrades of this server. All 0 without a server. */
  readonly upgrades: UpgradeStats
}

/**
 * Why a message was refused: `send` returned false, or the message was dropped on its way.
 *
 * - `ended`: its sender has ended
 * - `stopping`: its receiver accepts no more mail, or the connection is closing
 * - `full`: the mailbox of its receiver is full
 * - `slow`: the client reads too slowly
 * - `payload`: a connection cannot make a frame of its payload
 * - `topic`: the connection does not forward topics
 * - `control`: a `ws.control` that cannot be carried out
 * - `remote`: its node cannot be reached, or its payload cannot be sent to another node
 * - `missed`: a message of another node to a connection was refused or lost on its way
 */
export type RefusalReason =
  | 'ended' | 'stopping' | 'full' | 'slow' | 'payload' | 'topic' | 'control' | 'remote' | 'missed'

/**
 * Why a message has no reader.
 *
 * - `none`: no process has the PID or the name
 * - `unhandled`: its receiver has no handler for the topic
 * - `ended`: it was left in the mailbox of a process that has ended
 */
export type DeadLetterReason = 'none' | 'unhandled' | 'ended'

/** The processes of one kind on this node. */
export interface KeyedStats {
  /** Gauge: processes alive, those that clean up included. */
  readonly alive: number
  readonly started: number
  /** Processes that have failed, before or after their start. */
  readonly crashed: number
  /** Requests that found no process and could not start one. */
  readonly refused: number
}

/** A histogram of the times of turns. Turns below 0.01 ms are measured up to 8 together. */
export interface TurnStats {
  /** Measurements. */
  readonly count: number
  /** The sum of all measurements, in milliseconds. */
  readonly total: number
  /** The measurements of at most `upTo` milliseconds. Each bucket contains the ones before it. */
  readonly buckets: ReadonlyArray<{ readonly upTo: number, readonly count: number }>
}

/** The connections of one server. */
export interface ConnectionStats {
  /** Gauge: connections whose PID is alive. The next three are parts of them. */
  readonly open: number
  /** Gauge: their socket is lost, and their client may come back. */
  readonly suspended: number
  /** Gauge: their socket is not read: the mailbox of their target is full, or they are parked. */
  readonly paused: number
  /** Gauge: their target has failed, and they wait for a process that registers its name. */
  readonly parked: number
  /** How many may be open and suspended: `maxConnections` (`Infinity` for none), `maxSuspended`. */
  readonly limits: { readonly open: number, readonly suspended: number }
  readonly opened: number
  readonly closed: number
  readonly transferred: number
  /** How often a client was over its `limit`: it was not read for a while, or was closed. */
  readonly limited: number
  /**
   * Closed connections by cause and close code. `code` is undefined for a close without one. After
   * 100 codes of one cause, further ones are counted as `other`.
   */
  readonly closedBy: readonly ClosedConnections[]
  /** Messages of clients. */
  readonly messagesIn: number
  /** Messages that were accepted for clients. */
  readonly messagesOut: number
  /** Bytes read from sockets, after the handshake and below TLS. */
  readonly bytesIn: number
  /** Bytes written to sockets, after the handshake and below TLS. */
  readonly bytesOut: number
  /** Clients that asked to continue a session. */
  readonly resumes: Readonly<Record<ResumeOutcome, number>>
  /** Controls of clients that this version of the protocol does not have. They are ignored. */
  readonly unknownControls: number
  /** Whether the optional package `fastify-ws-relay-native` sends for many sockets at once. */
  readonly nativeSender: boolean
}

/** Connections that closed for one cause, with one close code. */
export interface ClosedConnections {
  readonly cause: Exclude<LeaveCause, 'transfer'>
  readonly code: number | 'other' | undefined
  readonly times: number
}

/**
 * The answer to a client that asked to continue its session.
 *
 * - `resumed`: it goes on with the same connection
 * - `ended`: its connection has ended meanwhile, and the client was told why
 * - `refused`: the token is not valid for this request, or the route does not resume
 * - `node`: the token is of another node, or of an earlier start of this one
 * - `gap`: messages that the client needs are not kept any more
 * - `expired`: the session does not exist any more
 * - `full`: the session was ended because too much was kept
 */
export type ResumeOutcome = 'resumed' | 'ended' | 'refused' | 'node' | 'gap' | 'expired' | 'full'

/** Requests that asked for an upgrade, by their end. */
export interface UpgradeStats {
  readonly accepted: number
  /** The client left before there was a response. */
  readonly abandoned: number
  readonly refused: Readonly<Record<UpgradeRefusalReason, number>>
}
