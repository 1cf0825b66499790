import { frameTypes } from '../link/frame-types.js'
import { exitOf } from '../values/exit-payload.js'
import { decodePayload, payloadKinds } from '../values/payload.js'
import { serialOf } from '../context.js'
import { problemOf } from '../../process/remote/remote-nodes.js'
import { failure, success } from '../../shared/result.js'
import { takesBack } from './incoming-binding.js'
import { IncomingBindings } from './incoming-bindings.js'
import { RemoteTarget } from './remote-target.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import { OutgoingMonitors } from './monitor-tables.js'
import { recordUnreadJoins } from '../../process/exits/unread-joins.js'
import type { NodeContext } from '../context.js'
import type { FrameHandlers } from '../dispatch.js'
import type { Frame } from '../link/codec.js'
import type { RemoteCalls } from './remote-calls.js'
import type { Peer } from '../membership/peer.js'
import type { PeerLookup } from '../membership/peers.js'
import type { BindResult, RemoteNodes, RemoteProblem } from '../../process/remote/remote-nodes.js'
import type { TargetExit, ExitListener } from '../../process/exits/relations.js'
import type { UnreadMail } from '../../process/exits/unread-joins.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

const unreachable = 'its node cannot be reached'
const nodeClosing = 'its node is closing'
const problems: ReadonlySet<string> = new Set<RemoteProblem>([
  'it is not alive', 'it is stopping', 'it is a connection', unreachable, nodeClosing
])

type OutgoingFrames = 'bound' | 'pause' | 'resume' | 'unread' | 'stopSending' | 'closing'
type BindingFrames = OutgoingFrames | keyof IncomingBindings['handlers']

/** The binding of a connection of this node to a remote process, or the request for one. */
class Binding implements ExitListener {
  readonly target: Pid
  readonly listener: ExitListener
  /** Resolves the promise of `bind`; undefined after that. */
  #resolve: ((answer: BindResult) => void) | undefined
  remoteTarget: RemoteTarget | undefined
  /** Messages that the process has not taken. They came back before its exit. */
  #unread: UnreadMail[] | undefined

  constructor (target: Pid, listener: ExitListener, resolve: (answer: BindResult) => void) {
    this.target = target
    this.listener = listener
    this.#resolve = resolve
  }

  bound (remoteTarget: RemoteTarget): void {
    this.remoteTarget = remoteTarget
    this.#settle(success(remoteTarget))
  }

  refused (problem: RemoteProblem): void {
    this.#settle(failure(problem))
  }

  #settle (answer: BindResult): void {
    this.#resolve?.(answer)
    this.#resolve = undefined
  }

  /** @returns false if more comes back than was sent: it is garbage */
  addUnread (mail: UnreadMail): boolean {
    const unread = this.#unread ??= []
    if (unread.length >= (this.remoteTarget?.messageCount ?? 0)) return false
    unread.push(mail)
    return true
  }

  takeUnread (): readonly UnreadMail[] {
    const unread = this.#unread ?? []
    this.#unread = undefined
    return unread
  }

  /** The connection finds them at the exit, and hands them on. */
  moveUnreadTo (exit: Exit): void {
    const unread = this.takeUnread()
    if (unread.length === 0) return
    recordUnreadJoins(exit, { has: () => true, takeMail: () => unread })
  }

  /** If the other node has not answered yet, the exit of the target is the answer. */
  targetEnded (exit: TargetExit): void {
    this.remoteTarget?.release()
    if (this.#resolve !== undefined) this.refused(problemOf(exit))
    else this.listener.targetEnded(exit)
  }

  release (): void {
    this.remoteTarget?.release()
    this.refused('it is not alive')
  }
}

/** Bindings of connections to processes of another node, seen from both nodes. */
export class RemoteBindings {
  readonly #context: NodeContext
  readonly #peers: PeerLookup
  readonly #remoteNodes: RemoteNodes
  readonly #calls: RemoteCalls
  readonly #monitors = new OutgoingMonitors()
  readonly #byWatcher = new Map<Pid, Map<ExitListener, Binding>>()
  readonly #incoming: IncomingBindings
  readonly handlers: Pick<FrameHandlers, BindingFrames>

