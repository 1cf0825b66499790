import type { ExitReason, LeaveCause, WsSuspend } from './messages.js'
import type { Pid } from './pid.js'

/**
 * The channels of `node:diagnostics_channel` on which this package publishes, with their events.
 * Nothing is published for single messages.
 *
 * An event is an object of its own, which the package never reads again. It has no metadata of a
 * connection, no payload and no header. A subscriber is called synchronously, in the code that it
 * is told about. If it throws, Node raises an `uncaughtException`.
 *
 * Later versions may add fields, and events with other values of `type`: ignore those that you do
 * not know. docs/events.md has each event with an example.
 */
export interface EventChannels {
  'fastify-ws-relay:upgrade': UpgradeEvent
  'fastify-ws-relay:connection': ConnectionEvent
  'fastify-ws-relay:process': ProcessEvent
  'fastify-ws-relay:cluster': ClusterEvent
  'fastify-ws-relay:drain': DrainEvent
}

/** The fields that all events have. */
interface CommonFields {
  /**
   * The name of the node that published the event: the option `node`. All process systems of one
   * program share the channels.
   */
  readonly node: string
  /** Milliseconds since 1970, from `Date.now()`. */
  readonly at: number
}

/**
 * The end of a request that asked for an upgrade: each has at most one of these events. A socket
 * that continues an interrupted session has none.
 */
export type UpgradeEvent = UpgradeAccepted | UpgradeRefused | UpgradeAbandoned

/** The 101 has been written. The `open` event of the connection follows. */
export interface UpgradeAccepted extends CommonFields {
  readonly type: 'accepted'
  /** The connection. */
  readonly pid: Pid
  /** The process that gets the messages of the client. */
  readonly target: Pid
}

/** An upgrade was answered with an ordinary response. */
export interface UpgradeRefused extends CommonFields {
  readonly type: 'refused'
  readonly reason: UpgradeRefusalReason
  /** The HTTP status of the response. */
  readonly status: number
}

/** The client left before there was a response. */
export interface UpgradeAbandoned extends CommonFields {
  readonly type: 'abandoned'
}

/**
 * Why an upgrade was refused:
 *
 * - `application`: a hook, the handler or the 404 handler sent the response
 * - `handshake`: the request is no valid handshake (`FST_WS_RELAY_BAD_HANDSHAKE`)
 * - `origin`: `FST_WS_RELAY_ORIGIN_NOT_ALLOWED`
 * - `overloaded`: `maxConnections` or `maxHandshakes` (`FST_WS_RELAY_OVERLOADED`), or `max` of the
 *   kind of a key (`FST_PROCESS_TOO_MANY`)
 * - `config`: the relay's header is not valid (`FST_WS_RELAY_INVALID_CONFIG`)
 * - `target`: `FST_WS_RELAY_TARGET_NOT_ALIVE`, or a process for the connection cannot start before
 *   its node has joined the cluster (`FST_CLUSTER_NOT_READY`)
 * - `timeout`: the handler did not reply in time (`FST_WS_RELAY_UPGRADE_TIMEOUT`)
 * - `closing`: the server closes (`FST_WS_RELAY_CLOSING`), or its process system does
 *   (`FST_PROCESS_CLOSING`)
 * - `protocol`: the request asks for another protocol than WebSocket
 *   (`FST_WS_RELAY_UPGRADE_REQUIRED`)
 */
export type UpgradeRefusalReason =
  | 'application' | 'handshake' | 'origin' | 'overloaded' | 'config' | 'target' | 'timeout'
  | 'closing' | 'protocol'

/** The life of a connection. */
export type ConnectionEvent =
  | ConnectionOpened | ConnectionSuspended | ConnectionResumed | ConnectionTransferred
  | ConnectionParked | ConnectionRejoined | ConnectionClosed

/** A connection has its PID, and its target has the `ws.join` in its mailbox. */
export interface ConnectionOpened extends CommonFields {
  readonly type: 'open'
  readonly pid: Pid
  readonly target: Pid
}

/** The socket of a connection is lost. It may be resumed on another one: see docs/resume.md. */
export interface ConnectionSuspended extends CommonFields {
  readonly type: 'suspend'
  readonly pid: Pid
  readonly target: Pid
  readonly cause: WsSuspend['cause']
}

/** A connection goes on on another socket, with the same PID. */
export interface ConnectionResumed extends CommonFields {
  readonly type: 'resume'
  readonly pid: Pid
  readonly target: Pid
  /** Milliseconds since its socket was lost; 0 if the old socket was still open. */
  readonly away: number
}

/** A connection has another target. */
export interface ConnectionTransferred extends CommonFields {
  readonly type: 'transfer'
  readonly pid: Pid
  /** The target until now. */
  readonly from: Pid
  /** The new target. */
  readonly target: Pid
}

