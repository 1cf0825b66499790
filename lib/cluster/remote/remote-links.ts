import { exitFields, exitOf, types } from '../link/frames.js'
import { serialOf } from '../membership/peer.js'
import { drop, entry } from './watches.js'
import type { Frame } from '../link/codec.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** One end of a link. */
interface Link {
  readonly here: Pid
  readonly there: Pid
  active: boolean
  /** The `unlink` that the other node has not confirmed; 0: none. What it says of the old link does not count. */
  unlinking: number
}

/** Links across nodes, by the protocol of OTP 23: an unlink has a number and is confirmed. */
export class RemoteLinks {
  readonly #hub: NodeContext
  readonly #links = new Map<Peer, Map<string, Link>>()

  constructor (hub: NodeContext) {
    this.#hub = hub
  }

  get size (): number {
    return this.#links.size
  }

  link (here: Pid, there: Pid): void {
    const peer = this.#hub.peerOf(there)
    if (peer === undefined) return this.#hub.here.remoteLinkEnded(here, { pid: there, reason: this.#hub.absence(there) })
    const link = this.#record(peer, here, there)
    if (link.active) return
    link.active = true
    peer.push({ type: types.link, to: serialOf(there), from: serialOf(here) })
  }

  unlink (here: Pid, there: Pid): void {
    const peer = this.#hub.peerOf(there)
    const link = peer && this.#find(peer, here, there)
    if (link === undefined || !link.active) return
    link.active = false
    link.unlinking = this.#hub.nextRef()
    peer!.push({ type: types.unlink, to: serialOf(there), from: serialOf(here), ref: link.unlinking })
  }

  /** A process of this node has ended. */
  ended (exit: Exit, there: Pid): void {
    const peer = this.#hub.peerOf(there)
    const link = peer && this.#find(peer, exit.pid, there)
    if (link === undefined || !link.active) return
    link.active = false
    this.#clean(peer!, link)
    peer!.push({ type: types.linkDown, to: serialOf(there), from: serialOf(exit.pid), ...exitFields(exit, this.#hub) })
  }

  #find (peer: Peer, here: Pid, there: Pid): Link | undefined {
    return this.#links.get(peer)?.get(here + there)
  }

  #record (peer: Peer, here: Pid, there: Pid): Link {
    const link = this.#find(peer, here, there) ?? { here, there, active: false, unlinking: 0 }
    entry(this.#links, peer).set(here + there, link)
    return link
  }

  #clean (peer: Peer, { here, there, active, unlinking }: Link): void {
    if (!active && unlinking === 0) drop(this.#links, peer, here + there)
  }

  /** Frames of another node. @returns undefined for one that is not of this kind, false for garbage */
  receive (peer: Peer, frame: Frame): boolean | undefined {
    const here = this.#hub.pid(frame.to)
    const there = peer.pid(frame.from)
    switch (frame.type) {
      case types.link: return this.#linked(peer, here, there, frame)
      case types.unlink: return this.#unlinked(peer, here, there, frame)
      case types.unlinked: return this.#confirmed(peer, here, there, frame)
      case types.linkDown: return this.#down(peer, here, there, frame)
      default: return undefined
    }
  }

  #linked (peer: Peer, here: Pid, there: Pid, { to, from }: Frame): true {
    const link = this.#find(peer, here, there)
    // It was sent before our unlink was seen there: that will undo it.
    if (link !== undefined && (link.active || link.unlinking !== 0)) return true
    if (this.#hub.here.addRemoteLink(here, there)) this.#record(peer, here, there).active = true
    else peer.push({ type: types.linkDown, to: from, from: to, ...exitFields({ pid: here, reason: 'noproc' }, this.#hub) })
    return true
  }

  #unlinked (peer: Peer, here: Pid, there: Pid, { to, from, ref }: Frame): true {
    const link = this.#find(peer, here, there)
    if (link?.active === true) {
      link.active = false
      this.#clean(peer, link)
      this.#hub.here.removeRemoteLink(here, there)
    }
    peer.push({ type: types.unlinked, to: from, from: to, ref })
    return true
  }

  #confirmed (peer: Peer, here: Pid, there: Pid, { ref }: Frame): true {
    const link = this.#find(peer, here, there)
    if (link?.unlinking !== ref) return true
    link.unlinking = 0
    this.#clean(peer, link)
    return true
  }

  #down (peer: Peer, here: Pid, there: Pid, frame: Frame): boolean {
    const exit = exitOf(frame, there)
    const link = this.#find(peer, here, there)
    // What cannot be read of an exit does not make it none.
    if (link?.active === true && link.unlinking === 0) this.#end(peer, link, exit ?? { pid: there, reason: 'noconnection' })
    return exit !== undefined
  }

  #end (peer: Peer, link: Link, exit: Exit): void {
    link.active = false
    this.#clean(peer, link)
    this.#hub.guard(() => { this.#hub.here.remoteLinkEnded(link.here, exit) })
  }

  torn (peer: Peer): void {
    for (const link of [...this.#links.get(peer)?.values() ?? []]) {
      // Nobody is there to confirm it; and one that is told may take back another.
      link.unlinking = 0
      if (link.active) this.#end(peer, link, { pid: link.there, reason: 'noconnection' })
      else this.#clean(peer, link)
    }
  }
}
