import { errorCodes } from '../../errors.js'
import { serialOf } from '../context.js'
import { frameTypes } from '../link/frame-types.js'
import { encodePayload, whyUnsendable } from '../values/payload.js'
import { IncomingMessages } from './incoming-messages.js'
import { RemoteBindings } from './remote-bindings.js'
import { isCaller, RemoteCalls } from './remote-calls.js'
import { RemoteLinks } from './remote-links.js'
import { RemoteMonitors } from './remote-monitors.js'
import type { NodeContext } from '../context.js'
import type { FrameHandler, FrameHandlers } from '../dispatch.js'
import type { FrameFields } from '../link/codec.js'
import type { Peer } from '../membership/peer.js'
import type { PeerLookup } from '../membership/peers.js'
import type { Caller } from './remote-calls.js'
import type { BindResult, RemoteNodes } from '../../process/remote/remote-nodes.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

type SharedFrames = 'demonitor' | 'down'
type RouterFrames = SharedFrames | keyof (
  IncomingMessages['handlers'] & RemoteCalls['handlers'] & RemoteMonitors['handlers'] &
  RemoteLinks['handlers'] & RemoteBindings['handlers']
)

/** Sends the operations of local processes on remote ones, and applies those of other nodes. */
export class Router implements RemoteNodes {
  readonly #context: NodeContext
  readonly #peers: PeerLookup
  readonly #monitors: RemoteMonitors
  readonly #calls: RemoteCalls
  readonly #links: RemoteLinks
  readonly #bindings: RemoteBindings
  readonly handlers: Pick<FrameHandlers, RouterFrames>

  constructor (context: NodeContext, peers: PeerLookup) {
    this.#context = context
    this.#peers = peers
    this.#monitors = new RemoteMonitors(context, peers)
    this.#calls = new RemoteCalls(context)
    this.#links = new RemoteLinks(context, peers)
    this.#bindings = new RemoteBindings(context, peers, this, this.#calls)
    this.handlers = {
      ...new IncomingMessages(context).handlers,
      ...this.#calls.handlers,
      ...this.#monitors.handlers,
      ...this.#links.handlers,
      ...this.#bindings.handlers,
      demonitor: this.#receiveDemonitor,
      down: this.#receiveDown
    }
  }

  /** Records, for the tests that check that nothing is left over. */
  get size (): number {
    return this.#monitors.size + this.#calls.size + this.#links.size + this.#bindings.size
  }

  // To other nodes

  send (to: Pid, topic: string, payload: unknown, from: Pid | undefined, call?: Caller): boolean {
    const peer = this.#peers.ofPid(to)
    if (peer === undefined) {
      this.#peers.recordUnreachable(to)
      return false
    }
    const receiver = serialOf(to)
    const sender = serialOf(from)
    const { codec } = this.#context
    const canJoin = topic === codec.sharedTopic && call === undefined
    if (canJoin && peer.joinMessage(receiver, sender, payload)) return true
    const encoded = encodePayload(payload)
    if (encoded === undefined) {
      const error = this.#context.unsendable(whyUnsendable(payload), { topic, to })
      call?.reject(new errorCodes.FST_PROCESS_REFUSED(to, topic, error.message))
      return false
    }
    if (call !== undefined) return this.#calls.call(peer, to, topic, encoded, from, call)
    const fields = { type: frameTypes.send, to: receiver, from: sender, text: topic, ...encoded }
    return codec.isUrgent(topic) ? peer.sendUrgent(fields) : peer.sendMessage(fields, payload)
  }

  exit (to: Pid, reason: string, from?: Pid): boolean {
    return this.#signal(to, { type: frameTypes.exit, text: reason, from: serialOf(from) })
  }

  cancel (to: Pid, reason: string, from: Pid | undefined): boolean {
    return this.#signal(to, { type: frameTypes.cancel, text: reason, from: serialOf(from) })
  }

  #signal (to: Pid, fields: FrameFields): boolean {
    return this.#peers.ofPid(to)?.sendFrame({ ...fields, to: serialOf(to) }) ?? false
  }

  monitor (target: Pid, listener: ExitListener): void {
    if (!isCaller(listener)) return this.#monitors.monitor(target, listener)
    // The call frame monitors the callee. If it could not be sent, the callee is reported as dead.
    if (this.#peers.ofPid(target) !== undefined) return
    listener.targetEnded({ pid: target, reason: this.#peers.exitReasonFor(target) })
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

  // Monitors and bindings share these two types. A reference belongs to one of them only.

  readonly #receiveDemonitor: FrameHandler = (peer, { ref }) => {
    if (this.#bindings.hasIncoming(peer, ref)) this.#bindings.removeIncoming(peer, ref)
    else this.#monitors.removeIncoming(peer, ref)
    return true
  }

  readonly #receiveDown: FrameHandler = (peer, frame) => {
    const isOfBinding = this.#bindings.hasOutgoing(peer, frame.ref)
    return (isOfBinding ? this.#bindings : this.#monitors).receiveDown(peer, frame)
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
