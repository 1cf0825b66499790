import { TokenKey } from './tokens.js'
import { failure, success } from '../shared/result.js'
import type { CloseReason } from '../connection/close-codes.js'
import type { Deadline, DeadlineTimer, Slot } from '../shared/deadline-timer.js'
import type { Result } from '../shared/result.js'
import type { RefusedBecause } from './controls.js'
import type { ResumeOffer, TokenScope } from './offer.js'
import type { Session } from './session.js'
import type { HostedSession, SessionHost, ValidOffer } from './session-host.js'

/** Whether a session ended with its window. */
export function isLoss ({ cause }: CloseReason): boolean {
  return cause === 'lost' || cause === 'ping_timeout'
}

export interface SessionLimits {
  /** Suspended sessions, and tombstones of ended ones, together. */
  readonly maxSuspended: number
  /** Bytes that all suspended sessions keep together. */
  readonly maxResumeBytes: number
}

/** Where sessions and their keys come from. */
export interface SessionsOptions extends SessionLimits {
  readonly node: string
  /** In base 36, as in a PID. */
  readonly incarnation: string
  readonly deadlines: Pick<DeadlineTimer, 'schedule' | 'cancel'>
  now (): number
  /** Finds the session of a connection. @param serial the serial number of its PID */
  findSession (serial: number): Session | undefined
}

/** A session that has ended while its client was away. It lasts until the window's end. */
export class Tombstone implements Deadline {
  slot: Slot | undefined
  readonly serial: number
  readonly generation: number
  readonly owner: string | undefined
  /** The close that the client gets when it comes back. Undefined: it was ended for a limit. */
  readonly reason: CloseReason | undefined
  readonly #expired: (tombstone: Tombstone) => void

  constructor (
    session: HostedSession, reason: CloseReason | undefined, expired: (tombstone: Tombstone) => void
  ) {
    this.serial = session.serial
    this.generation = session.generation
    this.owner = session.owner
    this.reason = reason
    this.#expired = expired
  }

  due (): void {
    this.#expired(this)
  }
}

/** A valid offer, and the session that it names, or its tombstone. */
export interface Found {
  readonly session: Session | Tombstone
  readonly offer: ValidOffer
}

/** The sessions of one server: their tokens, their limits, and those that ended meanwhile. */
export class Sessions implements SessionHost {
  readonly #options: SessionsOptions
  readonly #key: TokenKey
  /** Suspended sessions. The one that has been away longest comes first. */
  readonly #suspended = new Set<HostedSession>()
  /** Sessions that were ended while suspended, by serial number. The oldest comes first. */
  readonly #tombstones = new Map<number, Tombstone>()
  /** Those that were ended for a limit. They are counted apart: each makes room for another. */
  readonly #evicted = new Map<number, Tombstone>()
  #keptBytes = 0
  /** Sessions whose clients were asked to leave: before the server closes only. */
  readonly #advised = new WeakSet<HostedSession>()
  /** Controls of clients that this version does not know. */
  unknownControls = 0
  /** Resumes of all sessions so far. */
  resumes = 0

  constructor (options: SessionsOptions) {
    this.#options = options
    this.#key = new TokenKey(options.node, options.incarnation)
  }

  get suspendedCount (): number {
    return this.#suspended.size
  }

  get tombstoneCount (): number {
    return this.#tombstones.size + this.#evicted.size
  }

  /** Bytes that the suspended sessions keep. */
  get keptBytes (): number {
    return this.#keptBytes
  }

  /**
   * Finds the session that an offer names, or its tombstone, and checks the token.
   * @returns why it cannot be resumed
   */
  find ({ token, received }: ResumeOffer, scope: TokenScope): Result<Found, RefusedBecause> {
    if (!this.#key.isOwn(token)) return failure('node')
    const serial = Number(token.serial)
    const session = this.#options.findSession(serial)
    const tombstone = this.#tombstones.get(serial) ?? this.#evicted.get(serial)
    const known = session?.isAlive === true ? session : tombstone
    if (known === undefined) return failure('expired')
    // The last hello may be lost: until its token is used, the one before it is valid as well.
    const { generation } = known
    for (const candidate of [generation, generation + 1]) {
      if (candidate > 0 && this.#key.matches(token.mac, serial, scope, candidate)) {
        return success({ session: known, offer: { generation: candidate, received, scope } })
      }
    }
    return failure('refused')
  }

  now (): number {
    return this.#options.now()
  }

  schedule (deadline: Deadline, delay: number): void {
    this.#options.deadlines.schedule(deadline, delay)
  }

  cancel (deadline: Deadline): void {
    this.#options.deadlines.cancel(deadline)
  }

  tokenFor (serial: number, scope: TokenScope, generation: number): string {
    return this.#key.tokenFor(serial, scope, generation)
  }

  sessionSuspended (session: HostedSession): void {
    this.#suspended.add(session)
    this.#keptBytes += session.keptBytes
    this.#enforceLimits()
  }

  sessionResumed (session: HostedSession): void {
    if (this.#suspended.delete(session)) this.#keptBytes -= session.keptBytes
  }

  keptBytesChanged (session: HostedSession, bytes: number): void {
    if (!this.#suspended.has(session)) return
    this.#keptBytes += bytes
    if (bytes > 0) this.#enforceLimits()
  }

  /** Leaves a tombstone, unless the window is over. */
  sessionEnded (session: HostedSession, reason: CloseReason): void {
    this.sessionResumed(session)
    if (session.endedForLimit) this.#leaveTombstone(this.#evicted, session, undefined)
    else if (!isLoss(reason)) this.#leaveTombstone(this.#tombstones, session, reason)
  }

  #leaveTombstone (
    tombstones: Map<number, Tombstone>, session: HostedSession, reason: CloseReason | undefined
  ): void {
    const tombstone = new Tombstone(session, reason, (expired) => { this.#remove(expired) })
    tombstones.set(session.serial, tombstone)
    this.schedule(tombstone, Math.max(0, session.windowLeft))
    this.#enforceLimits()
  }

  clientAdvised (session: HostedSession): void {
    this.#advised.add(session)
  }

  wasAdvised (session: HostedSession): boolean {
    return this.#advised.has(session)
  }

  unknownControl (): void {
    this.unknownControls++
  }

  countResume (): number {
    return ++this.resumes
  }

  /** Releases all tombstones, when the server closes. */
  close (): void {
    for (const tombstone of [...this.#tombstones.values(), ...this.#evicted.values()]) {
      this.#remove(tombstone)
    }
  }

  #remove (tombstone: Tombstone): void {
    this.cancel(tombstone)
    this.#tombstones.delete(tombstone.serial)
    this.#evicted.delete(tombstone.serial)
  }

  /** Tombstones go first, because a session is worth more. */
  #enforceLimits (): void {
    const { maxSuspended, maxResumeBytes } = this.#options
    for (const tombstone of this.#tombstones.values()) {
      if (this.#suspended.size + this.#tombstones.size <= maxSuspended) break
      this.#remove(tombstone)
    }
    for (const tombstone of this.#evicted.values()) {
      if (this.#evicted.size <= maxSuspended) break
      this.#remove(tombstone)
    }
    for (const session of this.#suspended) {
      if (this.#suspended.size <= maxSuspended && this.#keptBytes <= maxResumeBytes) return
      // Its end may have to wait for a message that is being inflated.
      this.sessionResumed(session)
      session.endForLimit()
    }
  }
}
