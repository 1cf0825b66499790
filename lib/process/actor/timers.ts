import type { Timer } from '../../../types/processes.js'

/** The timers of one process. They are cancelled when it ends. */
export class ProcessTimers {
  readonly #running = new Set<NodeJS.Timeout>()

  after (ms: number, task: () => void): Timer {
    const timer = setTimeout(() => {
      this.#running.delete(timer)
      task()
    }, ms)
    return this.#track(timer)
  }

  every (ms: number, task: () => void): Timer {
    return this.#track(setInterval(task, ms))
  }

  cancelAll (): void {
    for (const timer of this.#running) clearTimeout(timer)
    this.#running.clear()
  }

  #track (timer: NodeJS.Timeout): Timer {
    this.#running.add(timer)
    return {
      cancel: () => {
        clearTimeout(timer)
        this.#running.delete(timer)
      }
    }
  }
}
