import type { Actor } from '../actor/actor.js'
import type { ExitListener } from './relations.js'
import type { Runtime } from '../runtime.js'
import type { Exit } from '../../../types/messages.js'
import type { Monitor, Pid } from '../../../types/pid.js'

/** One process monitors another. Told of its end, or released: never both. */
class ActorMonitor implements ExitListener {
  readonly id: Monitor
  readonly target: Pid
  readonly #monitors: Monitors

  constructor (monitors: Monitors, id: Monitor, target: Pid) {
    this.#monitors = monitors
    this.id = id
    this.target = target
  }

  targetEnded (exit: Exit): void {
    this.#monitors.monitorFired(this.id, exit)
  }
}

/** The monitors of one process. */
export class Monitors {
  readonly #runtime: Runtime
  readonly #owner: Actor
  readonly #monitors = new Map<Monitor, ActorMonitor>()

  constructor (runtime: Runtime, owner: Actor) {
    this.#runtime = runtime
    this.#owner = owner
  }

  /** At once told of the dead. */
  addMonitor (target: Pid): Monitor {
    const monitor = new ActorMonitor(this, this.#runtime.nextMonitorId(), target)
    this.#monitors.set(monitor.id, monitor)
    this.#runtime.monitor(target, monitor)
    return monitor.id
  }

  /** @returns whether it was there: it has not fired, and will not */
  removeMonitor (id: Monitor): boolean {
    const monitor = this.#monitors.get(id)
    if (monitor === undefined) return false
    this.#monitors.delete(id)
    this.#runtime.demonitor(monitor.target, monitor)
    return true
  }

  monitorFired (id: Monitor, exit: Exit): void {
    this.#monitors.delete(id)
    this.#owner.notify('@exit', { ...exit, monitor: id })
  }

  releaseAll (): void {
    for (const monitor of this.#monitors.values()) this.#runtime.demonitor(monitor.target, monitor)
    this.#monitors.clear()
  }

  get targets (): Pid[] {
    return Array.from(this.#monitors.values(), (monitor) => monitor.target)
  }
}
