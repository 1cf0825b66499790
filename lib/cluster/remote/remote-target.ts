import { errorCodes } from '../../errors.js'
import { frameTypes } from '../link/frame-types.js'
import { encodePayload, whyUnsendable } from '../values/payload.js'
import { serialOf } from '../context.js'
import type { Encoded } from '../values/payload.js'
import type { Peer } from '../membership/peer.js'
import type { Caller, RemoteCalls } from './remote-calls.js'
import type { Description, Target } from '../../process/entity.js'
import type { NodeContext } from '../context.js'
import type { RemoteNodes } from '../../process/remote/remote-nodes.js'
import type { Producer } from '../../shared/watermark.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'

/** The parts of its node that a remote target uses. */
export interface RemoteTargetParts {
  readonly context: NodeContext
  readonly remoteNodes: RemoteNodes
  readonly calls: RemoteCalls
}

/**
 * A remote process that one connection of this node is bound to. Text and bytes of the client are
 * sent as they are, and the metadata once. Producers wait here for room in the channel and in the
 * mailbox of the process.
 */
export class RemoteTarget implements Target {
  readonly pid: Pid
  readonly kind = 'process'
  readonly trapLinks = false
  readonly #context: NodeContext
  readonly #remoteNodes: RemoteNodes
  readonly #calls: RemoteCalls
  readonly #peer: Peer
  readonly #ref: number
  readonly #listener: ExitListener
  readonly #startedAt: number
  /** The metadata that was sent last. */
  #metadata: unknown
  /** The other node has said that the mailbox of the process is full. */
  #paused = false
  #stopping = false
  /** The process has ended, and the messages that it has not taken are on their way back. */
  #refusesMessages = false
  /** Messages of the client that were sent. */
  #messageCount = 0
  readonly #waitingProducers = new Set<Producer>()

  constructor (
    { context, remoteNodes, calls }: RemoteTargetParts,
    peer: Peer,
    pid: Pid,
    ref: number,
    listener: ExitListener
  ) {
    this.#context = context
    this.#startedAt = context.now()
    this.#remoteNodes = remoteNodes
    this.#calls = calls
    this.#peer = peer
    this.pid = pid
    this.#ref = ref
    this.#listener = listener
  }

  get refusesMail (): boolean {
    return this.#stopping
  }

  // From the connection

  /**
   * @returns true, because the other node counts what the process refuses; false for a message that
   * the connection has to hold
   */
  accept (topic: string, payload: unknown, from: Pid, _bytes = 0, call?: Caller): boolean {
    if (!this.#stopping) this.#sendOrEnd(topic, payload, from, call)
    else if (call !== undefined) call.reject(new errorCodes.FST_PROCESS_NOT_ALIVE(this.pid))
    else return !this.#refusesMessages || !this.#context.codec.isMessage(payload)
    return true
  }

  #sendOrEnd (topic: string, payload: unknown, from: Pid, call: Caller | undefined): void {
    if (this.#sendForClient(topic, payload, from, frameTypes.clientEvent, call)) return
    // Sending may have ended the binding.
    if (this.#stopping) return
    // It must not be refused, but it cannot be sent. End the binding: a message must not be lost
    // without notice.
    this.release()
    this.#remoteNodes.demonitor(this.pid, this.#listener)
    this.#listener.targetEnded({ pid: this.pid, reason: 'noconnection' })
  }

  deliver (
    topic: string, payload: unknown, from: Pid | undefined, call?: Caller
  ): boolean {
    if (this.#stopping) return false
    const isOfClient = from !== undefined && this.#context.codec.isOfClient(payload, from)
    if (call === undefined && isOfClient) {
      return this.#sendForClient(topic, payload, from, frameTypes.clientNews)
    }
    return this.#remoteNodes.send(this.pid, topic, payload, from, call)
  }

  #sendForClient (
    topic: string, payload: unknown, client: Pid, type: number, call?: Caller
  ): boolean {
    const metadata = this.#context.codec.metadataOf(payload)
    if (metadata !== this.#metadata) {
      const encoded = encodePayload(metadata)
      if (encoded === undefined) return false
      const traceparent = this.#context.local.spans?.upgradeTraceparent(client) ?? ''
      if (!this.#pushFrame(frameTypes.metadata, traceparent, client, encoded)) return false
      this.#metadata = metadata
    }
    const data = this.#context.codec.dataOf(payload)
    if (data !== undefined) {
      this.#messageCount++
      return this.#pushFrame(frameTypes.clientMessage, topic, client, encodePayload(data)!)
    }
    const content = this.#context.codec.contentOf(payload)
    const encoded = encodePayload(content)
    if (this.#context.codec.isMessage(payload)) {
      return this.#sendChecked(topic, content, encoded, client, call)
    }
    return encoded !== undefined && this.#pushFrame(type, topic, client, encoded)
  }

  /** A schema may accept a value that cannot cross: that is no reason to lose the target. */
  #sendChecked (
    topic: string, content: object, encoded: Encoded | undefined, client: Pid,
    call: Caller | undefined
  ): boolean {
    if (encoded === undefined) {
      const about = { topic, to: this.pid }
      const error = this.#context.unsendable(whyUnsendable(content), about)
      call?.reject(error)
      return true
    }
    this.#messageCount++
    const ref = call === undefined ? 0 : this.#context.nextRef()
    if (!this.#pushFrame(frameTypes.clientMessage, topic, client, encoded, ref)) return false
    if (call !== undefined) this.#calls.expectAnswer(this.#peer, ref, this.pid, call)
    return true
  }

  #pushFrame (
    type: number, text: string, from: Pid, payload: Encoded, callRef = 0
  ): boolean {
    const urgency = type === frameTypes.clientNews ? 'message' : 'system'
    const fields = { type, ref: this.#ref, to: callRef, from: serialOf(from), text, ...payload }
    return this.#peer.sendFrame(fields, urgency)
  }

  /** Messages of the client that were sent so far. */
  get messageCount (): number {
    return this.#messageCount
  }

  get congested (): boolean {
    return this.#paused || this.#peer.channel.window.congested
  }

  subscribeToDrain (producer: Producer): void {
    if (this.#stopping) return
    if (this.#paused) this.#waitingProducers.add(producer)
    else this.#peer.channel.window.subscribeToDrain(producer)
  }

  unsubscribeFromDrain (producer: Producer): void {
    this.#waitingProducers.delete(producer)
    this.#peer.channel.window.unsubscribeFromDrain(producer)
  }

  // From the other node

  pause (): void {
    this.#paused = true
  }

  resume (): void {
    this.#paused = false
    const { window } = this.#peer.channel
    for (const producer of this.#waitingProducers) window.subscribeToDrain(producer)
    this.#waitingProducers.clear()
    window.resumeProducers()
  }

  /** The process has ended: from now on, the connection holds the messages of its client. */
  stopSending (): void {
    this.#refusesMessages = true
    this.release()
  }

  /** Call when the binding has ended. */
  release (): void {
    this.#stopping = true
    this.#waitingProducers.clear()
  }

  // As any entity

  /** Not used: the runtime sends no notifications through a binding. */
  notify (): void {}

  end (reason: string): void {
    this.#remoteNodes.exit(this.pid, reason)
  }

  linkFailed (reason: string): void {
    this.#remoteNodes.exit(this.pid, reason)
  }

  cancel (from: Pid | undefined, reason: string): boolean {
    return this.#remoteNodes.cancel(this.pid, reason, from)
  }

  describe (): Description {
    const uptime = this.#context.now() - this.#startedAt
    return { kind: this.kind, label: '', status: 'running', mailbox: 0, monitors: [], uptime }
  }
}
