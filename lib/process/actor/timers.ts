import type { Cancellable, Clock } from '../../shared/clock.js'
import type { Timer } from '../../../types/options.js'

/** The timers of one process. They are cancelled when it ends. */
export class ProcessTimers {
  readonly #clock: Clock
  readonly #running = new Set<Timer>()

  constructor (clock: Clock) {
    this.#clock = clock
  }

  after (ms: number, task: () => void): Timer {
    const started = this.#clock.after(ms, () => {
      this.#running.delete(timer)
      task()
    })
    const timer = this.#track(() => started)
    return timer
  }

  /** Like an interval of Node, it counts from the start of the task. */
  every (ms: number, task: () => void): Timer {
    let started: Cancellable
    const start = (): void => {
      started = this.#clock.after(ms, () => {
        start()
        task()
      })
    }
    start()
    return this.#track(() => started)
  }

  cancelAll (): void {
    for (const timer of [...this.#running]) timer.cancel()
  }

  #track (current: () => Cancellable): Timer {
    const timer: Timer = {
      cancel: () => {
        current().cancel()
        this.#running.delete(timer)
      }
    }
    this.#running.add(timer)
    return timer
  }
}
