// The parts that a session is connected to: the terms of its upgrade, the server, the connection.
import type { CloseReason } from '../connection/close-codes.js'
import type { TransportEvents } from '../connection/transport.js'
import type { Deadline } from '../shared/deadline-timer.js'
import type { WsSuspend } from '../../types/messages.js'
import type { Overflow } from '../../types/relay.js'
import type { TokenScope } from './offer.js'
import type { BufferLimits } from './unacknowledged.js'

/** The terms of all sessions of a route. They share the object. */
export interface SessionPolicy {
  /** Milliseconds from the loss of a socket to the end of the session; 0: it cannot be resumed. */
  readonly window: number
  readonly buffer: BufferLimits
  readonly overflow: Overflow
  /** Whether the target gets `ws.suspend` and `ws.resume`. */
  readonly notify: boolean
}

/** The terms of one session. */
export interface SessionTerms {
  readonly policy: SessionPolicy
  /** The user that the option `owner` has named. Each resume has to name the same. */
  readonly owner: string | undefined
  /** The application's protocol that the handler chose; empty without one. */
  readonly protocol: string
}

/** A session, as far as the server deals with it. */
export interface HostedSession {
  /** The serial number of its PID. */
  readonly serial: number
  readonly owner: string | undefined
  readonly generation: number
  /** Bytes of memory that it keeps for its client, about. */
  readonly keptBytes: number
  /** Milliseconds until the window ends. Only read while it is running. */
  readonly windowLeft: number
  readonly endedForLimit: boolean
  endForLimit (): void
}

/** The state that the sessions of a server share. */
export interface SessionHost {
  /** Milliseconds. The clock never goes back. */
  now (): number
  schedule (deadline: Deadline, delay: number): void
  cancel (deadline: Deadline): void
  tokenFor (serial: number, scope: TokenScope, generation: number): string
  /** May end sessions that have been away for long, this one among them. */
  sessionSuspended (session: HostedSession): void
  sessionResumed (session: HostedSession): void
  /** Called when a suspended session keeps more bytes, or fewer. */
  keptBytesChanged (session: HostedSession, bytes: number): void
  /** Called when a session has ended without a socket. */
  sessionEnded (session: HostedSession, reason: CloseReason): void
  /** Called when its client was asked to leave the server. */
  clientAdvised (session: HostedSession): void
  wasAdvised (session: HostedSession): boolean
  unknownControl (): void
  /** @returns the number of this resume, from 1 */
  countResume (): number
}

/** The connection above a session. */
export interface SessionEvents extends TransportEvents {
  /** Called when the socket was lost. @param notify whether the target gets `ws.suspend` */
  onSuspended (cause: WsSuspend['cause'], notify: boolean): void
  /**
   * Called when the client is back.
   * @param away milliseconds; undefined if the old socket was still open
   * @param notify whether the target gets `ws.resume`
   */
  onResumed (away: number | undefined, notify: boolean): void
  /**
   * Called with a control of the client, which is no message.
   * @returns as `onMessage`
   */
  onControl? (bytes: number): boolean
}

/** An offer to resume a session, whose token is valid. */
export interface ValidOffer {
  /** The generation of its token. */
  readonly generation: number
  /** Data messages of the session that the client has. */
  readonly received: number
  /** For the token of the next hello. */
  readonly scope: TokenScope
}

/** An upgrade that is about to resume a session. */
export interface Claim {
  readonly isOpen: boolean
}
