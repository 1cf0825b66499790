import { frameTypes } from '../link/frame-types.js'
import { exitFields, exitOf } from '../values/exit-payload.js'
import { serialOf } from '../context.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import type { NodeContext } from '../context.js'
import type { FrameHandler, FrameHandlers } from '../dispatch.js'
import type { Frame } from '../link/codec.js'
import type { Peer } from '../membership/peer.js'
import type { PeerLookup } from '../membership/peers.js'
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
  readonly #context: NodeContext
  readonly #peers: PeerLookup
  readonly #links = new Map<Peer, Map<string, Link>>()

  readonly handlers: Pick<FrameHandlers, 'link' | 'unlink' | 'unlinked' | 'linkDown'>

  constructor (context: NodeContext, peers: PeerLookup) {
    this.#context = context
    this.#peers = peers
    const withEnds = (
      receive: (peer: Peer, local: Pid, remote: Pid, frame: Frame) => boolean
    ): FrameHandler => {
      return (peer, frame) => receive(peer, context.pid(frame.to), peer.pid(frame.from), frame)
    }
    this.handlers = {
      link: withEnds((peer, local, remote, frame) => {
        return this.#receiveLink(peer, local, remote, frame)
      }),
      unlink: withEnds((peer, local, remote, frame) => {
        return this.#receiveUnlink(peer, local, remote, frame)
      }),
      unlinked: withEnds((peer, local, remote, frame) => {
        return this.#receiveUnlinked(peer, local, remote, frame)
      }),
      linkDown: withEnds((peer, local, remote, frame) => {
        return this.#receiveLinkDown(peer, local, remote, frame)
      })
    }
  }

  get size (): number {
    return this.#links.size
  }

  link (local: Pid, remote: Pid): void {
    const peer = this.#peers.ofPid(remote)
    if (peer === undefined) {
      const reason = this.#peers.exitReasonFor(remote)
      return this.#context.local.remoteLinkEnded(local, { pid: remote, reason })
    }
    const link = this.#findOrAdd(peer, local, remote)
    if (link.active) return
    link.active = true
    peer.sendFrame({ type: frameTypes.link, to: serialOf(remote), from: serialOf(local) })
  }

  unlink (local: Pid, remote: Pid): void {
    const peer = this.#peers.ofPid(remote)
    const link = peer && this.#find(peer, local, remote)
    if (link === undefined || !link.active) return
    link.active = false
    link.unlinking = this.#context.nextRef()
    const ends = { to: serialOf(remote), from: serialOf(local) }
    peer!.sendFrame({ type: frameTypes.unlink, ...ends, ref: link.unlinking })
  }

  /** Call when a process of this node has ended that is linked with a remote one. */
  localEnded (exit: Exit, remote: Pid): void {
    const peer = this.#peers.ofPid(remote)
    const link = peer && this.#find(peer, exit.pid, remote)
    if (link === undefined || !link.active) return
    link.active = false
    this.#deleteIfIdle(peer!, link)
    const ends = { to: serialOf(remote), from: serialOf(exit.pid) }
    peer!.sendFrame({ type: frameTypes.linkDown, ...ends, ...exitFields(exit, this.#context) })
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

  #receiveLink (peer: Peer, local: Pid, remote: Pid, { to, from }: Frame): true {
    const link = this.#find(peer, local, remote)
    // The other node sent this link before it read our unlink, which will end it there.
    if (link !== undefined && (link.active || link.unlinking !== 0)) return true
    if (this.#context.local.addRemoteLink(local, remote)) {
      this.#findOrAdd(peer, local, remote).active = true
    } else {
      const exit = exitFields({ pid: local, reason: 'noproc' }, this.#context)
      peer.sendFrame({ type: frameTypes.linkDown, to: from, from: to, ...exit })
    }
    return true
  }

  #receiveUnlink (peer: Peer, local: Pid, remote: Pid, { to, from, ref }: Frame): true {
    const link = this.#find(peer, local, remote)
    if (link?.active === true) {
      link.active = false
      this.#deleteIfIdle(peer, link)
      this.#context.local.removeRemoteLink(local, remote)
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
    this.#context.guard(() => { this.#context.local.remoteLinkEnded(link.local, exit) })
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
