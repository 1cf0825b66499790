import { frameTypes } from '../link/frame-types.js'
import { exitFields } from '../values/exit-payload.js'
import { decodePayload, payloadKinds } from '../values/payload.js'
import { deleteInner, innerMap } from '../nested-maps.js'
import { IncomingBinding } from './incoming-binding.js'
import { IncomingMonitors } from './monitor-tables.js'
import type { NodeContext } from '../context.js'
import type { FrameHandler, FrameHandlers } from '../dispatch.js'
import type { Frame } from '../link/codec.js'
import type { RemoteCalls } from './remote-calls.js'
import type { Peer } from '../membership/peer.js'
import type { Answer } from '../../process/calls.js'
import type { ConnectionCodec } from '../../process/remote/connection-codec.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

type LeaveReason = Parameters<ConnectionCodec['leaveOf']>[2]
type IncomingFrames =
  'bind' | 'metadata' | 'clientMessage' | 'clientEvent' | 'clientNews' | 'sendingStopped'

/** Bindings of connections of other nodes to processes of this node. */
export class IncomingBindings {
  readonly #context: NodeContext
  readonly #calls: RemoteCalls
  readonly #monitors: IncomingMonitors
  readonly #bindings = new Map<Peer, Map<number, IncomingBinding>>()

  readonly handlers: Pick<FrameHandlers, IncomingFrames> = {
    bind: (peer, frame) => this.#receiveBind(peer, frame),
    metadata: this.#fromClient((binding, frame) => this.#receiveMetadata(binding, frame)),
    clientMessage: (peer, frame) => this.#receiveMessage(peer, frame),
    clientEvent: this.#fromClient((binding, frame, client) => {
      return this.#receiveEvent(binding, frame, client)
    }),
    clientNews: this.#fromClient((binding, frame, client) => {
      return this.#receiveNews(binding, frame, client)
    }),
    sendingStopped: (peer, frame) => this.#receiveSendingStopped(peer, frame)
  }

  constructor (context: NodeContext, calls: RemoteCalls) {
    this.#context = context
    this.#calls = calls
    this.#monitors = new IncomingMonitors(context.local)
  }

  get size (): number {
    return this.#monitors.size + this.#bindings.size
  }

  #find (peer: Peer, ref: number): IncomingBinding | undefined {
    return this.#bindings.get(peer)?.get(ref)
  }

  #receiveBind (peer: Peer, { to, ref, text }: Frame): true {
    const target = this.#context.pid(to)
    const problem = this.#context.local.bindProblem(target)
    peer.sendFrame({ type: frameTypes.bound, ref, text: problem ?? '' })
    if (problem !== undefined) return true
    const binding = new IncomingBinding(peer, ref, target, text)
    innerMap(this.#bindings, peer).set(ref, binding)
    this.#monitors.add(peer, ref, target, (exit) => { this.#targetEnded(binding, exit) })
    return true
  }

  // The end of the process

  #targetEnded (binding: IncomingBinding, exit: Exit): void {
    if (binding.mustReturn(exit)) binding.startReturn(exit, this.#context)
    else this.#sendDown(binding, exit, binding.tookJoin(exit))
  }

  #sendDown (binding: IncomingBinding, exit: Exit, tookJoin: boolean): void {
    const { peer, ref } = binding
    deleteInner(this.#bindings, peer, ref)
    this.#context.local.countRefused(binding.dropRefused())
    peer.sendFrame({ type: frameTypes.down, ref, ...exitFields(exit, this.#context, tookJoin) })
  }

  /** The other node has all messages of the client. */
  #receiveSendingStopped (peer: Peer, { ref }: Frame): boolean {
    const binding = this.#find(peer, ref)
    // This node has begun to close meanwhile.
    if (binding === undefined) return true
    if (binding.exit === undefined) return false
    this.#sendDown(binding, binding.exit, false)
    return true
  }

  // From clients

  /** A handler of frames from a client of another node. */
  #fromClient (
    receive: (binding: IncomingBinding, frame: Frame, client: Pid) => boolean
  ): FrameHandler {
    return (peer, frame) => {
      const binding = this.#find(peer, frame.ref)
      // The target has ended, and the other node does not know it yet.
      if (binding === undefined || binding.exit !== undefined) return true
      return receive(binding, frame, peer.pid(frame.from))
    }
  }

  #receiveMessage (peer: Peer, frame: Frame): boolean {
    const binding = this.#find(peer, frame.ref)
    if (binding === undefined || binding.exit !== undefined) {
      // The target has ended, and the other node does not know it yet.
      const { to: call } = frame
      if (call !== 0) peer.sendFrame({ type: frameTypes.callEnded, ref: call, text: 'noproc' })
      else binding?.returnMessage(frame)
      return true
    }
    return this.#receiveData(binding, frame, peer.pid(frame.from))
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
    this.#acceptMessage(binding, topic, message, client, body.length)
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
    this.#acceptMessage(binding, topic, message, client, length, call)
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
    const isFull = local.accept(binding.target, topic, message, client, 0)
    if (isFull === undefined) local.countRefused(1)
    else if (isFull) this.#pauseClient(binding)
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

  #acceptMessage (
    binding: IncomingBinding, topic: string, message: object, client: Pid, bytes: number,
    call?: Answer
  ): void {
    const { local } = this.#context
    const isFull = local.accept(binding.target, topic, message, client, bytes, call)
    if (isFull === undefined) {
      // The caller learns that this process has ended.
      const isKept = call === undefined && binding.keepRefused(message, client)
      if (!isKept) local.countRefused(1)
    } else if (isFull) this.#pauseClient(binding)
  }

  #pauseClient (binding: IncomingBinding): void {
    if (binding.pauseClient()) this.#context.local.subscribeToDrain(binding.target, binding)
  }

  // The end of the binding

  has (peer: Peer, ref: number): boolean {
    return this.#find(peer, ref) !== undefined
  }

  /** The connection of the other node has left its target. */
  remove (peer: Peer, ref: number): void {
    const binding = this.#find(peer, ref)!
    const { local } = this.#context
    deleteInner(this.#bindings, peer, ref)
    this.#monitors.remove(peer, ref)
    local.countRefused(binding.dropRefused())
    local.unsubscribeFromDrain(binding.target, binding)
  }

  /** Ends all bindings of another node's connections. */
  removeAll (peer: Peer, why: LeaveReason): void {
    for (const [ref, binding] of [...this.#bindings.get(peer) ?? []]) {
      this.remove(peer, ref)
      if (binding.exit === undefined) this.#deliverLeave(binding, why)
    }
  }

  /** Delivers the leave for a join, when the node of the client will not or cannot send it. */
  #deliverLeave ({ target, client, metadata }: IncomingBinding, why: LeaveReason): void {
    if (client === undefined) return
    const { codec, local } = this.#context
    const payload = codec.leaveOf(client, metadata, why)
    this.#context.guard(() => {
      const isTaken = local.accept(target, codec.leaveTopic, payload, client, 0) !== undefined
      if (!isTaken) local.countRefused(1)
    })
  }
}

/** Freezes metadata deeply: all messages of a client share one object, as they do on its node. */
function freeze (value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const part of Object.values(value)) freeze(part)
  return Object.freeze(value)
}
