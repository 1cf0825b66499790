/**
 * How often a supervisor has restarted within its period. The clock stands still while a restart
 * waits in backoff: otherwise a long delay would make every crash loop look harmless.
 */
export class RestartIntensity {
  readonly #maxRestarts: number
  readonly #period: number
  readonly #now: () => number
  #restarts: number[] = []
  #pauses = 0
  #pausedAt = 0
  #pausedTime = 0

  constructor (maxRestarts: number, period: number, now: () => number = () => performance.now()) {
    this.#maxRestarts = maxRestarts
    this.#period = period
    this.#now = now
  }

  /** Counts one more restart. @returns whether it is within the limit */
  recordRestart (): boolean {
    const now = this.#runningTime()
    this.#restarts = this.#restarts.filter((time) => now - time < this.#period)
    this.#restarts.push(now)
    return this.#restarts.length <= this.#maxRestarts
  }

  pauseClock (): void {
    if (this.#pauses++ === 0) this.#pausedAt = this.#now()
  }

  resumeClock (): void {
    if (--this.#pauses === 0) this.#pausedTime += this.#now() - this.#pausedAt
  }

  #runningTime (): number {
    return (this.#pauses > 0 ? this.#pausedAt : this.#now()) - this.#pausedTime
  }
}
