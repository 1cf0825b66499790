import { failure, success } from '../shared/result.js'
import type { Batch } from './batch.js'
import type { Answer } from './calls.js'
import type { EndOrigin } from './explain/origin.js'
import type { Producer } from '../shared/watermark.js'
import type { Result } from '../shared/result.js'
import type { SystemTopics } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'
import type { BodyInfo, ConnectionInfo, ProcessInfo } from '../../types/info.js'

/** The fields of `info` that only the entity itself knows. */
export type Description = Described<BodyInfo> | ConnectionDescription

export type ConnectionDescription = Described<ConnectionInfo>

type Described<I> = Omit<I, 'pid' | 'names' | 'links' | 'groups'>

/** The owner of a PID: a process with a mailbox, or a connection with a socket. */
export interface Entity {
  readonly pid: Pid
  readonly kind: ProcessInfo['kind']
  readonly trapLinks: boolean
  /** Takes a message that may be refused. @returns whether it was accepted */
  deliver (
    topic: string, payload: unknown, from: Pid | undefined, call?: Answer, batch?: Batch
  ): boolean
  /** Takes a system message, which is never refused. */
  notify<K extends keyof SystemTopics> (topic: K, payload: SystemTopics[K]): void
  /** For connections: `count` messages of another node were lost, and the client must know. */
  missed? (count: number): void
  /** Ends it at once. */
  end (reason: string, error?: Error, origin?: EndOrigin): void
  /** Called when a linked process, `because`, has failed and `trapLinks` is off. */
  linkFailed (reason: string, error?: Error, because?: Pid): void
  /** Asks it to stop. @param origin by default `from` */
  cancel (from: Pid | undefined, reason: string, origin?: EndOrigin): boolean
  describe (): Description
}

/** An entity that a connection can be bound to. */
export interface Target extends Entity {
  /** It accepts no more mail. */
  readonly refusesMail: boolean
  /** Its body waits for the end of another process, or for a delay. */
  readonly isHeld?: boolean
  /**
   * Takes a message of a client, even if it is full, because the connection pauses by itself.
   * @param call of the client, if it calls
   * @returns false, and counts nothing, if it refuses all mail
   */
  accept (
    topic: string, payload: unknown, from: Pid, bytes: number, call?: Answer
  ): boolean
  /** Connections should pause. */
  readonly congested: boolean
  /** Calls `producer.resume()` once, when there is room again. */
  subscribeToDrain (producer: Producer): void
  unsubscribeFromDrain (producer: Producer): void
}

/** Why a connection cannot be bound to an entity of this node. */
export type TargetProblem =
  'it is not alive' | 'it is stopping' | 'it is a connection' | 'it has not started'

/** A connection can be bound to a process that accepts mail. */
export function asTarget (entity: Entity | undefined): Result<Target, TargetProblem> {
  if (entity === undefined) return failure('it is not alive')
  if (!isTarget(entity)) return failure('it is a connection')
  // A stopping process would lose `ws.join` and all messages after it.
  if (entity.refusesMail) return failure('it is stopping')
  return entity.isHeld === true ? failure('it has not started') : success(entity)
}

export function isTarget (entity: Entity): entity is Target {
  return 'accept' in entity
}
