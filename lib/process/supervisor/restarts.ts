import { longestDelay } from '../../shared/duration.js'
import type { Clock } from '../../shared/clock.js'
import type { ProcessTimers } from '../actor/timers.js'
import type { SupervisorPlan } from './spec.js'
import type { Timer } from '../../../types/options.js'

/**
 * Counts the restarts of a supervisor within its period (OTP's restart intensity).
 *
 * Its clock is paused while a restart is delayed: otherwise a long backoff would hide a crash loop.
 */
export class RestartIntensity {
  readonly #maxRestarts: number
  readonly #period: number
  readonly #clock: Pick<Clock, 'now'>
  #restarts: number[] = []
  /** How many delayed restarts pause the clock. */
  #pauses = 0
  #pausedAt = 0
  #pausedTime = 0

  constructor (maxRestarts: number, period: number, clock: Pick<Clock, 'now'>) {
    this.#maxRestarts = maxRestarts
    this.#period = period
    this.#clock = clock
  }

  /** @returns whether this restart is within the limit */
  recordRestart (): boolean {
    const now = this.#runningTime()
    this.#restarts = this.#restarts.filter((time) => now - time < this.#period)
    this.#restarts.push(now)
    return this.#restarts.length <= this.#maxRestarts
  }

  /** How many restarts are within the limit now. */
  get restartsLeft (): number {
    const now = this.#runningTime()
    const recent = this.#restarts.filter((time) => now - time < this.#period)
    return Math.max(0, this.#maxRestarts - recent.length)
  }

  pauseClock (): void {
    if (this.#pauses++ === 0) this.#pausedAt = this.#clock.now()
  }

  resumeClock (): void {
    if (--this.#pauses === 0) this.#pausedTime += this.#clock.now() - this.#pausedAt
  }

  #runningTime (): number {
    return (this.#pauses > 0 ? this.#pausedAt : this.#clock.now()) - this.#pausedTime
  }
}

/** The delay before a restart. It grows with each failure in a row. */
export class RestartBackoff {
  readonly #settings: SupervisorPlan['backoff']
  readonly #period: number
  readonly #random: () => number
  #failures = 0

  constructor (
    { backoff, period }: Pick<SupervisorPlan, 'backoff' | 'period'>,
    random: () => number = Math.random
  ) {
    this.#settings = backoff
    this.#period = period
    this.#random = random
  }

  /** @param ran milliseconds the child ran: after a whole period, the count of failures is reset */
  nextDelay (ran: number): number {
    if (this.#settings === undefined) return 0
    const { initial, max, factor, jitter } = this.#settings
    if (ran >= this.#period) this.#failures = 0
    const delay = Math.min(max, initial * factor ** this.#failures++)
    return Math.min(longestDelay, delay * (1 + jitter * (2 * this.#random() - 1)))
  }
}

/** A child that may wait for a delayed restart. */
export interface Restartable {
  pendingRestart: { removeChild (child: Restartable): void } | undefined
}

/**
 * A delayed restart of one or more children. The clock of the restart intensity is paused
 * meanwhile.
 */
export class PendingRestart<C extends Restartable> {
  readonly #children: Set<Restartable>
  readonly #intensity: RestartIntensity
  readonly #timer: Timer

  constructor (
    children: readonly C[],
    intensity: RestartIntensity,
    timers: ProcessTimers,
    delay: number,
    onDue: () => void
  ) {
    this.#children = new Set(children)
    this.#intensity = intensity
    for (const child of children) child.pendingRestart = this
    intensity.pauseClock()
    this.#timer = timers.after(delay, onDue)
  }

  /** Excludes a child. The others are still restarted. */
  removeChild (child: Restartable): void {
    child.pendingRestart = undefined
    this.#children.delete(child)
    if (this.#children.size > 0) return
    this.#timer.cancel()
    this.#intensity.resumeClock()
  }

  /** Call it when the delay is over. @returns the children to start, in order */
  takeChildren (): C[] {
    const children = [...this.#children] as C[]
    for (const child of children) this.removeChild(child)
    return children
  }
}