/** The target of a connection has failed, and the connection waits for a successor. */
export interface ConnectionParked extends CommonFields {
  readonly type: 'park'
  readonly pid: Pid
  /** The target that has failed. */
  readonly target: Pid
  /** The name of the target, which its successor has to register. */
  readonly name: string
  /** The exit reason of the target. */
  readonly reason: ExitReason
}

/** A parked connection has joined the successor of its target. */
export interface ConnectionRejoined extends CommonFields {
  readonly type: 'rejoin'
  readonly pid: Pid
  /** The target that had failed. */
  readonly from: Pid
  /** The new target. */
  readonly target: Pid
}

/** A connection has ended. Its closing handshake may still be going on. */
export interface ConnectionClosed extends CommonFields {
  readonly type: 'close'
  readonly pid: Pid
  readonly target: Pid
  readonly cause: Exclude<LeaveCause, 'transfer'>
  /** The close code that the client saw or sent (RFC 6455 section 7.4); undefined without one. */
  readonly code: number | undefined
  /** The reason, as in the `ws.leave`. When `cause` is `client`, always `client closed`. */
  readonly reason: string
  /** Milliseconds since the upgrade. */
  readonly uptime: number
  /**
   * When `cause` is `client`: the reason in the client's close frame, at most 123 bytes, perhaps
   * empty. Untrusted. The property is not enumerable, so that a log line, a copy or the JSON of an
   * event does not contain it.
   */
  readonly clientReason?: string
}

/** The life of a process or supervisor. Connections have events of their own. */
export type ProcessEvent = ProcessSpawned | ProcessExited | ChildRestarted | SupervisorGaveUp

/** A process was started. Its body has not run yet. */
export interface ProcessSpawned extends CommonFields {
  readonly type: 'spawn'
  readonly pid: Pid
  readonly kind: 'process' | 'supervisor'
  /** The name of the body's function; for a supervisor its name, or `supervisor`. */
  readonly label: string
  /** The name that it was started with. */
  readonly name: string | undefined
}

/** A process has ended. Its names are free, and its links and monitors are told next. */
export interface ProcessExited extends CommonFields {
  readonly type: 'exit'
  readonly pid: Pid
  readonly kind: 'process' | 'supervisor'
  readonly label: string
  /** The names that it had. */
  readonly names: readonly string[]
  readonly reason: ExitReason
  /** The error that its body threw, or that of the linked process whose failure ended it. */
  readonly error: Error | undefined
  /** Milliseconds since it was started. */
  readonly uptime: number
}

/** A supervisor has restarted a child. The `spawn` event of its new process came before. */
export interface ChildRestarted extends CommonFields {
  readonly type: 'restart'
  /** The new process. */
  readonly pid: Pid
  /** The process that it replaces. */
  readonly previous: Pid
  readonly supervisor: Pid
  /** The `id` in the child's specification. */
  readonly child: string
  /** How often this child has been restarted. */
  readonly restarts: number
}

/**
 * A child failed more often than `maxRestarts` allows. The supervisor ends its other children, and
 * then itself: an `exit` event with `restart_intensity` follows.
 */
export interface SupervisorGaveUp extends CommonFields {
  readonly type: 'give-up'
  /** The supervisor. */
  readonly pid: Pid
  /** The label of the supervisor: its name, or `supervisor`. */
  readonly label: string
  /** The `id` in the specification of the child that failed last. */
  readonly child: string
  /** The exit reason of that child. */
  readonly reason: ExitReason
  /** The error that ended it. */
  readonly error: Error | undefined
}

/** The other nodes of a cluster, as this node sees them. */
export type ClusterEvent = NodeChanged | ChannelTorn

/** Another node came up or went down. */
export interface NodeChanged extends CommonFields {
  readonly type: 'node'
  /** The other node. */
  readonly peer: string
  /** The start of that node, in milliseconds since 1970 or higher: see `cluster.nodes()`. */
  readonly incarnation: number
  readonly state: 'up' | 'down'
  /** Why it is down, in words. */
  readonly reason: string | undefined
}

/** The channel to another node was reset: messages on their way in either direction are lost. */
export interface ChannelTorn extends CommonFields {
  readonly type: 'torn'
  /** The other node. */
  readonly peer: string
  /** Why, in words. */
  readonly reason: string
}

/** A server that is about to stop and closes its connections over some time. */
export type DrainEvent = DrainStarted | DrainFinished

/** `processes.drain()` was called, or `app.close()` with the option `drain`. */
export interface DrainStarted extends CommonFields {
  readonly type: 'started'
  /** Connections that are open now. */
  readonly connections: number
  /** Milliseconds until new upgrades are refused, and the first connection is closed. */
  readonly delay: number
  /** Milliseconds over which the connections are closed after that. */
  readonly over: number
}

/** The drain has closed all connections, or its time is over. */
export interface DrainFinished extends CommonFields {
  readonly type: 'finished'
  /** Milliseconds since it was started. */
  readonly duration: number
  /** Connections whose closing handshake is not complete. */
  readonly left: number
}
