import { MultiMap } from '../../shared/multimap.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** An exit, and what a connection has to know of the node of its target. */
export interface TargetExit extends Exit {
  /** The target lives still: its node has said that it is closing. The reason is `noconnection`. */
  readonly nodeClosing?: boolean
}

/** Told once of the end of what it watches. */
export interface ExitListener {
  targetEnded (exit: TargetExit): void
}

/**
 * Who watches whom and who is linked with whom, by PID. Taking a record out IS the right to act on
 * it, which makes every exit arrive exactly once.
 */
export class Relations {
  readonly #monitors = new MultiMap<Pid, ExitListener>()
  readonly #links = new MultiMap<Pid, Pid>()

  addMonitor (target: Pid, watcher: ExitListener): void {
    this.#monitors.add(target, watcher)
  }

  /** @returns whether it was there */
  removeMonitor (target: Pid, watcher: ExitListener): boolean {
    return this.#monitors.delete(target, watcher)
  }

  takeMonitors (target: Pid): Iterable<ExitListener> {
    return this.#monitors.takeAll(target)
  }

  addLink (one: Pid, other: Pid): void {
    this.#links.add(one, other)
    this.#links.add(other, one)
  }

  /** @returns whether they were linked */
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

  /** Records held, for the tests that count what remains. */
  get size (): number {
    return this.#monitors.size + this.#links.size
  }
}
