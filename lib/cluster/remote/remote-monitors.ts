import { exitFields, exitOf, types } from '../link/frames.js'
import { serialOf } from '../membership/peer.js'
import { IncomingMonitors, Watches } from './watches.js'
import type { Frame } from '../link/codec.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'

/** Monitors across nodes, as OTP's: exactly one exit for each that is not taken back. */
export class RemoteMonitors {
  readonly #hub: NodeContext
  readonly #watches = new Watches()
  readonly #served: IncomingMonitors

  constructor (hub: NodeContext) {
    this.#hub = hub
    this.#served = new IncomingMonitors(hub)
  }

  get size (): number {
    return this.#watches.size + this.#served.size
  }

  watch (target: Pid, watcher: ExitListener): void {
    if (this.#watches.find(target, watcher) !== undefined) return
    const peer = this.#hub.peerOf(target)
    if (peer === undefined) return watcher.targetEnded({ pid: target, reason: this.#hub.absence(target) })
    const ref = this.#hub.nextRef()
    // First the record: a channel that breaks under this frame tells it.
    this.#watches.add({ peer, ref, target, watcher })
    peer.push({ type: types.monitor, to: serialOf(target), ref })
  }

  unwatch (target: Pid, watcher: ExitListener): void {
    const watch = this.#watches.find(target, watcher)
    if (watch === undefined) return
    this.#watches.remove(watch)
    watch.peer.push({ type: types.demonitor, ref: watch.ref })
  }

  /** Frames of another node. @returns undefined for one that is not of this kind, false for garbage */
  receive (peer: Peer, frame: Frame): boolean | undefined {
    const { type, to, ref } = frame
    switch (type) {
      case types.monitor:
        this.#served.add(peer, ref, this.#hub.pid(to), (exit) => { peer.push({ type: types.down, ref, ...exitFields(exit, this.#hub) }) })
        return true
      case types.demonitor:
        this.#served.drop(peer, ref)
        return true
      case types.down:
        return this.#down(peer, frame)
      default:
        return undefined
    }
  }

  #down (peer: Peer, frame: Frame): boolean {
    const watch = this.#watches.take(peer, frame.ref)
    // Taken back, while it was on its way.
    if (watch === undefined) return true
    const exit = exitOf(frame, watch.target)
    this.#hub.guard(() => { watch.watcher.targetEnded(exit ?? { pid: watch.target, reason: 'noconnection' }) })
    return exit !== undefined
  }

  /** The channel is torn: nobody knows any more what goes on there. */
  torn (peer: Peer): void {
    this.#served.dropAll(peer)
    for (const { ref, target, watcher } of this.#watches.of(peer)) {
      // One that is told may take back another.
      if (this.#watches.take(peer, ref) === undefined) continue
      this.#hub.guard(() => { watcher.targetEnded({ pid: target, reason: 'noconnection' }) })
    }
  }
}
