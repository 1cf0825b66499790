import type { Clock } from '../shared/clock.js'
import type { Logger } from '../../types/options.js'

/** Least milliseconds between two lines. */
const logInterval = 10_000

/** The counts of one overflow. */
export interface Overflow {
  /** Bytes that wait for the client. */
  readonly buffered: number
  readonly maxBufferedAmount: number
  /** Messages that this connection has dropped so far; 0 if it is closed instead. */
  readonly dropped: number
}

/**
 * Logs clients that read too slowly, with at most one line in ten seconds for a whole server: when
 * a network fails, thousands of clients are slow at once. `unlogged` in a line is the number of
 * overflows since the line before.
 */
export class OverflowLog {
  readonly #clock: Clock
  #loggedAt = -Infinity
  #unlogged = 0

  constructor (clock: Clock) {
    this.#clock = clock
  }

  /** @param connection its logger is made only if a line is logged */
  warn (connection: { readonly log: Logger }, overflow: Overflow, text: string): void {
    const now = this.#clock.now()
    if (now - this.#loggedAt < logInterval) {
      this.#unlogged++
      return
    }
    this.#loggedAt = now
    const unlogged = this.#unlogged
    this.#unlogged = 0
    connection.log.warn({ ...overflow, unlogged }, text)
  }
}
