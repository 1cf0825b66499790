import { frameTypes } from '../link/frame-types.js'
import { exitFields, exitOf } from '../values/exit-payload.js'
import { decodePayload, payloadKinds } from '../values/payload.js'
import { serialOf } from '../membership/peer.js'
import { problemOf } from '../../process/remote-nodes.js'
import { failure, success } from '../../shared/result.js'
import { RemoteTarget } from './remote-target.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import { IncomingMonitors, OutgoingMonitors } from './monitor-tables.js'
import { tookJoin } from '../../process/exits/unread-joins.js'
import type { Frame } from '../link/codec.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { BindResult, RemoteNodes, RemoteProblem } from '../../process/remote-nodes.js'
import type { Producer } from '../../shared/watermark.js'
import type { TargetExit, ExitListener } from '../../process/exits/relations.js'
import type { Exit, Metadata, WsLeave } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

const unreachable = 'its node cannot be reached'
const nodeClosing = 'its node is closing'
const problems: ReadonlySet<string> = new Set<RemoteProblem>([
  'it is not alive', 'it is stopping', 'it is a connection', unreachable, nodeClosing
])

/** The fields of `ws.leave` that say why a client left. */
type LeaveReason = Pick<WsLeave, 'reason' | 'code' | 'cause'>

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
  readonly #peer: Peer
  readonly #ref: number
  metadata: unknown
  /** Set from the join, if the target accepted it, until the leave. */
  client: Pid | undefined
  #paused = false

  constructor (peer: Peer, ref: number, target: Pid) {
    this.#peer = peer
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
    this.#peer.sendFrame({ type: frameTypes.pause, ref: this.#ref })
    return true
  }

  resume (): void {
    this.#paused = false
    this.#peer.sendFrame({ type: frameTypes.resume, ref: this.#ref })
  }
}

/** Bindings of connections to processes of another node, seen from both nodes. */
export class RemoteBindings {
  readonly #node: NodeContext
  readonly #remoteNodes: RemoteNodes
  readonly #monitors = new OutgoingMonitors()
  readonly #byWatcher = new Map<Pid, Map<ExitListener, Binding>>()
  readonly #incomingMonitors: IncomingMonitors
  readonly #incoming = new Map<Peer, Map<number, IncomingBinding>>()

  constructor (node: NodeContext, remoteNodes: RemoteNodes) {
    this.#node = node
    this.#remoteNodes = remoteNodes
    this.#incomingMonitors = new IncomingMonitors(node)
  }

  get size (): number {
    const outgoing = this.#monitors.size + this.#byWatcher.size
    return outgoing + this.#incomingMonitors.size + this.#incoming.size
  }

