import { MultiMap } from '../../shared/multimap.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** An exit, with one fact about the node of the target that only connections need. */
export interface TargetExit extends Exit {
  /** Set when the target is still alive and its node is closing. The reason is `noconnection`. */
  readonly nodeClosing?: boolean
}

/** Called once when the process that it monitors has ended. */
export interface ExitListener {
  targetEnded (exit: TargetExit): void
}

/**
 * The monitors and links of a node, by PID. Only the code that removes a record may act on it, so
 * every exit signal arrives exactly once.
 */
export class Relations {
  readonly #monitors = new MultiMap<Pid, ExitListener>()
  readonly #links = new MultiMap<Pid, Pid>()

  addMonitor (target: Pid, listener: ExitListener): void {
    this.#monitors.add(target, listener)
  }

  /** @returns false when there was no such monitor */
  removeMonitor (target: Pid, listener: ExitListener): boolean {
    return this.#monitors.delete(target, listener)
  }

  /** The listeners that wait for the end of a process. */
  monitorsOf (target: Pid): Iterable<ExitListener> {
    return this.#monitors.get(target)
  }

  takeMonitors (target: Pid): Iterable<ExitListener> {
    return this.#monitors.takeAll(target)
  }

  addLink (one: Pid, other: Pid): void {
    this.#links.add(one, other)
    this.#links.add(other, one)
  }

  /** @returns false when they were not linked */
  removeLink (one: Pid, other: Pid): boolean {
    this.#links.delete(other, one)
    return this.#links.delete(one, other)
  }

  linksOf (pid: Pid): Iterable<Pid> {
    return this.#links.get(pid)
  }

  takeLinks (pid: Pid): Iterable<Pid> {
    const peers = this.#links.takeAll(pid)
    for (const peer of peers) this.#links.delete(peer, pid)
    return peers
  }

  /** The number of PIDs with records, for tests that look for leaks. */
  get size (): number {
    return this.#monitors.size + this.#links.size
  }
}
