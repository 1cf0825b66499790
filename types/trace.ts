import type { ExitReason } from './messages.js'
import type { Pid } from './pid.js'

/** Options of `processes.trace`. */
export interface TraceOptions {
  /**
   * Whether events have the payloads. They are passed by reference: a payload may change later, and
   * may contain what clients have written.
   * @defaultValue false
   */
  payloads?: boolean
  /** The trace stops after so many events: 1 to 1 000 000. @defaultValue 1000 */
  max?: number
}

/** The fields that all events of a trace have. */
interface CommonFields {
  /** The process or connection that is traced. */
  readonly pid: Pid
  /** Milliseconds since 1970. */
  readonly at: number
}

/** The fields of a message. */
interface MessageFields extends CommonFields {
  readonly topic: string
  /** Only with `payloads: true`. */
  readonly payload?: unknown
}

/** A message to the process was put into its mailbox, or a connection took it for its client. */
export interface TracedArrival extends MessageFields {
  readonly type: 'received'
  /** Undefined for code outside a process, and for the system. */
  readonly from: Pid | undefined
  /** Messages in its mailbox, this one included; 0 for a connection. */
  readonly mailbox: number
}

/** A message to the process was refused: it is stopping, or is full. */
export interface TracedRefusal extends MessageFields {
  readonly type: 'refused'
  readonly from: Pid | undefined
}

/** The process took a message out of its mailbox. */
export interface TracedTake extends MessageFields {
  readonly type: 'taken'
  readonly from: Pid | undefined
  /** Milliseconds in the mailbox; undefined if it arrived before the trace began. */
  readonly waited: number | undefined
}

/** The process sent a message, or called. A broadcast to a group of this node is one for each. */
export interface TracedSend extends MessageFields {
  readonly type: 'sent'
  /** A PID or a name. */
  readonly to: string
  /** Whether it was accepted; undefined for a call, whose answer is not there yet. */
  readonly accepted: boolean | undefined
}

/** A message of the client of a connection was read. Its payload is untrusted. */
export interface TracedClientMessage extends CommonFields {
  readonly type: 'client'
  readonly bytes: number
  readonly binary: boolean
  /** Only with `payloads: true`. */
  readonly payload?: Buffer
}

/** It has ended. This is the last event. */
export interface TracedEnd extends CommonFields {
  readonly type: 'ended'
  readonly reason: ExitReason
  readonly error?: Error
}

/** An event of `processes.trace`. Later versions may add fields and types. */
export type TraceEvent =
  | TracedArrival | TracedRefusal | TracedTake | TracedSend | TracedClientMessage | TracedEnd

/** A running trace. */
export interface Trace {
  /** Ends it. Idempotent. */
  stop (): void
}
