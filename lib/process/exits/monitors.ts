import type { CallHost } from '../calls.js'
import type { ExitListener } from './relations.js'
import type { Exit, SystemTopics } from '../../../types/messages.js'
import type { Monitor, Pid } from '../../../types/pid.js'

/** The exit signals, as the monitors of a process use them. */
export interface MonitorSignals extends CallHost {
  nextMonitorId (): Monitor
}

/** The process that gets the `@exit` messages. */
export interface MonitorsOwner {
  notify (topic: '@exit', payload: SystemTopics['@exit']): void
}

/** One process monitors another one. It ends by an exit or by a release: never by both. */
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
  readonly #exitSignals: MonitorSignals
  readonly #owner: MonitorsOwner
  readonly #monitors = new Map<Monitor, ActorMonitor>()

  constructor (exitSignals: MonitorSignals, owner: MonitorsOwner) {
    this.#exitSignals = exitSignals
    this.#owner = owner
  }

  /** The `@exit` of a dead target is in the mailbox when this returns. */
  addMonitor (target: Pid): Monitor {
    const monitor = new ActorMonitor(this, this.#exitSignals.nextMonitorId(), target)
    this.#monitors.set(monitor.id, monitor)
    this.#exitSignals.monitor(target, monitor)
    return monitor.id
  }

  /** @returns false when it has fired already, or never existed */
  removeMonitor (id: Monitor): boolean {
    const monitor = this.#monitors.get(id)
    if (monitor === undefined) return false
    this.#monitors.delete(id)
    this.#exitSignals.demonitor(monitor.target, monitor)
    return true
  }

  monitorFired (id: Monitor, exit: Exit): void {
    this.#monitors.delete(id)
    this.#owner.notify('@exit', { ...exit, monitor: id })
  }

  releaseAll (): void {
    for (const monitor of this.#monitors.values()) {
      this.#exitSignals.demonitor(monitor.target, monitor)
    }
    this.#monitors.clear()
  }

  get targets (): Pid[] {
    return Array.from(this.#monitors.values(), (monitor) => monitor.target)
  }
}
