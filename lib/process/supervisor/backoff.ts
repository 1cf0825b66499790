import { longestDelay } from '../../shared/duration.js'
import type { SupervisorPlan } from './spec.js'

/** How long the next restart waits: longer with each failure in a row. */
export class Backoff {
  readonly #terms: SupervisorPlan['backoff']
  readonly #period: number
  readonly #random: () => number
  #failures = 0

  constructor ({ backoff, period }: Pick<SupervisorPlan, 'backoff' | 'period'>, random: () => number = Math.random) {
    this.#terms = backoff
    this.#period = period
    this.#random = random
  }

  /** @param ran milliseconds the child ran before it failed: after a whole period the row is broken */
  next (ran: number): number {
    if (this.#terms === undefined) return 0
    const { initial, max, factor, jitter } = this.#terms
    if (ran >= this.#period) this.#failures = 0
    const delay = Math.min(max, initial * factor ** this.#failures++)
    return Math.min(longestDelay, delay * (1 + jitter * (2 * this.#random() - 1)))
  }
}
