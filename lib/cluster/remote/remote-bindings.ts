import { frameTypes } from '../link/frame-types.js'
import { exitFields, exitOf } from '../values/exit-payload.js'
import { decodePayload, payloadKinds } from '../values/payload.js'
import { serialOf } from '../membership/peer.js'
import { problemOf } from '../../process/remote-nodes.js'
import { RemoteTarget } from './remote-target.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import { IncomingMonitors, OutgoingMonitors } from './monitor-tables.js'
import { tookJoin } from '../../process/unread-joins.js'
import type { Frame } from '../link/codec.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { RemoteNodes, RemoteProblem } from '../../process/remote-nodes.js'
import type { Target } from '../../process/entity.js'
import type { Producer } from '../../process/actor/mailbox.js'
import type { TargetExit, ExitListener } from '../../process/exits/relations.js'
import type { Exit, Metadata, WsLeave } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

const unreachable = 'its node cannot be reached'
const nodeClosing = 'its node is closing'
const problems: ReadonlySet<string> = new Set<RemoteProblem>(['it is not alive', 'it is stopping', 'it is a connection', unreachable, nodeClosing])

/** A connection of this node and what it is bound to, or asks to be. */
class Binding implements ExitListener {
  readonly target: Pid
  readonly watcher: ExitListener
  #resolve: ((answer: Target | RemoteProblem) => void) | undefined
  remoteTarget: RemoteTarget | undefined

  constructor (target: Pid, watcher: ExitListener, answered: (answer: Target | RemoteProblem) => void) {
    this.target = target
    this.watcher = watcher
    this.#resolve = answered
  }

  settle (answer: RemoteTarget | RemoteProblem): void {
    if (typeof answer !== 'string') this.remoteTarget = answer
    this.#resolve?.(answer)
    this.#resolve = undefined
  }

  /** Before the answer it is the answer; afterwards it is an end. */
  targetEnded (exit: TargetExit): void {
    this.remoteTarget?.release()
    if (this.#resolve !== undefined) this.settle(problemOf(exit))
    else this.watcher.targetEnded(exit)
  }

  release (): void {
    this.remoteTarget?.release()
    this.settle('it is not alive')
  }
}

/** The other end of a binding: hands on what a client says, and tells when its sockets should wait. */
class IncomingBinding implements Producer {
  readonly target: Pid
  readonly #peer: Peer
  readonly #ref: number
  metadata: unknown
  /** Set between the join, if the target accepted that, and the leave. */
  client: Pid | undefined
  #paused = false

  constructor (peer: Peer, ref: number, target: Pid) {
    this.#peer = peer
    this.#ref = ref
    this.target = target
  }

  /** Whether the target took the join before it ended: one that is still on its way was not taken. */
  tookJoin (exit: Exit): boolean {
    return this.client !== undefined && tookJoin(exit, this.client)
  }

  /** @returns whether it has to be told of room */
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

/** Connections bound to processes of other nodes. */
export class RemoteBindings {
  readonly #node: NodeContext
  readonly #remoteNodes: RemoteNodes
  readonly #monitors = new OutgoingMonitors()
  readonly #byWatcher = new Map<Pid, Map<ExitListener, Binding>>()
  readonly #incomingMonitors: IncomingMonitors
  readonly #incoming = new Map<Peer, Map<number, IncomingBinding>>()

  constructor (hub: NodeContext, elsewhere: RemoteNodes) {
    this.#node = hub
    this.#remoteNodes = elsewhere
    this.#incomingMonitors = new IncomingMonitors(hub)
  }

  get size (): number {
    return this.#monitors.size + this.#byWatcher.size + this.#incomingMonitors.size + this.#incoming.size
  }

