import { closeCodes } from '../close-codes.js'
import type { CloseReason } from '../close-codes.js'
import type { Deadline, DeadlineTimer, Slot } from '../../shared/deadline-timer.js'

/** The connection, as far as its expiry deals with it. */
export interface ExpiringConnection {
  /** Tells the target. @param expiresAt milliseconds since 1970 */
  sendExpiring (expiresAt: number): void
  closeFor (reason: CloseReason): void
}

/** When a connection expires: never, a time since 1970 or a time from now, in milliseconds. */
export type ExpiryTime = 'never' | { readonly at: number } | { readonly in: number }

/** The fields of the header, or of a `ws.control`, about expiry. */
export interface ExpiryChange {
  readonly expires?: ExpiryTime
  /** Milliseconds before the end; 0: the target is not told. */
  readonly expiryNotice?: number
}

/**
 * The clock may be set, or the machine suspended: after so many milliseconds the time of day is
 * looked at again.
 */
const recheckInterval = 60_000

/** Ends a connection at a time of day, and tells its target some time before. */
export class Expiry implements Deadline {
  slot: Slot | undefined
  readonly #connection: ExpiringConnection
  readonly #deadlines: DeadlineTimer
  /** Milliseconds since 1970. */
  #at = Infinity
  #notice = 0
  /** When the target is told. */
  #noticeAt = Infinity
  #isTold = false

  constructor (connection: ExpiringConnection, deadlines: DeadlineTimer) {
    this.#connection = connection
    this.#deadlines = deadlines
  }

  get #now (): number {
    return this.#deadlines.clock.systemTime()
  }

  /** A target that renews in the handler of each notice must not get one after the other. */
  change ({ expires, expiryNotice = this.#notice }: ExpiryChange): void {
    const now = this.#now
    if (expires === 'never') this.#at = Infinity
    else if (expires !== undefined) this.#at = 'in' in expires ? now + expires.in : expires.at
    this.#notice = expiryNotice
    const notice = Math.min(expiryNotice, (this.#at - now) / 2)
    this.#noticeAt = notice > 0 ? this.#at - notice : Infinity
    this.#isTold = false
    this.#schedule(now)
  }

  /** Called when the connection has joined a target. An earlier target may have been told. */
  joined (): void {
    if (this.#isTold) this.#connection.sendExpiring(this.#at)
  }

  due (): void {
    const now = this.#now
    if (now >= this.#at) return this.#connection.closeFor(closeCodes.expired)
    const isToTell = !this.#isTold && now >= this.#noticeAt
    if (isToTell) this.#isTold = true
    this.#schedule(now)
    if (isToTell) this.#connection.sendExpiring(this.#at)
  }

  stop (): void {
    this.#deadlines.cancel(this)
  }

  #schedule (now: number): void {
    if (this.#at === Infinity) return this.stop()
    const next = this.#isTold ? this.#at : Math.min(this.#at, this.#noticeAt)
    this.#deadlines.schedule(this, Math.min(Math.max(0, next - now), recheckInterval))
  }
}
