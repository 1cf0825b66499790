import { frameTypes } from '../link/frame-types.js'
import { exitFields, exitOf } from '../values/exit-payload.js'
import { decodePayload, payloadKinds } from '../values/payload.js'
import { serialOf } from '../context.js'
import { problemOf } from '../../process/remote/remote-nodes.js'
import { failure, success } from '../../shared/result.js'
import { RemoteTarget } from './remote-target.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import { IncomingMonitors, OutgoingMonitors } from './monitor-tables.js'
import { tookJoin } from '../../process/exits/unread-joins.js'
import type { NodeContext } from '../context.js'
import type { FrameHandler, FrameHandlers } from '../dispatch.js'
import type { Frame } from '../link/codec.js'
import type { RemoteCalls } from './remote-calls.js'
import type { Peer } from '../membership/peer.js'
import type { PeerLookup } from '../membership/peers.js'
import type { ConnectionCodec } from '../../process/remote/connection-codec.js'
import type { BindResult, RemoteNodes, RemoteProblem } from '../../process/remote/remote-nodes.js'
import type { Answer } from '../../process/calls.js'
import type { Producer } from '../../shared/watermark.js'
import type { TargetExit, ExitListener } from '../../process/exits/relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

const unreachable = 'its node cannot be reached'
const nodeClosing = 'its node is closing'
const problems: ReadonlySet<string> = new Set<RemoteProblem>([
  'it is not alive', 'it is stopping', 'it is a connection', unreachable, nodeClosing
])

type LeaveReason = Parameters<ConnectionCodec['leaveOf']>[2]
type BindingFrames =
  'bind' | 'bound' | 'metadata' | 'clientMessage' | 'clientEvent' | 'clientNews' |
  'pause' | 'resume' | 'closing'

/** The binding of a connection of this node to a remote process, or the request for one. */
class Binding implements ExitListener {
  readonly target: Pid
  readonly listener: ExitListener
  /** Resolves the promise of `bind`; undefined after that. */
  #resolve: ((answer: BindResult) => void) | undefined
  remoteTarget: RemoteTarget | undefined

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

/**
 * The binding of a remote connection to a process of this node. Tells the other node to stop
 * reading from the client while the mailbox of the process is full.
 */
class IncomingBinding implements Producer {
  readonly target: Pid
  readonly peer: Peer
  readonly #ref: number
  metadata: unknown
  /** Set from the join, if the target accepted it, until the leave. */
  client: Pid | undefined
  #paused = false

  constructor (peer: Peer, ref: number, target: Pid) {
    this.peer = peer
    this.#ref = ref
    this.target = target
  }

  /** Whether the target received the join before it ended. */
  tookJoin (exit: Exit): boolean {
    return this.client !== undefined && tookJoin(exit, this.client)
  }

  /** @returns whether it was not paused: `resume` must be called when the mailbox has room */
  pauseClient (): boolean {
    if (this.#paused) return false
    this.#paused = true
    this.peer.sendFrame({ type: frameTypes.pause, ref: this.#ref })
    return true
  }

  resume (): void {
    this.#paused = false
    this.peer.sendFrame({ type: frameTypes.resume, ref: this.#ref })
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
  readonly #incomingMonitors: IncomingMonitors
  readonly #incoming = new Map<Peer, Map<number, IncomingBinding>>()

  readonly handlers: Pick<FrameHandlers, BindingFrames> = {
    bind: (peer, frame) => this.#receiveBind(peer, frame),
    bound: (peer, frame) => this.#receiveBound(peer, frame),
    metadata: this.#fromClient((binding, frame) => this.#receiveMetadata(binding, frame)),
    clientMessage: this.#fromClient((binding, frame, client) => {
      return this.#receiveData(binding, frame, client)
    }),
    clientEvent: this.#fromClient((binding, frame, client) => {
      return this.#receiveEvent(binding, frame, client)
    }),
    clientNews: this.#fromClient((binding, frame, client) => {
      return this.#receiveNews(binding, frame, client)
    }),
    pause: (peer, { ref }) => {
      this.#findByRef(peer, ref)?.remoteTarget?.pause()
      return true
    },
    resume: (peer, { ref }) => {
      this.#context.guard(() => { this.#findByRef(peer, ref)?.remoteTarget?.resume() })
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
    this.#incomingMonitors = new IncomingMonitors(context.local)
  }

  get size (): number {
    const outgoing = this.#monitors.size + this.#byWatcher.size
    return outgoing + this.#incomingMonitors.size + this.#incoming.size
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
      peer.sendFrame({ type: frameTypes.bind, to: serialOf(target), ref })
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
    if (binding !== undefined) deleteInner(this.#byWatcher, binding.target, binding.listener)
    return binding
  }

  #findByRef (peer: Peer, ref: number): Binding | undefined {
    return this.#monitors.findByRef(peer, ref)?.listener as Binding | undefined
  }

  #receiveBind (peer: Peer, { to, ref }: Frame): true {
    const target = this.#context.pid(to)
    const problem = this.#context.local.bindProblem(target)
    peer.sendFrame({ type: frameTypes.bound, ref, text: problem ?? '' })
    if (problem !== undefined) return true
    const binding = new IncomingBinding(peer, ref, target)
    innerMap(this.#incoming, peer).set(ref, binding)
    this.#incomingMonitors.add(peer, ref, target, (exit) => {
      deleteInner(this.#incoming, peer, ref)
      const fields = exitFields(exit, this.#context, binding.tookJoin(exit))
      peer.sendFrame({ type: frameTypes.down, ref, ...fields })
    })
    return true
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
    const binding = this.#remove(peer, frame.ref)!
    const lost: Exit = { pid: binding.target, reason: 'noconnection' }
    // The node of the target sent this frame, so that node is not lost. A reason 'noconnection' in
    // it was given by a user's code: it counts as 'error'.
    const isMisleading = frame.text === lost.reason
    const exit = exitOf(isMisleading ? { ...frame, text: 'error' } : frame, binding.target)
    this.#context.guard(() => { binding.targetEnded(exit ?? lost) })
    return exit !== undefined
  }

  /** A handler of frames from a client of another node. */
  #fromClient (
    receive: (binding: IncomingBinding, frame: Frame, client: Pid) => boolean
  ): FrameHandler {
    return (peer, frame) => {
      const binding = this.#incoming.get(peer)?.get(frame.ref)
      // Without it, the target has ended, and the other node does not know it yet.
      return binding === undefined || receive(binding, frame, peer.pid(frame.from))
    }
  }

