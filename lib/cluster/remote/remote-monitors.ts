import { frameTypes } from '../link/frame-types.js'
import { exitFields, exitOf } from '../values/exit-payload.js'
import { serialOf } from '../membership/peer.js'
import { IncomingMonitors, OutgoingMonitors } from './monitor-tables.js'
import type { Frame } from '../link/codec.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'

/** Monitors across nodes, as OTP's: exactly one exit for each that is not taken back. */
export class RemoteMonitors {
  readonly #node: NodeContext
  readonly #outgoing = new OutgoingMonitors()
  readonly #incoming: IncomingMonitors

  constructor (hub: NodeContext) {
    this.#node = hub
    this.#incoming = new IncomingMonitors(hub)
  }

  get size (): number {
    return this.#outgoing.size + this.#incoming.size
  }

  monitor (target: Pid, watcher: ExitListener): void {
    if (this.#outgoing.find(target, watcher) !== undefined) return
    const peer = this.#node.peerOf(target)
    if (peer === undefined) return watcher.targetEnded({ pid: target, reason: this.#node.exitReasonFor(target) })
    const ref = this.#node.nextRef()
    // First the record: a channel that breaks under this frame tells it.
    this.#outgoing.add({ peer, ref, target, watcher })
    peer.sendFrame({ type: frameTypes.monitor, to: serialOf(target), ref })
  }

  demonitor (target: Pid, watcher: ExitListener): void {
    const watch = this.#outgoing.find(target, watcher)
    if (watch === undefined) return
    this.#outgoing.remove(watch)
    watch.peer.sendFrame({ type: frameTypes.demonitor, ref: watch.ref })
  }

  /** Frames of another node. @returns undefined for one that is not of this kind, false for garbage */
  receive (peer: Peer, frame: Frame): boolean | undefined {
    const { type, to, ref } = frame
    switch (type) {
      case frameTypes.monitor:
        this.#incoming.add(peer, ref, this.#node.pid(to), (exit) => { peer.sendFrame({ type: frameTypes.down, ref, ...exitFields(exit, this.#node) }) })
        return true
      case frameTypes.demonitor:
        this.#incoming.remove(peer, ref)
        return true
      case frameTypes.down:
        return this.#receiveDown(peer, frame)
      default:
        return undefined
    }
  }

  #receiveDown (peer: Peer, frame: Frame): boolean {
    const watch = this.#outgoing.removeByRef(peer, frame.ref)
    // Taken back, while it was on its way.
    if (watch === undefined) return true
    const exit = exitOf(frame, watch.target)
    this.#node.guard(() => { watch.watcher.targetEnded(exit ?? { pid: watch.target, reason: 'noconnection' }) })
    return exit !== undefined
  }

  /** The channel is torn: nobody knows any more what goes on there. */
  channelReset (peer: Peer): void {
    this.#incoming.removeAll(peer)
    for (const { ref, target, watcher } of this.#outgoing.allOf(peer)) {
      // One that is told may take back another.
      if (this.#outgoing.removeByRef(peer, ref) === undefined) continue
      this.#node.guard(() => { watcher.targetEnded({ pid: target, reason: 'noconnection' }) })
    }
  }
}
