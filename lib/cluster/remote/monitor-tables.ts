import { deleteInner, innerMap } from '../nested-maps.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** One watcher of this node and what it watches. */
export interface OutgoingMonitor {
  readonly peer: Peer
  readonly ref: number
  readonly target: Pid
  readonly watcher: ExitListener
}

/**
 * What this node watches elsewhere. Taking a record out IS the right to tell its watcher: each is told once, by the
 * other node or by the loss of it, whichever is first.
 */
export class OutgoingMonitors {
  readonly #byPeer = new Map<Peer, Map<number, OutgoingMonitor>>()
  readonly #byTarget = new Map<Pid, Map<ExitListener, OutgoingMonitor>>()

  get size (): number {
    return this.#byPeer.size + this.#byTarget.size
  }

  find (target: Pid, watcher: ExitListener): OutgoingMonitor | undefined {
    return this.#byTarget.get(target)?.get(watcher)
  }

  findByRef (peer: Peer, ref: number): OutgoingMonitor | undefined {
    return this.#byPeer.get(peer)?.get(ref)
  }

  /** All that are watched there now: what is told of one may take out others. */
  allOf (peer: Peer): OutgoingMonitor[] {
    return [...this.#byPeer.get(peer)?.values() ?? []]
  }

  add (watch: OutgoingMonitor): void {
    innerMap(this.#byPeer, watch.peer).set(watch.ref, watch)
    innerMap(this.#byTarget, watch.target).set(watch.watcher, watch)
  }

  removeByRef (peer: Peer, ref: number): OutgoingMonitor | undefined {
    const watch = this.findByRef(peer, ref)
    if (watch !== undefined) this.remove(watch)
    return watch
  }

  remove ({ peer, ref, target, watcher }: OutgoingMonitor): void {
    deleteInner(this.#byPeer, peer, ref)
    deleteInner(this.#byTarget, target, watcher)
  }
}

/** What another node watches here, by its reference. */
export class IncomingMonitors {
  readonly #node: NodeContext
  readonly #byPeer = new Map<Peer, Map<number, { readonly target: Pid, readonly watcher: ExitListener }>>()

  constructor (hub: NodeContext) {
    this.#node = hub
  }

  get size (): number {
    return this.#byPeer.size
  }

  /** @param ended called once, unless it is dropped before */
  add (peer: Peer, ref: number, target: Pid, ended: (exit: Exit) => void): void {
    this.remove(peer, ref)
    const watcher: ExitListener = {
      targetEnded: (exit) => {
        deleteInner(this.#byPeer, peer, ref)
        ended(exit)
      }
    }
    innerMap(this.#byPeer, peer).set(ref, { target, watcher })
    this.#node.local.monitor(target, watcher)
  }

  has (peer: Peer, ref: number): boolean {
    return this.#byPeer.get(peer)?.has(ref) === true
  }

  remove (peer: Peer, ref: number): void {
    const served = this.#byPeer.get(peer)?.get(ref)
    if (served === undefined) return
    deleteInner(this.#byPeer, peer, ref)
    this.#node.local.demonitor(served.target, served.watcher)
  }

  removeAll (peer: Peer): void {
    for (const ref of [...this.#byPeer.get(peer)?.keys() ?? []]) this.remove(peer, ref)
  }
}
