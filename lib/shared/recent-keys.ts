import type { Clock } from './clock.js'

/** How many keys are remembered, and for how long. */
export interface RecentKeysLimits {
  readonly limit: number
  /** Milliseconds. @defaultValue forever */
  readonly forgetAfter?: number
}

/**
 * Tells the first time of a key from later ones, so that a line is logged once per key. When
 * `limit` keys are remembered, further ones do not count as new: clients can invent any number.
 */
export class RecentKeys {
  readonly #limit: number
  readonly #forgetAfter: number
  readonly #clock: Pick<Clock, 'now'>
  /** The time at which each key was added, the oldest first. */
  readonly #added = new Map<string, number>()

  constructor ({ limit, forgetAfter = Infinity }: RecentKeysLimits, clock: Pick<Clock, 'now'>) {
    this.#limit = limit
    this.#forgetAfter = forgetAfter
    this.#clock = clock
  }

  /** @returns whether the key is new, and there was room for it */
  add (key: string): boolean {
    const now = this.#clock.now()
    for (const [old, at] of this.#added) {
      if (now - at < this.#forgetAfter) break
      this.#added.delete(old)
    }
    if (this.#added.has(key) || this.#added.size >= this.#limit) return false
    this.#added.set(key, now)
    return true
  }
}
