import { frameTypes } from '../link/frame-types.js'
import { exitFields, exitOf } from '../values/exit-payload.js'
import { serialOf } from '../membership/peer.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import type { Frame } from '../link/codec.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** One end of a link. */
interface Link {
  readonly local: Pid
  readonly remote: Pid
  active: boolean
  /** The `unlink` that the other node has not confirmed; 0: none. What it says of the old link does not count. */
  unlinking: number
}

/** Links across nodes, by the protocol of OTP 23: an unlink has a number and is confirmed. */
export class RemoteLinks {
  readonly #node: NodeContext
  readonly #links = new Map<Peer, Map<string, Link>>()

  constructor (hub: NodeContext) {
    this.#node = hub
  }

  get size (): number {
    return this.#links.size
  }

  link (here: Pid, there: Pid): void {
    const peer = this.#node.peerOf(there)
    if (peer === undefined) return this.#node.local.remoteLinkEnded(here, { pid: there, reason: this.#node.exitReasonFor(there) })
    const link = this.#findOrAdd(peer, here, there)
    if (link.active) return
    link.active = true
    peer.sendFrame({ type: frameTypes.link, to: serialOf(there), from: serialOf(here) })
  }

  unlink (here: Pid, there: Pid): void {
    const peer = this.#node.peerOf(there)
    const link = peer && this.#find(peer, here, there)
    if (link === undefined || !link.active) return
    link.active = false
    link.unlinking = this.#node.nextRef()
    peer!.sendFrame({ type: frameTypes.unlink, to: serialOf(there), from: serialOf(here), ref: link.unlinking })
  }

  /** A process of this node has ended. */
  localEnded (exit: Exit, there: Pid): void {
    const peer = this.#node.peerOf(there)
    const link = peer && this.#find(peer, exit.pid, there)
    if (link === undefined || !link.active) return
    link.active = false
    this.#deleteIfIdle(peer!, link)
    peer!.sendFrame({ type: frameTypes.linkDown, to: serialOf(there), from: serialOf(exit.pid), ...exitFields(exit, this.#node) })
  }

  #find (peer: Peer, here: Pid, there: Pid): Link | undefined {
    return this.#links.get(peer)?.get(here + there)
  }

  #findOrAdd (peer: Peer, here: Pid, there: Pid): Link {
    const link = this.#find(peer, here, there) ?? { local: here, remote: there, active: false, unlinking: 0 }
    innerMap(this.#links, peer).set(here + there, link)
    return link
  }

  #deleteIfIdle (peer: Peer, { local: here, remote: there, active, unlinking }: Link): void {
    if (!active && unlinking === 0) deleteInner(this.#links, peer, here + there)
  }

  /** Frames of another node. @returns undefined for one that is not of this kind, false for garbage */
  receive (peer: Peer, frame: Frame): boolean | undefined {
    const here = this.#node.pid(frame.to)
    const there = peer.pid(frame.from)
    switch (frame.type) {
      case frameTypes.link: return this.#receiveLink(peer, here, there, frame)
      case frameTypes.unlink: return this.#receiveUnlink(peer, here, there, frame)
      case frameTypes.unlinked: return this.#receiveUnlinked(peer, here, there, frame)
      case frameTypes.linkDown: return this.#receiveLinkDown(peer, here, there, frame)
      default: return undefined
    }
  }

  #receiveLink (peer: Peer, here: Pid, there: Pid, { to, from }: Frame): true {
    const link = this.#find(peer, here, there)
    // It was sent before our unlink was seen there: that will undo it.
    if (link !== undefined && (link.active || link.unlinking !== 0)) return true
    if (this.#node.local.addRemoteLink(here, there)) this.#findOrAdd(peer, here, there).active = true
    else peer.sendFrame({ type: frameTypes.linkDown, to: from, from: to, ...exitFields({ pid: here, reason: 'noproc' }, this.#node) })
    return true
  }

  #receiveUnlink (peer: Peer, here: Pid, there: Pid, { to, from, ref }: Frame): true {
    const link = this.#find(peer, here, there)
    if (link?.active === true) {
      link.active = false
      this.#deleteIfIdle(peer, link)
      this.#node.local.removeRemoteLink(here, there)
    }
    peer.sendFrame({ type: frameTypes.unlinked, to: from, from: to, ref })
    return true
  }

  #receiveUnlinked (peer: Peer, here: Pid, there: Pid, { ref }: Frame): true {
    const link = this.#find(peer, here, there)
    if (link?.unlinking !== ref) return true
    link.unlinking = 0
    this.#deleteIfIdle(peer, link)
    return true
  }

  #receiveLinkDown (peer: Peer, here: Pid, there: Pid, frame: Frame): boolean {
    const exit = exitOf(frame, there)
    const link = this.#find(peer, here, there)
    // What cannot be read of an exit does not make it none.
    if (link?.active === true && link.unlinking === 0) this.#deliverExit(peer, link, exit ?? { pid: there, reason: 'noconnection' })
    return exit !== undefined
  }

  #deliverExit (peer: Peer, link: Link, exit: Exit): void {
    link.active = false
    this.#deleteIfIdle(peer, link)
    this.#node.guard(() => { this.#node.local.remoteLinkEnded(link.local, exit) })
  }

  channelReset (peer: Peer): void {
    for (const link of [...this.#links.get(peer)?.values() ?? []]) {
      // Nobody is there to confirm it; and one that is told may take back another.
      link.unlinking = 0
      if (link.active) this.#deliverExit(peer, link, { pid: link.remote, reason: 'noconnection' })
      else this.#deleteIfIdle(peer, link)
    }
  }
}
