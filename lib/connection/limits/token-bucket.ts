/** The size of a bucket that holds `1 + slack / interval` tokens, and gets one per interval. */
export interface BucketSize {
  /** Milliseconds for one token. */
  readonly interval: number
  /** Milliseconds in which an empty bucket gets all its tokens but one. */
  readonly slack: number
}

/** Milliseconds. Sums of intervals are not exact, and a wait must not come from the error. */
const rounding = 0.001

/**
 * Counts what a client has sent, as a token bucket that starts full. It may get into debt: a
 * message of many bytes is taken whole. It keeps one number, the time at which it is full again
 * (the generic cell rate algorithm), so that nothing has to be added to it as time goes by.
 */
export class TokenBucket {
  /** Undefined: there is no limit. */
  size: BucketSize | undefined
  #fullAt = -Infinity

  /** @returns milliseconds until there is a token; 0 if there is one */
  waitAt (now: number): number {
    if (this.size === undefined) return 0
    const wait = this.#fullAt - this.size.slack - now
    return wait > rounding ? wait : 0
  }

  take (now: number, tokens: number): void {
    if (this.size === undefined) return
    this.#fullAt = Math.max(this.#fullAt, now) + tokens * this.size.interval
  }
}
