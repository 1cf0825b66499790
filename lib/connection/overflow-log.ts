import type { Logger } from '../../types/processes.js'

/** Milliseconds from one line to the next. */
const logInterval = 10_000

/** The counts of one overflow. */
export interface Overflow {
  /** Bytes that wait for the client. */
  readonly buffered: number
  readonly maxBufferedAmount: number
  /** Frames this connection has dropped so far; 0 if it is closed instead. */
  readonly dropped: number
}

/**
 * Warns of clients that read too slowly, at most once in ten seconds for a whole server: when a
 * network fails, thousands of clients are slow at once. The next line has the number of those between.
 */
export class OverflowLog {
  #loggedAt = -Infinity
  #unlogged = 0

  /** @param of whose logger is made only if there is a line to log */
  warn (of: { readonly log: Logger }, overflow: Overflow, text: string): void {
    const now = performance.now()
    if (now - this.#loggedAt < logInterval) {
      this.#unlogged++
      return
    }
    this.#loggedAt = now
    const unlogged = this.#unlogged
    this.#unlogged = 0
    of.log.warn({ ...overflow, unlogged }, text)
  }
}
