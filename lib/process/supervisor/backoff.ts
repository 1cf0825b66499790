import { longestDelay } from '../../shared/duration.js'
import type { SupervisorPlan } from './spec.js'

/** How long the next restart waits: longer with each failure in a row. */
export class Backoff {
  readonly #settings: SupervisorPlan['backoff']
  readonly #period: number
  readonly #random: () => number
  #failures = 0

  constructor ({ backoff, period }: Pick<SupervisorPlan, 'backoff' | 'period'>, random: () => number = Math.random) {
    this.#settings = backoff
    this.#period = period
    this.#random = random
  }

  /** @param ran milliseconds the child ran before it failed: after a whole period the row is broken */
  nextDelay (ran: number): number {
    if (this.#settings === undefined) return 0
    const { initial, max, factor, jitter } = this.#settings
    if (ran >= this.#period) this.#failures = 0
    const delay = Math.min(max, initial * factor ** this.#failures++)
    return Math.min(longestDelay, delay * (1 + jitter * (2 * this.#random() - 1)))
  }
}
