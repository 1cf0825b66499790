import type { Pid } from './pid.js'

/** The fields of `info` that processes and connections have in common. */
interface CommonInfo {
  readonly pid: Pid
  readonly names: string[]
  readonly links: Pid[]
  /** The PIDs that this process monitors. */
  readonly monitors: Pid[]
  readonly groups: string[]
  /** Milliseconds since it started. */
  readonly uptime: number
  /** Messages that wait in its mailbox. 0 for a connection, which has none: see `buffered`. */
  readonly mailbox: number
  /** `running` its code, `waiting` for messages, or `exiting`: asked to stop, cleaning up. */
  readonly status: 'running' | 'waiting' | 'exiting'
}

/** The result of `info` for a process with a body, or for a supervisor. */
export interface BodyInfo extends CommonInfo, OnlyConnections {
  readonly kind: 'process' | 'supervisor'
  /** The name of the body's function; for a supervisor its name, or `supervisor`. */
  readonly label: string
}

/** The result of `info` for a connection. */
export interface ConnectionInfo extends CommonInfo {
  readonly kind: 'ws'
  readonly label: 'ws'
  /** The process that gets the messages of the client. */
  readonly target: Pid
  /** Bytes that wait for the client. */
  readonly buffered: number
  /** Messages to the client that `overflow: 'drop'` has dropped. */
  readonly dropped: number
  /** Messages of the client since the upgrade. */
  readonly messages: number
  /** False while the client is away: its socket is lost, and it may come back. */
  readonly connected: boolean
  /**
   * Whether the socket is not read: the mailbox of the target is full, it has no target, or the
   * client is over its `limit`.
   */
  readonly paused: boolean
  /** Whether it is not read because the client is over its `limit`. */
  readonly limited: boolean
  /** Whether `target` has failed, and the connection waits for a successor with the same name. */
  readonly parked: boolean
}

/** The fields of connections only: optional here, so that they can be read without a check. */
type OnlyConnections = {
  readonly [
  K in 'target' | 'buffered' | 'dropped' | 'messages' | 'connected' | 'paused' | 'limited' |
    'parked'
  ]?: undefined
}

/** The result of `info`, discriminated by `kind`. */
export type ProcessInfo = BodyInfo | ConnectionInfo

/** Whether a system should get new clients. For readiness probes. */
export interface SystemHealth {
  readonly ready: boolean
  /**
   * Why it is not ready: `draining`, `closing`, or a problem of its cluster: `starting`,
   * `engine away`, `node name taken`.
   */
  readonly problem?: string
}
