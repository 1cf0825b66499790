/**
 * How often a supervisor has restarted within its period. The clock stands still while a restart
 * waits in backoff: otherwise a long delay would make every crash loop look harmless.
 */
export class RestartIntensity {
  readonly #maxRestarts: number
  readonly #period: number
  readonly #now: () => number
  #restarts: number[] = []
  #waiting = 0
  #waitingSince = 0
  #waited = 0

  constructor (maxRestarts: number, period: number, now: () => number = () => performance.now()) {
    this.#maxRestarts = maxRestarts
    this.#period = period
    this.#now = now
  }

  /** Counts one more restart. @returns whether it is within the limit */
  allows (): boolean {
    const now = this.#runningTime()
    this.#restarts = this.#restarts.filter((time) => now - time < this.#period)
    this.#restarts.push(now)
    return this.#restarts.length <= this.#maxRestarts
  }

  waitBegins (): void {
    if (this.#waiting++ === 0) this.#waitingSince = this.#now()
  }

  waitEnds (): void {
    if (--this.#waiting === 0) this.#waited += this.#now() - this.#waitingSince
  }

  #runningTime (): number {
    return (this.#waiting > 0 ? this.#waitingSince : this.#now()) - this.#waited
  }
}
