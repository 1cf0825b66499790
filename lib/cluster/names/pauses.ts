import { unavailableError } from '../errors.js'
import type { Clock } from '../../shared/clock.js'

/** Waits that end with the node. */
export class Pauses {
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()
  #closed = false

  constructor (clock: Clock) {
    this.#clock = clock
  }

  get size (): number {
    return this.#waiting.size
  }

  /** @throws `FST_CLUSTER_UNAVAILABLE` when the node leaves meanwhile */
  start (ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        timer.cancel()
        this.#waiting.delete(end)
        if (this.#closed) reject(unavailableError('this node has left it'))
        else resolve()
      }
      const timer = this.#clock.after(ms, end)
      this.#waiting.add(end)
    })
  }

  /** Whoever waits is told at once. */
  close (): void {
    this.#closed = true
    for (const end of this.#waiting) end()
  }
}