  /** @param frame its text is the trace context of the upgrade, if spans are made */
  #receiveMetadata (binding: IncomingBinding, { text, kind, body }: Frame): boolean {
    const decoded = decodePayload(kind, body as Buffer)
    // If it cannot be read, the earlier metadata is dropped: it may name another user.
    binding.metadata = freeze(decoded === undefined ? {} : decoded.payload)
    if (text !== '') this.#context.local.spans?.remoteUpgrade(binding.metadata, text)
    return decoded !== undefined
  }

  #receiveData (binding: IncomingBinding, frame: Frame, client: Pid): boolean {
    const { text: topic, kind, body } = frame
    if (kind === payloadKinds.structured) return this.#receiveChecked(binding, frame, client)
    if (kind !== payloadKinds.text && kind !== payloadKinds.bytes) return false
    const data = decodePayload(kind, body as Buffer)!.payload as string | Uint8Array
    const message = this.#context.codec.fromData(data, client, binding.metadata)
    this.#acceptFromClient(binding, topic, message, client, body.length)
    return true
  }

  /** A message that a protocol has checked. It may be a call. */
  #receiveChecked (binding: IncomingBinding, frame: Frame, client: Pid): boolean {
    const message = this.#contentOf(frame, client, binding)
    if (message === undefined) return false
    const { to: ref, text: topic, body: { length } } = frame
    const call = ref === 0
      ? undefined
      : this.#calls.answerFor(binding.peer, ref, binding.target, topic, length)
    this.#acceptFromClient(binding, topic, message, client, length, call)
    return true
  }

  #receiveEvent (binding: IncomingBinding, frame: Frame, client: Pid): boolean {
    const message = this.#contentOf(frame, client, binding)
    if (message === undefined) return false
    const { codec, local } = this.#context
    const { text: topic } = frame
    // A process that is stopping refuses the join: no leave may follow.
    if (topic === codec.joinTopic) {
      binding.client = local.bindProblem(binding.target) === undefined ? client : undefined
    } else if (topic === codec.leaveTopic) binding.client = undefined
    this.#acceptFromClient(binding, topic, message, client, 0)
    return true
  }

  #receiveNews (binding: IncomingBinding, frame: Frame, client: Pid): boolean {
    const message = this.#contentOf(frame, client, binding)
    if (message === undefined) return false
    this.#context.local.deliver(binding.target, frame.text, message, client)
    return true
  }

  #contentOf (
    { kind, body }: Frame, client: Pid, { metadata }: IncomingBinding
  ): object | undefined {
    const decoded = decodePayload(kind, body as Buffer)
    return decoded && this.#context.codec.fromContent(decoded.payload, client, metadata)
  }

  #acceptFromClient (
    binding: IncomingBinding, topic: string, message: object, client: Pid, bytes: number,
    call?: Answer
  ): void {
    const { local } = this.#context
    const isFull = local.accept(binding.target, topic, message, client, bytes, call)
    if (isFull && binding.pauseClient()) local.subscribeToDrain(binding.target, binding)
  }

  hasIncoming (peer: Peer, ref: number): boolean {
    return this.#incoming.get(peer)?.has(ref) === true
  }

  hasOutgoing (peer: Peer, ref: number): boolean {
    return this.#monitors.findByRef(peer, ref) !== undefined
  }

  /** The connection of the other node has left its target. */
  removeIncoming (peer: Peer, ref: number): void {
    const binding = this.#incoming.get(peer)!.get(ref)!
    deleteInner(this.#incoming, peer, ref)
    this.#incomingMonitors.remove(peer, ref)
    this.#context.local.unsubscribeFromDrain(binding.target, binding)
  }

  /** Delivers the leave for a join, when the node of the client will not or cannot send it. */
  #deliverLeave ({ target, client, metadata }: IncomingBinding, why: LeaveReason): void {
    if (client === undefined) return
    const { codec, local } = this.#context
    const payload = codec.leaveOf(client, metadata, why)
    this.#context.guard(() => { local.accept(target, codec.leaveTopic, payload, client, 0) })
  }

  /** Ends all bindings of another node's connections to processes of this node. */
  #endIncoming (peer: Peer, why: LeaveReason): void {
    for (const [ref, binding] of [...this.#incoming.get(peer) ?? []]) {
      this.removeIncoming(peer, ref)
      this.#deliverLeave(binding, why)
    }
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
      this.#endIncoming(peer, 'node closing')
    }
  }

  /** Another node has begun to close. */
  #receiveClosing (peer: Peer): true {
    peer.closing = true
    this.#endOutgoing(peer, { reason: 'noconnection', nodeClosing: true })
    return true
  }

  channelReset (peer: Peer): void {
    this.#endIncoming(peer, 'node lost')
    this.#endOutgoing(peer, { reason: 'noconnection' })
  }
}

/** Freezes metadata deeply: all messages of a client share one object, as they do on its node. */
function freeze (value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const part of Object.values(value)) freeze(part)
  return Object.freeze(value)
}
