import { frameTypes } from '../link/frame-types.js'
import { exitFields, exitOf } from '../values/exit-payload.js'
import { serialOf } from '../membership/peer.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import type { Frame } from '../link/codec.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** The end of a link that is on this node. */
interface Link {
  readonly local: Pid
  readonly remote: Pid
  active: boolean
  /**
   * The number of an `unlink` that the other node has not confirmed; 0: none. Until then its frames
   * about the old link are ignored.
   */
  unlinking: number
}

/** Links across nodes, by the protocol of OTP 23: each unlink has a number and is confirmed. */
export class RemoteLinks {
  readonly #node: NodeContext
  readonly #links = new Map<Peer, Map<string, Link>>()

  constructor (node: NodeContext) {
    this.#node = node
  }

  get size (): number {
    return this.#links.size
  }

  link (local: Pid, remote: Pid): void {
    const peer = this.#node.peerOf(remote)
    if (peer === undefined) {
      const reason = this.#node.exitReasonFor(remote)
      return this.#node.local.remoteLinkEnded(local, { pid: remote, reason })
    }
    const link = this.#findOrAdd(peer, local, remote)
    if (link.active) return
    link.active = true
    peer.sendFrame({ type: frameTypes.link, to: serialOf(remote), from: serialOf(local) })
  }

  unlink (local: Pid, remote: Pid): void {
    const peer = this.#node.peerOf(remote)
    const link = peer && this.#find(peer, local, remote)
    if (link === undefined || !link.active) return
    link.active = false
    link.unlinking = this.#node.nextRef()
    const ends = { to: serialOf(remote), from: serialOf(local) }
    peer!.sendFrame({ type: frameTypes.unlink, ...ends, ref: link.unlinking })
  }

  /** Call when a process of this node has ended that is linked with a remote one. */
  localEnded (exit: Exit, remote: Pid): void {
    const peer = this.#node.peerOf(remote)
    const link = peer && this.#find(peer, exit.pid, remote)
    if (link === undefined || !link.active) return
    link.active = false
    this.#deleteIfIdle(peer!, link)
    const ends = { to: serialOf(remote), from: serialOf(exit.pid) }
    peer!.sendFrame({ type: frameTypes.linkDown, ...ends, ...exitFields(exit, this.#node) })
  }

  #find (peer: Peer, local: Pid, remote: Pid): Link | undefined {
    return this.#links.get(peer)?.get(local + remote)
  }

  #findOrAdd (peer: Peer, local: Pid, remote: Pid): Link {
    const link = this.#find(peer, local, remote) ?? { local, remote, active: false, unlinking: 0 }
    innerMap(this.#links, peer).set(local + remote, link)
    return link
  }

  #deleteIfIdle (peer: Peer, { local, remote, active, unlinking }: Link): void {
    if (!active && unlinking === 0) deleteInner(this.#links, peer, local + remote)
  }

  /** @returns undefined when a frame is not about links, false when it is garbage */
  receive (peer: Peer, frame: Frame): boolean | undefined {
    const local = this.#node.pid(frame.to)
    const remote = peer.pid(frame.from)
    switch (frame.type) {
      case frameTypes.link: return this.#receiveLink(peer, local, remote, frame)
      case frameTypes.unlink: return this.#receiveUnlink(peer, local, remote, frame)
      case frameTypes.unlinked: return this.#receiveUnlinked(peer, local, remote, frame)
      case frameTypes.linkDown: return this.#receiveLinkDown(peer, local, remote, frame)
      default: return undefined
    }
  }

  #receiveLink (peer: Peer, local: Pid, remote: Pid, { to, from }: Frame): true {
    const link = this.#find(peer, local, remote)
    // The other node sent this link before it read our unlink, which will end it there.
    if (link !== undefined && (link.active || link.unlinking !== 0)) return true
    if (this.#node.local.addRemoteLink(local, remote)) {
      this.#findOrAdd(peer, local, remote).active = true
    } else {
      const exit = exitFields({ pid: local, reason: 'noproc' }, this.#node)
      peer.sendFrame({ type: frameTypes.linkDown, to: from, from: to, ...exit })
    }
    return true
  }

  #receiveUnlink (peer: Peer, local: Pid, remote: Pid, { to, from, ref }: Frame): true {
    const link = this.#find(peer, local, remote)
    if (link?.active === true) {
      link.active = false
      this.#deleteIfIdle(peer, link)
      this.#node.local.removeRemoteLink(local, remote)
    }
    peer.sendFrame({ type: frameTypes.unlinked, to: from, from: to, ref })
    return true
  }

  #receiveUnlinked (peer: Peer, local: Pid, remote: Pid, { ref }: Frame): true {
    const link = this.#find(peer, local, remote)
    if (link?.unlinking !== ref) return true
    link.unlinking = 0
    this.#deleteIfIdle(peer, link)
    return true
  }

  #receiveLinkDown (peer: Peer, local: Pid, remote: Pid, frame: Frame): boolean {
    const exit = exitOf(frame, remote)
    const link = this.#find(peer, local, remote)
    // An exit that cannot be read is still an exit.
    if (link?.active === true && link.unlinking === 0) {
      this.#deliverExit(peer, link, exit ?? { pid: remote, reason: 'noconnection' })
    }
    return exit !== undefined
  }

  #deliverExit (peer: Peer, link: Link, exit: Exit): void {
    link.active = false
    this.#deleteIfIdle(peer, link)
    this.#node.guard(() => { this.#node.local.remoteLinkEnded(link.local, exit) })
  }

  channelReset (peer: Peer): void {
    for (const link of [...this.#links.get(peer)?.values() ?? []]) {
      // No confirmation will arrive. A process that was told before may have ended this link.
      link.unlinking = 0
      if (link.active) this.#deliverExit(peer, link, { pid: link.remote, reason: 'noconnection' })
      else this.#deleteIfIdle(peer, link)
    }
  }
}
