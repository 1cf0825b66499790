import { deleteInner, innerMap } from '../nested-maps.js'
import type { Peer } from '../membership/peer.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { LocalNode } from '../../process/remote/remote-nodes.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** A listener of this node that monitors a remote process. */
export interface OutgoingMonitor {
  readonly peer: Peer
  readonly ref: number
  readonly target: Pid
  readonly listener: ExitListener
}

/**
 * The remote processes that this node monitors. Whoever removes a record, and only that code, calls
 * its listener. So each is called once: by the exit or by the channel reset, whichever is first.
 */
export class OutgoingMonitors {
  readonly #byPeer = new Map<Peer, Map<number, OutgoingMonitor>>()
  readonly #byTarget = new Map<Pid, Map<ExitListener, OutgoingMonitor>>()

  get size (): number {
    return this.#byPeer.size + this.#byTarget.size
  }

  find (target: Pid, listener: ExitListener): OutgoingMonitor | undefined {
    return this.#byTarget.get(target)?.get(listener)
  }

  findByRef (peer: Peer, ref: number): OutgoingMonitor | undefined {
    return this.#byPeer.get(peer)?.get(ref)
  }

  /** A copy: the listener of one may remove others. */
  allOf (peer: Peer): OutgoingMonitor[] {
    return [...this.#byPeer.get(peer)?.values() ?? []]
  }

  add (monitor: OutgoingMonitor): void {
    innerMap(this.#byPeer, monitor.peer).set(monitor.ref, monitor)
    innerMap(this.#byTarget, monitor.target).set(monitor.listener, monitor)
  }

  removeByRef (peer: Peer, ref: number): OutgoingMonitor | undefined {
    const monitor = this.findByRef(peer, ref)
    if (monitor !== undefined) this.remove(monitor)
    return monitor
  }

  remove ({ peer, ref, target, listener }: OutgoingMonitor): void {
    deleteInner(this.#byPeer, peer, ref)
    deleteInner(this.#byTarget, target, listener)
  }
}

interface IncomingMonitor extends Pick<OutgoingMonitor, 'target' | 'listener'> {
  readonly onRemoved: (() => void) | undefined
}

/** The processes of this node that other nodes monitor, by the reference of the other node. */
export class IncomingMonitors {
  readonly #local: LocalNode
  readonly #byPeer = new Map<Peer, Map<number, IncomingMonitor>>()

  constructor (local: LocalNode) {
    this.#local = local
  }

  get size (): number {
    return this.#byPeer.size
  }

  /**
   * @param onExit called once, unless the monitor is removed before
   * @param onRemoved called in that case
   */
  add (
    peer: Peer, ref: number, target: Pid, onExit: (exit: Exit) => void, onRemoved?: () => void
  ): void {
    this.remove(peer, ref)
    const listener: ExitListener = {
      targetEnded: (exit) => {
        deleteInner(this.#byPeer, peer, ref)
        onExit(exit)
      }
    }
    innerMap(this.#byPeer, peer).set(ref, { target, listener, onRemoved })
    this.#local.monitor(target, listener)
  }

  has (peer: Peer, ref: number): boolean {
    return this.#byPeer.get(peer)?.has(ref) === true
  }

  remove (peer: Peer, ref: number): void {
    const monitor = this.#byPeer.get(peer)?.get(ref)
    if (monitor === undefined) return
    deleteInner(this.#byPeer, peer, ref)
    this.#local.demonitor(monitor.target, monitor.listener)
    monitor.onRemoved?.()
  }

  removeAll (peer: Peer): void {
    for (const ref of [...this.#byPeer.get(peer)?.keys() ?? []]) this.remove(peer, ref)
  }
}
