import type { NodeContext, Peer } from '../membership/peer.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** One watcher of this node and what it watches. */
export interface Watch {
  readonly peer: Peer
  readonly ref: number
  readonly target: Pid
  readonly watcher: ExitListener
}

/**
 * What this node watches elsewhere. Taking a record out IS the right to tell its watcher: each is told once, by the
 * other node or by the loss of it, whichever is first.
 */
export class Watches {
  readonly #ofPeer = new Map<Peer, Map<number, Watch>>()
  readonly #ofTarget = new Map<Pid, Map<ExitListener, Watch>>()

  get size (): number {
    return this.#ofPeer.size + this.#ofTarget.size
  }

  find (target: Pid, watcher: ExitListener): Watch | undefined {
    return this.#ofTarget.get(target)?.get(watcher)
  }

  at (peer: Peer, ref: number): Watch | undefined {
    return this.#ofPeer.get(peer)?.get(ref)
  }

  /** All that are watched there now: what is told of one may take out others. */
  of (peer: Peer): Watch[] {
    return [...this.#ofPeer.get(peer)?.values() ?? []]
  }

  add (watch: Watch): void {
    entry(this.#ofPeer, watch.peer).set(watch.ref, watch)
    entry(this.#ofTarget, watch.target).set(watch.watcher, watch)
  }

  take (peer: Peer, ref: number): Watch | undefined {
    const watch = this.at(peer, ref)
    if (watch !== undefined) this.remove(watch)
    return watch
  }

  remove ({ peer, ref, target, watcher }: Watch): void {
    drop(this.#ofPeer, peer, ref)
    drop(this.#ofTarget, target, watcher)
  }
}

/** What another node watches here, by its reference. */
export class IncomingMonitors {
  readonly #hub: NodeContext
  readonly #ofPeer = new Map<Peer, Map<number, { readonly target: Pid, readonly watcher: ExitListener }>>()

  constructor (hub: NodeContext) {
    this.#hub = hub
  }

  get size (): number {
    return this.#ofPeer.size
  }

  /** @param ended called once, unless it is dropped before */
  add (peer: Peer, ref: number, target: Pid, ended: (exit: Exit) => void): void {
    this.drop(peer, ref)
    const watcher: ExitListener = {
      targetEnded: (exit) => {
        drop(this.#ofPeer, peer, ref)
        ended(exit)
      }
    }
    entry(this.#ofPeer, peer).set(ref, { target, watcher })
    this.#hub.here.monitor(target, watcher)
  }

  has (peer: Peer, ref: number): boolean {
    return this.#ofPeer.get(peer)?.has(ref) === true
  }

  drop (peer: Peer, ref: number): void {
    const served = this.#ofPeer.get(peer)?.get(ref)
    if (served === undefined) return
    drop(this.#ofPeer, peer, ref)
    this.#hub.here.demonitor(served.target, served.watcher)
  }

  dropAll (peer: Peer): void {
    for (const ref of [...this.#ofPeer.get(peer)?.keys() ?? []]) this.drop(peer, ref)
  }
}

/** The map of a key, made when it is not there. */
export function entry<A, B, C> (maps: Map<A, Map<B, C>>, key: A): Map<B, C> {
  let map = maps.get(key)
  if (map === undefined) maps.set(key, map = new Map())
  return map
}

/** Takes one out; a map without entries takes no memory. */
export function drop<A, B, C> (maps: Map<A, Map<B, C>>, key: A, inner: B): void {
  const map = maps.get(key)
  if (map?.delete(inner) === true && map.size === 0) maps.delete(key)
}