  bind (target: Pid, watcher: ExitListener): Promise<Target | RemoteProblem> {
    const peer = this.#node.peerOf(target)
    if (peer === undefined) return Promise.resolve(this.#node.exitReasonFor(target) === 'noproc' ? 'it is not alive' : unreachable)
    if (peer.closing) return Promise.resolve(nodeClosing)
    this.unbind(target, watcher)
    return new Promise((resolve) => {
      const binding = new Binding(target, watcher, resolve)
      const ref = this.#node.nextRef()
      this.#monitors.add({ peer, ref, target, watcher: binding })
      innerMap(this.#byWatcher, target).set(watcher, binding)
      peer.sendFrame({ type: frameTypes.bind, to: serialOf(target), ref })
    })
  }

  /** @returns whether it was bound */
  unbind (target: Pid, watcher: ExitListener): boolean {
    const binding = this.#byWatcher.get(target)?.get(watcher)
    if (binding === undefined) return false
    const { peer, ref } = this.#monitors.find(target, binding)!
    this.#remove(peer, ref)
    binding.release()
    peer.sendFrame({ type: frameTypes.demonitor, ref })
    return true
  }

  #remove (peer: Peer, ref: number): Binding | undefined {
    const binding = this.#monitors.removeByRef(peer, ref)?.watcher as Binding | undefined
    if (binding !== undefined) deleteInner(this.#byWatcher, binding.target, binding.watcher)
    return binding
  }

  #findByRef (peer: Peer, ref: number): Binding | undefined {
    return this.#monitors.findByRef(peer, ref)?.watcher as Binding | undefined
  }

  /** Frames of another node. @returns undefined for one that is not of this kind, false for garbage */
  receive (peer: Peer, frame: Frame): boolean | undefined {
    const { type, ref } = frame
    switch (type) {
      case frameTypes.bind: return this.#receiveBind(peer, frame)
      case frameTypes.bound: return this.#receiveBound(peer, frame)
      case frameTypes.metadata: case frameTypes.clientMessage: case frameTypes.clientEvent: case frameTypes.clientNews: return this.#receiveClientFrame(peer, frame)
      case frameTypes.pause:
        this.#findByRef(peer, ref)?.remoteTarget?.pause()
        return true
      case frameTypes.resume:
        this.#node.guard(() => { this.#findByRef(peer, ref)?.remoteTarget?.resume() })
        return true
      case frameTypes.closing: return this.#receiveClosing(peer)
      case frameTypes.down: return this.#monitors.findByRef(peer, ref) === undefined ? undefined : this.#receiveDown(peer, frame)
      case frameTypes.demonitor: return this.#incoming.get(peer)?.has(ref) === true ? this.#removeIncoming(peer, ref) : undefined
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
      peer.sendFrame({ type: frameTypes.down, ref, ...exitFields(exit, this.#node, binding.tookJoin(exit)) })
    })
    return true
  }

  #receiveBound (peer: Peer, { ref, text }: Frame): true {
    const binding = this.#findByRef(peer, ref)
    if (binding === undefined) return true
    if (text === '') binding.settle(new RemoteTarget(this.#remoteNodes, peer, binding.target, ref, binding.watcher))
    else this.#remove(peer, ref)!.settle(problems.has(text) ? text as RemoteProblem : 'it is not alive')
    return true
  }

  #receiveDown (peer: Peer, frame: Frame): boolean {
    const binding = this.#remove(peer, frame.ref)!
    const lost: Exit = { pid: binding.target, reason: 'noconnection' }
    // The target's own node reports an end: 'noconnection' is a reason that somebody gave, not the loss of that node.
    const exit = exitOf(frame.text === lost.reason ? { ...frame, text: 'error' } : frame, binding.target)
    this.#node.guard(() => { binding.targetEnded(exit ?? lost) })
    return exit !== undefined
  }

  #receiveClientFrame (peer: Peer, { type, from, ref, text: topic, kind, body }: Frame): boolean {
    const binding = this.#incoming.get(peer)?.get(ref)
    // The target has ended meanwhile.
    if (binding === undefined) return true
    const decoded = decodePayload(kind, body as Buffer)
    if (type === frameTypes.metadata) {
      // Rather none than those from before: they may say who the client was.
      binding.metadata = freeze(decoded === undefined ? {} : decoded.payload)
      return decoded !== undefined
    }
    const payload = decoded?.payload
    const content = type === frameTypes.clientMessage ? messageOf(kind, payload) : contentOf(payload)
    if (content === undefined) return false
    const client = peer.pid(from)
    // Whatever the content says, it is the client's own.
    const message = { ...content, client_pid: client, metadata: binding.metadata }
    const { local: here } = this.#node
    if (type === frameTypes.clientEvent) {
      // A process that is stopping refuses the join.
      const isJoin = topic === 'ws.join' && here.bindProblem(binding.target) === undefined
      binding.client = isJoin ? client : undefined
    }
    if (type === frameTypes.clientNews) here.deliver(binding.target, topic, message, client)
    else if (here.accept(binding.target, topic, message, client, type === frameTypes.clientMessage ? body.length : 0) && binding.pauseClient()) {
      here.subscribeToDrain(binding.target, binding)
    }
    return true
  }

  #removeIncoming (peer: Peer, ref: number): true {
    const binding = this.#incoming.get(peer)!.get(ref)!
    deleteInner(this.#incoming, peer, ref)
    this.#incomingMonitors.remove(peer, ref)
    this.#node.local.unsubscribeFromDrain(binding.target, binding)
    return true
  }

  /** One leave per join. The node of the client tells of it no more, or is no longer listened to. */
  #deliverLeave ({ target, client, metadata }: IncomingBinding, why: Pick<WsLeave, 'reason' | 'code' | 'cause'>): void {
    if (client === undefined) return
    const payload: WsLeave = { client_pid: client, ...why, metadata: metadata as Metadata }
    this.#node.guard(() => { this.#node.local.accept(target, 'ws.leave', payload, client, 0) })
  }

  #endIncoming (peer: Peer, why: Pick<WsLeave, 'reason' | 'code' | 'cause'>): void {
    for (const [ref, binding] of [...this.#incoming.get(peer) ?? []]) {
      this.#removeIncoming(peer, ref)
      this.#deliverLeave(binding, why)
    }
  }

  /** Ends all bindings of this node's connections to processes of another node. */
  #endOutgoing (peer: Peer, exit: Omit<TargetExit, 'pid'>): void {
    for (const { ref, target } of this.#monitors.allOf(peer)) {
      const binding = this.#remove(peer, ref)
      // One that is told may take back another.
      if (binding === undefined) continue
      this.#node.guard(() => { binding.targetEnded({ pid: target, ...exit }) })
    }
  }

  /**
   * This node is closing. Its targets get the leaves of all clients of other nodes, whose connections end when the
   * other nodes read the notice: it is sent before anything that the end of a process says.
   */
  announceClosing (peers: readonly Peer[]): void {
    for (const peer of peers) {
      peer.sendFrame({ type: frameTypes.closing })
      this.#endIncoming(peer, { reason: 'node closing', code: 1012, cause: 'target' })
    }
  }

  /** Another node is closing. */
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

/** @returns undefined when it is neither text nor bytes */
function messageOf (kind: number, data: unknown): object | undefined {
  if (kind === payloadKinds.text) return { type: 'text', data }
  return kind === payloadKinds.bytes ? { type: 'binary', data } : undefined
}

/** @returns undefined when it is no object with keys */
function contentOf (payload: unknown): object | undefined {
  return typeof payload === 'object' && payload !== null && !Array.isArray(payload) && !ArrayBuffer.isView(payload) ? payload : undefined
}

/** One object for all messages of a client, as on its own node: nobody may change it under the others. */
function freeze (value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const part of Object.values(value)) freeze(part)
  return Object.freeze(value)
}