  bind (target: Pid, listener: ExitListener): Promise<BindResult> {
    const peer = this.#node.peerOf(target)
    if (peer === undefined) {
      const isDead = this.#node.exitReasonFor(target) === 'noproc'
      return Promise.resolve(failure(isDead ? 'it is not alive' : unreachable))
    }
    if (peer.closing) return Promise.resolve(failure(nodeClosing))
    this.unbind(target, listener)
    return new Promise((resolve) => {
      const binding = new Binding(target, listener, resolve)
      const ref = this.#node.nextRef()
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

  /** @returns undefined when a frame is not about bindings, false when it is garbage */
  receive (peer: Peer, frame: Frame): boolean | undefined {
    const { type, ref } = frame
    switch (type) {
      case frameTypes.bind: return this.#receiveBind(peer, frame)
      case frameTypes.bound: return this.#receiveBound(peer, frame)
      case frameTypes.metadata: case frameTypes.clientMessage:
      case frameTypes.clientEvent: case frameTypes.clientNews:
        return this.#receiveClientFrame(peer, frame)
      case frameTypes.pause:
        this.#findByRef(peer, ref)?.remoteTarget?.pause()
        return true
      case frameTypes.resume:
        this.#node.guard(() => { this.#findByRef(peer, ref)?.remoteTarget?.resume() })
        return true
      case frameTypes.closing: return this.#receiveClosing(peer)
      // Plain monitors use the next two types as well, with references of their own.
      case frameTypes.down:
        if (this.#monitors.findByRef(peer, ref) === undefined) return undefined
        return this.#receiveDown(peer, frame)
      case frameTypes.demonitor:
        if (this.#incoming.get(peer)?.has(ref) !== true) return undefined
        return this.#removeIncoming(peer, ref)
      default: return undefined
    }
  }

  #receiveBind (peer: Peer, { to, ref }: Frame): true {
    const target = this.#node.pid(to)
    const problem = this.#node.local.bindProblem(target)
    peer.sendFrame({ type: frameTypes.bound, ref, text: problem ?? '' })
    if (problem !== undefined) return true
    const binding = new IncomingBinding(peer, ref, target)
    innerMap(this.#incoming, peer).set(ref, binding)
    this.#incomingMonitors.add(peer, ref, target, (exit) => {
      deleteInner(this.#incoming, peer, ref)
      const fields = exitFields(exit, this.#node, binding.tookJoin(exit))
      peer.sendFrame({ type: frameTypes.down, ref, ...fields })
    })
    return true
  }

  #receiveBound (peer: Peer, { ref, text }: Frame): true {
    const binding = this.#findByRef(peer, ref)
    if (binding === undefined) return true
    if (text === '') {
      const { target, listener } = binding
      binding.bound(new RemoteTarget(this.#remoteNodes, peer, target, ref, listener))
    } else {
      const problem = problems.has(text) ? text as RemoteProblem : 'it is not alive'
      this.#remove(peer, ref)!.refused(problem)
    }
    return true
  }

  #receiveDown (peer: Peer, frame: Frame): boolean {
    const binding = this.#remove(peer, frame.ref)!
    const lost: Exit = { pid: binding.target, reason: 'noconnection' }
    // The node of the target sent this frame, so that node is not lost. A reason 'noconnection' in
    // it was given by a user's code: it counts as 'error'.
    const isMisleading = frame.text === lost.reason
    const exit = exitOf(isMisleading ? { ...frame, text: 'error' } : frame, binding.target)
    this.#node.guard(() => { binding.targetEnded(exit ?? lost) })
    return exit !== undefined
  }

  #receiveClientFrame (peer: Peer, frame: Frame): boolean {
    const { type, from, ref, text: topic, kind, body } = frame
    const binding = this.#incoming.get(peer)?.get(ref)
    // The target has ended, and the other node does not know it yet.
    if (binding === undefined) return true
    const decoded = decodePayload(kind, body as Buffer)
    if (type === frameTypes.metadata) {
      // If it cannot be read, the earlier metadata is dropped: it may name another user.
      binding.metadata = freeze(decoded === undefined ? {} : decoded.payload)
      return decoded !== undefined
    }
    const payload = decoded?.payload
    const isMessage = type === frameTypes.clientMessage
    const content = isMessage ? messageOf(kind, payload) : contentOf(payload)
    if (content === undefined) return false
    const client = peer.pid(from)
    // These two fields cannot be set by the content.
    const message = { ...content, client_pid: client, metadata: binding.metadata }
    const { local } = this.#node
    if (type === frameTypes.clientEvent) {
      // A process that is stopping refuses the join: no leave may follow.
      const isJoin = topic === 'ws.join' && local.bindProblem(binding.target) === undefined
      binding.client = isJoin ? client : undefined
    }
    if (type === frameTypes.clientNews) {
      local.deliver(binding.target, topic, message, client)
      return true
    }
    const bytes = isMessage ? body.length : 0
    const isFull = local.accept(binding.target, topic, message, client, bytes)
    if (isFull && binding.pauseClient()) local.subscribeToDrain(binding.target, binding)
    return true
  }

  #removeIncoming (peer: Peer, ref: number): true {
    const binding = this.#incoming.get(peer)!.get(ref)!
    deleteInner(this.#incoming, peer, ref)
    this.#incomingMonitors.remove(peer, ref)
    this.#node.local.unsubscribeFromDrain(binding.target, binding)
    return true
  }

  /** Delivers the leave for a join, when the node of the client will not or cannot send it. */
  #deliverLeave ({ target, client, metadata }: IncomingBinding, why: LeaveReason): void {
    if (client === undefined) return
    const payload: WsLeave = { client_pid: client, ...why, metadata: metadata as Metadata }
    this.#node.guard(() => { this.#node.local.accept(target, 'ws.leave', payload, client, 0) })
  }

  /** Ends all bindings of another node's connections to processes of this node. */
  #endIncoming (peer: Peer, why: LeaveReason): void {
    for (const [ref, binding] of [...this.#incoming.get(peer) ?? []]) {
      this.#removeIncoming(peer, ref)
      this.#deliverLeave(binding, why)
    }
  }

  /** Ends all bindings of this node's connections to processes of another node. */
  #endOutgoing (peer: Peer, exit: Omit<TargetExit, 'pid'>): void {
    for (const { ref, target } of this.#monitors.allOf(peer)) {
      const binding = this.#remove(peer, ref)
      // A listener that was called before may have ended this binding.
      if (binding === undefined) continue
      this.#node.guard(() => { binding.targetEnded({ pid: target, ...exit }) })
    }
  }

  /**
   * Call when this node begins to close, before its processes are stopped. The other nodes close
   * the connections that are bound to its processes. The processes get a leave for each of them.
   */
  announceClosing (peers: readonly Peer[]): void {
    for (const peer of peers) {
      peer.sendFrame({ type: frameTypes.closing })
      this.#endIncoming(peer, { reason: 'node closing', code: 1012, cause: 'target' })
    }
  }

  /** Another node has begun to close. */
  #receiveClosing (peer: Peer): true {
    peer.closing = true
    this.#endOutgoing(peer, { reason: 'noconnection', nodeClosing: true })
    return true
  }

  channelReset (peer: Peer): void {
    this.#endIncoming(peer, { reason: 'node lost', code: undefined, cause: 'lost' })
    this.#endOutgoing(peer, { reason: 'noconnection' })
  }
}

/** @returns undefined when a client's message is neither text nor bytes */
function messageOf (kind: number, data: unknown): object | undefined {
  if (kind === payloadKinds.text) return { type: 'text', data }
  return kind === payloadKinds.bytes ? { type: 'binary', data } : undefined
}

/** @returns undefined when the payload is not an object with keys */
function contentOf (payload: unknown): object | undefined {
  if (typeof payload !== 'object' || payload === null) return undefined
  return Array.isArray(payload) || ArrayBuffer.isView(payload) ? undefined : payload
}

/** Freezes metadata deeply: all messages of a client share one object, as they do on its node. */
function freeze (value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const part of Object.values(value)) freeze(part)
  return Object.freeze(value)
}
