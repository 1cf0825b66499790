import type { Clock } from '../../shared/clock.js'

/** Entities that all views together visit in one turn of the event loop, at most. */
export const maxVisits = 1000

interface Job {
  /** Each step visits one entity. */
  readonly steps: Iterator<unknown>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Runs long iterations in slices, one for each turn of the event loop, so that nothing waits. */
export class Slices {
  readonly #clock: Pick<Clock, 'later'>
  #jobs: Job[] = []
  #isScheduled = false

  constructor (clock: Pick<Clock, 'later'>) {
    this.#clock = clock
  }

  /** Resolves when the iteration is over; never, if `clear` is called before. */
  run (steps: Iterator<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ steps, resolve, reject })
      this.#schedule()
    })
  }

  /** Drops all jobs. */
  clear (): void {
    this.#jobs = []
  }

  #schedule (): void {
    if (this.#isScheduled || this.#jobs.length === 0) return
    this.#isScheduled = true
    this.#clock.later(this.#runSlice)
  }

  readonly #runSlice = (): void => {
    this.#isScheduled = false
    let visits = 0
    while (visits < maxVisits && this.#jobs.length > 0) {
      const [{ steps, resolve, reject }] = this.#jobs
      try {
        if (steps.next().done !== true) {
          visits++
          continue
        }
        resolve()
      } catch (err) {
        reject(err)
      }
      this.#jobs.shift()
    }
    this.#schedule()
  }
}
