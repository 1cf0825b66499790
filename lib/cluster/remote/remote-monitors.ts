import { frameTypes } from '../link/frame-types.js'
import { exitFields, exitOf } from '../values/exit-payload.js'
import { serialOf } from '../context.js'
import { IncomingMonitors, OutgoingMonitors } from './monitor-tables.js'
import type { NodeContext } from '../context.js'
import type { FrameHandlers } from '../dispatch.js'
import type { Frame } from '../link/codec.js'
import type { Peer } from '../membership/peer.js'
import type { PeerLookup } from '../membership/peers.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'

/** Monitors across nodes, as OTP's: each gets exactly one exit, unless it is removed before. */
export class RemoteMonitors {
  readonly #context: NodeContext
  readonly #peers: PeerLookup
  readonly #outgoing = new OutgoingMonitors()
  readonly #incoming: IncomingMonitors

  readonly handlers = {
    monitor: (peer, frame) => this.#receiveMonitor(peer, frame)
  } satisfies Partial<FrameHandlers>

  constructor (context: NodeContext, peers: PeerLookup) {
    this.#context = context
    this.#peers = peers
    this.#incoming = new IncomingMonitors(context.local)
  }

  get size (): number {
    return this.#outgoing.size + this.#incoming.size
  }

  monitor (target: Pid, listener: ExitListener): void {
    if (this.#outgoing.find(target, listener) !== undefined) return
    const peer = this.#peers.ofPid(target)
    if (peer === undefined) {
      const reason = this.#peers.exitReasonFor(target)
      return listener.targetEnded({ pid: target, reason })
    }
    const ref = this.#context.nextRef()
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

  #receiveMonitor (peer: Peer, { to, ref }: Frame): true {
    this.#incoming.add(peer, ref, this.#context.pid(to), (exit) => {
      peer.sendFrame({ type: frameTypes.down, ref, ...exitFields(exit, this.#context) })
    })
    return true
  }

  /** The other node does not monitor any more. */
  removeIncoming (peer: Peer, ref: number): void {
    this.#incoming.remove(peer, ref)
  }

  receiveDown (peer: Peer, frame: Frame): boolean {
    const monitor = this.#outgoing.removeByRef(peer, frame.ref)
    // It was removed while this frame was under way.
    if (monitor === undefined) return true
    const exit = exitOf(frame, monitor.target)
    const { listener, target } = monitor
    this.#context.guard(() => {
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
      this.#context.guard(() => { listener.targetEnded({ pid: target, reason: 'noconnection' }) })
    }
  }
}
