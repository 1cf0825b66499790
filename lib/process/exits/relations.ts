import { MultiMap } from '../../shared/multimap.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** An exit, and what a connection has to know of the node of its target. */
export interface TargetExit extends Exit {
  /** The target lives still: its node has said that it is closing. The reason is `noconnection`. */
  readonly nodeClosing?: boolean
}

/** Told once of the end of what it watches. */
export interface Watcher {
  targetEnded (exit: TargetExit): void
}

/**
 * Who watches whom and who is linked with whom, by PID. Taking a record out IS the right to act on
 * it, which makes every exit arrive exactly once.
 */
export class Relations {
  readonly #watchers = new MultiMap<Pid, Watcher>()
  readonly #links = new MultiMap<Pid, Pid>()

  watch (target: Pid, watcher: Watcher): void {
    this.#watchers.add(target, watcher)
  }

  /** @returns whether it was there */
  unwatch (target: Pid, watcher: Watcher): boolean {
    return this.#watchers.delete(target, watcher)
  }

  takeWatchers (target: Pid): Iterable<Watcher> {
    return this.#watchers.take(target)
  }

  link (one: Pid, other: Pid): void {
    this.#links.add(one, other)
    this.#links.add(other, one)
  }

  /** @returns whether they were linked */
  unlink (one: Pid, other: Pid): boolean {
    this.#links.delete(other, one)
    return this.#links.delete(one, other)
  }

  linksOf (pid: Pid): Iterable<Pid> {
    return this.#links.get(pid)
  }

  takeLinks (pid: Pid): Iterable<Pid> {
    const peers = this.#links.take(pid)
    for (const peer of peers) this.#links.delete(peer, pid)
    return peers
  }

  /** Records held, for the tests that count what remains. */
  get size (): number {
    return this.#watchers.size + this.#links.size
  }
}