  readonly #outgoingHandlers: Pick<FrameHandlers, OutgoingFrames> = {
    bound: (peer, frame) => this.#receiveBound(peer, frame),
    pause: (peer, { ref }) => {
      this.#findByRef(peer, ref)?.remoteTarget?.pause()
      return true
    },
    resume: (peer, { ref }) => {
      this.#context.guard(() => { this.#findByRef(peer, ref)?.remoteTarget?.resume() })
      return true
    },
    unread: (peer, frame) => this.#receiveUnread(peer, frame),
    stopSending: (peer, { ref }) => {
      const target = this.#findByRef(peer, ref)?.remoteTarget
      target?.stopSending()
      if (target !== undefined) peer.sendFrame({ type: frameTypes.sendingStopped, ref })
      return true
    },
    closing: (peer) => this.#receiveClosing(peer)
  }

  constructor (
    context: NodeContext, peers: PeerLookup, remoteNodes: RemoteNodes, calls: RemoteCalls
  ) {
    this.#calls = calls
    this.#context = context
    this.#peers = peers
    this.#remoteNodes = remoteNodes
    this.#incoming = new IncomingBindings(context, calls)
    this.handlers = { ...this.#incoming.handlers, ...this.#outgoingHandlers }
  }

  get size (): number {
    return this.#monitors.size + this.#byWatcher.size + this.#incoming.size
  }

  bind (target: Pid, listener: ExitListener): Promise<BindResult> {
    const peer = this.#peers.ofPid(target)
    if (peer === undefined) {
      const isDead = this.#peers.exitReasonFor(target) === 'noproc'
      return Promise.resolve(failure(isDead ? 'it is not alive' : unreachable))
    }
    if (peer.closing) return Promise.resolve(failure(nodeClosing))
    this.unbind(target, listener)
    return new Promise((resolve) => {
      const binding = new Binding(target, listener, resolve)
      const ref = this.#context.nextRef()
      this.#monitors.add({ peer, ref, target, listener: binding })
      innerMap(this.#byWatcher, target).set(listener, binding)
      peer.sendFrame({ type: frameTypes.bind, to: serialOf(target), ref, text: takesBack })
    })
  }

  /** @returns whether it was bound */
  unbind (target: Pid, listener: ExitListener): boolean {
    const binding = this.#byWatcher.get(target)?.get(listener)
    if (binding === undefined) return false
    const { peer, ref } = this.#monitors.find(target, binding)!
    this.#remove(peer, ref)
    binding.release()
    peer.sendFrame({ type: frameTypes.demonitor, ref })
    return true
  }

  #remove (peer: Peer, ref: number): Binding | undefined {
    const binding = this.#monitors.removeByRef(peer, ref)?.listener as Binding | undefined
    if (binding === undefined) return undefined
    deleteInner(this.#byWatcher, binding.target, binding.listener)
    // The connection does not hand it on.
    this.#context.local.countRefused(binding.takeUnread().length)
    return binding
  }

  #findByRef (peer: Peer, ref: number): Binding | undefined {
    return this.#monitors.findByRef(peer, ref)?.listener as Binding | undefined
  }

  #receiveBound (peer: Peer, { ref, text }: Frame): true {
    const binding = this.#findByRef(peer, ref)
    if (binding === undefined) return true
    if (text === '') {
      const { target, listener } = binding
      const parts = { context: this.#context, remoteNodes: this.#remoteNodes, calls: this.#calls }
      binding.bound(new RemoteTarget(parts, peer, target, ref, listener))
    } else {
      const problem = problems.has(text) ? text as RemoteProblem : 'it is not alive'
      this.#remove(peer, ref)!.refused(problem)
    }
    return true
  }

  /** The target of a connection of this node has ended. */
  receiveDown (peer: Peer, frame: Frame): boolean {
    const binding = this.#findByRef(peer, frame.ref)!
    const lost: Exit = { pid: binding.target, reason: 'noconnection' }
    // The node of the target sent this frame, so that node is not lost. A reason 'noconnection' in
    // it was given by a user's code: it counts as 'error'.
    const isMisleading = frame.text === lost.reason
    const exit = exitOf(isMisleading ? { ...frame, text: 'error' } : frame, binding.target)
    if (exit !== undefined) binding.moveUnreadTo(exit)
    this.#remove(peer, frame.ref)
    this.#context.guard(() => { binding.targetEnded(exit ?? lost) })
    return exit !== undefined
  }

  #receiveUnread (peer: Peer, { ref, to, kind, body }: Frame): boolean {
    const binding = this.#findByRef(peer, ref)
    // The connection has left its target.
    if (binding === undefined) return true
    const { codec } = this.#context
    const client = this.#context.pid(to)
    const decoded = decodePayload(kind, body as Buffer)?.payload
    // The connection adds the metadata, when it hands the message on.
    const payload = kind === payloadKinds.structured
      ? codec.fromContent(decoded, client, undefined)
      : codec.fromData(decoded as string | Uint8Array, client, undefined)
    const isGarbage = decoded === undefined || payload === undefined
    return !isGarbage && binding.addUnread({ payload, bytes: body.length })
  }

  hasIncoming (peer: Peer, ref: number): boolean {
    return this.#incoming.has(peer, ref)
  }

  hasOutgoing (peer: Peer, ref: number): boolean {
    return this.#monitors.findByRef(peer, ref) !== undefined
  }

  /** The connection of the other node has left its target. */
  removeIncoming (peer: Peer, ref: number): void {
    this.#incoming.remove(peer, ref)
  }

  /** Ends all bindings of this node's connections to processes of another node. */
  #endOutgoing (peer: Peer, exit: Omit<TargetExit, 'pid'>): void {
    for (const { ref, target } of this.#monitors.allOf(peer)) {
      const binding = this.#remove(peer, ref)
      // A listener that was called before may have ended this binding.
      if (binding === undefined) continue
      this.#context.guard(() => { binding.targetEnded({ pid: target, ...exit }) })
    }
  }

  /**
   * Call when this node begins to close, before its processes are stopped. The other nodes close
   * the connections that are bound to its processes. The processes get a leave for each of them.
   */
  announceClosing (peers: readonly Peer[]): void {
    for (const peer of peers) {
      peer.sendFrame({ type: frameTypes.closing })
      this.#incoming.removeAll(peer, 'node closing')
    }
  }

  /** Another node has begun to close. */
  #receiveClosing (peer: Peer): true {
    peer.closing = true
    this.#endOutgoing(peer, { reason: 'noconnection', nodeClosing: true })
    return true
  }

  channelReset (peer: Peer): void {
    this.#incoming.removeAll(peer, 'node lost')
    this.#endOutgoing(peer, { reason: 'noconnection' })
  }
}
