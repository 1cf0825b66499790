import { frameTypes } from '../link/frame-types.js'
import { exitFields, exitOf } from '../values/exit-payload.js'
import { serialOf } from '../membership/peer.js'
import { IncomingMonitors, OutgoingMonitors } from './monitor-tables.js'
import type { Frame } from '../link/codec.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'

/** Monitors across nodes, as OTP's: each gets exactly one exit, unless it is removed before. */
export class RemoteMonitors {
  readonly #node: NodeContext
  readonly #outgoing = new OutgoingMonitors()
  readonly #incoming: IncomingMonitors

  constructor (node: NodeContext) {
    this.#node = node
    this.#incoming = new IncomingMonitors(node)
  }

  get size (): number {
    return this.#outgoing.size + this.#incoming.size
  }

  monitor (target: Pid, listener: ExitListener): void {
    if (this.#outgoing.find(target, listener) !== undefined) return
    const peer = this.#node.peerOf(target)
    if (peer === undefined) {
      const reason = this.#node.exitReasonFor(target)
      return listener.targetEnded({ pid: target, reason })
    }
    const ref = this.#node.nextRef()
    // Add it first: if sending this frame resets the channel, the listener must be called.
    this.#outgoing.add({ peer, ref, target, listener })
    peer.sendFrame({ type: frameTypes.monitor, to: serialOf(target), ref })
  }

  demonitor (target: Pid, listener: ExitListener): void {
    const monitor = this.#outgoing.find(target, listener)
    if (monitor === undefined) return
    this.#outgoing.remove(monitor)
    monitor.peer.sendFrame({ type: frameTypes.demonitor, ref: monitor.ref })
  }

  /** @returns undefined when a frame is not about monitors, false when it is garbage */
  receive (peer: Peer, frame: Frame): boolean | undefined {
    const { type, to, ref } = frame
    switch (type) {
      case frameTypes.monitor:
        this.#incoming.add(peer, ref, this.#node.pid(to), (exit) => {
          peer.sendFrame({ type: frameTypes.down, ref, ...exitFields(exit, this.#node) })
        })
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
    const monitor = this.#outgoing.removeByRef(peer, frame.ref)
    // It was removed while this frame was under way.
    if (monitor === undefined) return true
    const exit = exitOf(frame, monitor.target)
    const { listener, target } = monitor
    this.#node.guard(() => {
      listener.targetEnded(exit ?? { pid: target, reason: 'noconnection' })
    })
    return exit !== undefined
  }

  /** Call when the channel to a node was reset: its frames may be lost, so its exits too. */
  channelReset (peer: Peer): void {
    this.#incoming.removeAll(peer)
    for (const { ref, target, listener } of this.#outgoing.allOf(peer)) {
      // A listener that was called before may have removed this monitor.
      if (this.#outgoing.removeByRef(peer, ref) === undefined) continue
      this.#node.guard(() => { listener.targetEnded({ pid: target, reason: 'noconnection' }) })
    }
  }
}
