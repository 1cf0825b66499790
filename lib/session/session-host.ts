// The parts that a session is connected to: the terms of its upgrade, the server, the connection.
import type { CloseReason } from '../connection/close-codes.js'
import type { TransportEvents } from '../connection/transport.js'
import type { Deadline } from '../shared/deadline-timer.js'
import type { WsSuspend } from '../../types/messages.js'
import type { Overflow } from '../../types/relay.js'
import type { TokenScope } from './tokens.js'
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

/** The facts of the first upgrade, which every resume has to repeat. */
export interface SessionIdentity {
  /** The request's `Origin`; empty if it has none. */
  readonly origin: string
  /** The request's URL up to `?`. */
  readonly path: string
  /** The user that the option `owner` has named. */
  readonly owner: string | undefined
  /** The application's protocol that the handler chose; empty without one. */
  readonly protocol: string
}

/** A session, as far as the server deals with it. */
export interface HostedSession {
  readonly serial: string
  readonly scope: TokenScope
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
  tokenFor (scope: TokenScope, generation: number): string
  /** May end sessions that have been away for long, this one among them. */
  sessionSuspended (session: HostedSession): void
  sessionResumed (session: HostedSession): void
  /** Called when a suspended session keeps more bytes, or fewer. */
  keptBytesChanged (session: HostedSession, bytes: number): void
  /** Called when a session has ended without a socket. */
  sessionEnded (session: HostedSession, reason: CloseReason): void
  unknownControl (): void
}

/** The connection above a session. */
export interface SessionEvents extends TransportEvents {
  /** Called when the socket was lost, if `notify` is on. */
  onSuspended (cause: WsSuspend['cause']): void
  /** Called when the client is back, if `notify` is on. @param away milliseconds */
  onResumed (away: number): void
}

/** An upgrade that is about to resume a session. */
export interface Claim {
  readonly isOpen: boolean
}
