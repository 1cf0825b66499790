import type { RestartIntensity } from './intensity.js'
import type { SupervisedChild } from './child.js'
import type { ProcessTimers } from '../actor/timers.js'
import type { Timer } from '../../../types/processes.js'

/** Children that are started together after a while. The clock of the intensity stands still so long. */
export class PendingRestart {
  readonly #children: Set<SupervisedChild>
  readonly #intensity: RestartIntensity
  readonly #timer: Timer

  constructor (children: readonly SupervisedChild[], intensity: RestartIntensity, timers: ProcessTimers, delay: number, over: () => void) {
    this.#children = new Set(children)
    this.#intensity = intensity
    for (const child of children) child.pendingRestart = this
    intensity.pauseClock()
    this.#timer = timers.after(delay, over)
  }

  /** One of them is not to be started. The others still are. */
  removeChild (child: SupervisedChild): void {
    child.pendingRestart = undefined
    this.#children.delete(child)
    if (this.#children.size > 0) return
    this.#timer.cancel()
    this.#intensity.resumeClock()
  }

  /** The time is over. @returns those who are to be started, in order */
  takeChildren (): SupervisedChild[] {
    const children = [...this.#children]
    for (const child of children) this.removeChild(child)
    return children
  }
}
