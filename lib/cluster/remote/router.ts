import { errorCodes } from '../../errors.js'
import { skippable } from '../link/codec.js'
import { frameTypes } from '../link/frame-types.js'
import { decodeMissed, isMissedByAll } from '../link/missed-messages.js'
import { decodeNumberList } from '../link/number-list.js'
import { decodePayload, encodePayload, whyUnsendable } from '../values/payload.js'
import { serialOf } from '../membership/peer.js'
import { RemoteBindings } from './remote-bindings.js'
import { isCaller, RemoteCalls } from './remote-calls.js'
import { RemoteLinks } from './remote-links.js'
import { RemoteMonitors } from './remote-monitors.js'
import type { Frame, FrameFields } from '../link/codec.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { Caller } from './remote-calls.js'
import type { BindResult, RemoteNodes } from '../../process/remote-nodes.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** Sends the operations of local processes on remote ones, and applies those of other nodes. */
export class Router implements RemoteNodes {
  readonly #node: NodeContext
  readonly #monitors: RemoteMonitors
  readonly #calls: RemoteCalls
  readonly #links: RemoteLinks
  readonly #bindings: RemoteBindings

  constructor (node: NodeContext) {
    this.#node = node
    this.#monitors = new RemoteMonitors(node)
    this.#calls = new RemoteCalls(node)
    this.#links = new RemoteLinks(node)
    this.#bindings = new RemoteBindings(node, this)
  }

  /** Records, for the tests that check that nothing is left over. */
  get size (): number {
    return this.#monitors.size + this.#calls.size + this.#links.size + this.#bindings.size
  }

  // To other nodes

  send (to: Pid, topic: string, payload: unknown, from: Pid | undefined, call?: Caller): boolean {
    const peer = this.#node.peerOf(to)
    if (peer === undefined) {
      this.#node.recordUnreachable(to)
      return false
    }
    const receiver = serialOf(to)
    const sender = serialOf(from)
    const canJoin = topic === 'ws.send' && call === undefined
    if (canJoin && peer.joinMessage(receiver, sender, payload)) return true
    const encoded = encodePayload(payload)
    if (encoded === undefined) {
      const error = this.#node.unsendable(whyUnsendable(payload), { topic, to })
      call?.reject(new errorCodes.FST_PROCESS_REFUSED(to, topic, error.message))
      return false
    }
    if (call !== undefined) return this.#calls.call(peer, to, topic, encoded, from, call)
    const fields = { type: frameTypes.send, to: receiver, from: sender, text: topic, ...encoded }
    return isUrgent(topic) ? peer.sendUrgent(fields) : peer.sendMessage(fields, payload)
  }

  exit (to: Pid, reason: string): boolean {
    return this.#signal(to, { type: frameTypes.exit, text: reason })
  }

  cancel (to: Pid, reason: string, from: Pid | undefined): boolean {
    return this.#signal(to, { type: frameTypes.cancel, text: reason, from: serialOf(from) })
  }

  #signal (to: Pid, fields: FrameFields): boolean {
    return this.#node.peerOf(to)?.sendFrame({ ...fields, to: serialOf(to) }) ?? false
  }

  monitor (target: Pid, listener: ExitListener): void {
    if (!isCaller(listener)) return this.#monitors.monitor(target, listener)
    // The call frame monitors the callee. If it could not be sent, the callee is reported as dead.
    if (this.#node.peerOf(target) !== undefined) return
    listener.targetEnded({ pid: target, reason: this.#node.exitReasonFor(target) })
  }

  demonitor (target: Pid, listener: ExitListener): void {
    if (isCaller(listener)) this.#calls.abandon(listener)
    else if (!this.#bindings.unbind(target, listener)) this.#monitors.demonitor(target, listener)
  }

  link (local: Pid, remote: Pid): void {
    this.#links.link(local, remote)
  }

  unlink (local: Pid, remote: Pid): void {
    this.#links.unlink(local, remote)
  }

  localLinkEnded (exit: Exit, remote: Pid): void {
    this.#links.localEnded(exit, remote)
  }

  /** @param peers the other nodes that are up */
  announceClosing (peers: readonly Peer[]): void {
    this.#bindings.announceClosing(peers)
  }

  bind (target: Pid, listener: ExitListener): Promise<BindResult> {
    return this.#bindings.bind(target, listener)
  }

  // From other nodes

  /** @returns false when a frame is garbage */
  receive (peer: Peer, frame: Frame): boolean {
    return this.#receiveMessage(peer, frame) ??
      this.#calls.receive(peer, frame) ??
      this.#bindings.receive(peer, frame) ??
      this.#monitors.receive(peer, frame) ??
      this.#links.receive(peer, frame) ??
      // A type of a later version: this node may ignore it.
      frame.type >= skippable
  }

  #receiveMessage (peer: Peer, frame: Frame): boolean | undefined {
    const { type, to, from, text, kind, body } = frame
    const { local } = this.#node
    switch (type) {
      case frameTypes.send: {
        const decoded = decodePayload(kind, body as Buffer)
        if (decoded === undefined) {
          local.missed(this.#node.pid(to), 1)
          return false
        }
        local.deliver(this.#node.pid(to), text, decoded.payload, sender(peer, from))
        return true
      }
      case frameTypes.sendMany: return this.#receiveMany(peer, frame)
      case frameTypes.missed: return this.#receiveMissed(frame)
      case frameTypes.exit:
        local.exit(this.#node.pid(to), text)
        return true
      case frameTypes.cancel:
        local.cancel(this.#node.pid(to), text, sender(peer, from))
        return true
      default:
        return undefined
    }
  }

  #receiveMany (peer: Peer, { ref, from, text, kind, body }: Frame): boolean {
    if (ref > 0) {
      const serials = decodeNumberList(body.subarray(0, ref))
      peer.lastReceivers = serials?.map((serial) => this.#node.pid(serial))
    }
    const payload = body.subarray(ref) as Buffer
    const decoded = decodePayload(kind, payload)
    if (peer.lastReceivers === undefined) return false
    if (decoded === undefined) {
      for (const pid of peer.lastReceivers) this.#node.local.missed(pid, 1)
      return false
    }
    const again = (): unknown => decodePayload(kind, payload)!.payload
    const { lastReceivers } = peer
    const { local } = this.#node
    local.deliverToMany(lastReceivers, text, decoded.payload, again, sender(peer, from))
    return true
  }

  #receiveMissed (frame: Frame): boolean {
    const { local } = this.#node
    if (isMissedByAll(frame)) {
      local.missedByAll()
      return true
    }
    const missed = decodeMissed(frame)
    if (missed === undefined) return false
    for (const [receiver, count] of missed) local.missed(this.#node.pid(receiver), count)
    return true
  }

  /** Call when a channel was reset, after all frames that arrived on it were applied. */
  channelReset (peer: Peer): void {
    peer.lastReceivers = undefined
    this.#calls.channelReset(peer)
    this.#bindings.channelReset(peer)
    this.#links.channelReset(peer)
    this.#monitors.channelReset(peer)
  }
}

/**
 * Whether a message changes or ends a connection. It must not be refused only because the window is
 * full of other frames for that connection.
 */
function isUrgent (topic: string): boolean {
  return topic === 'ws.close' || topic === 'ws.control'
}

function sender (peer: Peer, from: number): Pid | undefined {
  return from === 0 ? undefined : peer.pid(from)
}
