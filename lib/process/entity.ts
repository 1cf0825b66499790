import type { Answer } from './calls.js'
import type { Producer } from './actor/mailbox.js'
import type { SystemTopics } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'
import type { ProcessInfo } from '../../types/processes.js'

/** What one broadcast shares among its receivers: an encoding made once. */
export interface Batch {
  encoded?: unknown
}

/** The part of an entity's `info` that it alone knows. */
export type Description = Omit<ProcessInfo, 'pid' | 'names' | 'links' | 'groups'>

/** What lives behind a PID: a process with a mailbox, or a connection with a socket. */
export interface Entity {
  readonly pid: Pid
  readonly kind: ProcessInfo['kind']
  readonly trapLinks: boolean
  /** A message that may be refused. @returns whether it was accepted */
  deliver (topic: string, payload: unknown, from: Pid | undefined, call?: Answer, batch?: Batch): boolean
  /** A message of the system itself: never refused. */
  notify<K extends keyof SystemTopics> (topic: K, payload: SystemTopics[K]): void
  /** For a connection: so many messages from another node did not reach it, and its client has to know. */
  missed? (count: number): void
  /** Ends it at once. */
  end (reason: string, error?: Error): void
  /** A linked process failed, and `trapLinks` is off. */
  linkFailed (reason: string, error?: Error): void
  /** Asks it to stop. */
  cancel (from: Pid | undefined, reason: string): boolean
  describe (): Description
}

/** An entity that a connection can be bound to. */
export interface Target extends Entity {
  /** It takes no more mail. */
  readonly stopping: boolean
  /** A connection's message: never refused, for the connection waits by itself. */
  accept (topic: string, payload: unknown, from: Pid, bytes: number): void
  /** Whether connections should wait. */
  readonly congested: boolean
  /** Has the feeder resumed when there is room again. */
  subscribeToDrain (feeder: Producer): void
  unsubscribeFromDrain (feeder: Producer): void
}
