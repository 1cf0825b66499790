import { frameTypes } from '../link/frame-types.js'
import { encodePayload } from '../values/payload.js'
import { serialOf } from '../membership/peer.js'
import type { FrameFields } from '../link/codec.js'
import type { Peer } from '../membership/peer.js'
import type { Answer } from '../../process/calls.js'
import type { Description, Target } from '../../process/entity.js'
import type { RemoteNodes } from '../../process/remote-nodes.js'
import type { Producer } from '../../process/actor/mailbox.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'

/** What the relay hands on for a client. */
interface ClientPayload {
  readonly client_pid: Pid
  readonly metadata: unknown
  readonly type?: 'text' | 'binary'
  readonly data?: string | Uint8Array
}

/**
 * A process elsewhere that one connection is bound to. Text and bytes of the client travel as they are, its metadata
 * once. What can wait does so here: for the channel, and for the mailbox on the other side.
 */
export class RemoteTarget implements Target {
  readonly pid: Pid
  readonly kind = 'process'
  readonly trapLinks = false
  readonly #remoteNodes: RemoteNodes
  readonly #peer: Peer
  readonly #ref: number
  readonly #watcher: ExitListener
  readonly #startedAt = performance.now()
  /** The metadata the other side has. */
  #metadata: unknown
  /** The other side has said that its mailbox is filling up. */
  #paused = false
  #stopping = false
  readonly #waitingProducers = new Set<Producer>()

  constructor (elsewhere: RemoteNodes, peer: Peer, pid: Pid, ref: number, watcher: ExitListener) {
    this.#remoteNodes = elsewhere
    this.#peer = peer
    this.pid = pid
    this.#ref = ref
    this.#watcher = watcher
  }

  get stopping (): boolean {
    return this.#stopping
  }

  // From the connection

  accept (topic: string, payload: unknown, from: Pid): void {
    if (this.#stopping || this.#sendForClient(topic, payload as ClientPayload, from, frameTypes.clientEvent)) return
    if (this.#stopping) return
    // Never refused, and it cannot travel: rather the end of the binding than a message lost in silence.
    this.release()
    this.#remoteNodes.demonitor(this.pid, this.#watcher)
    this.#watcher.targetEnded({ pid: this.pid, reason: 'noconnection' })
  }

  deliver (topic: string, payload: unknown, from: Pid | undefined, call?: Answer & ExitListener): boolean {
    if (this.#stopping) return false
    if (call === undefined && from !== undefined && isClientPayload(from, payload)) return this.#sendForClient(topic, payload, from, frameTypes.clientNews)
    return this.#remoteNodes.send(this.pid, topic, payload, from, call)
  }

  #sendForClient (topic: string, payload: ClientPayload, from: Pid, type: number): boolean {
    const { client_pid: client, metadata, type: kind, data, ...rest } = payload
    if (metadata !== this.#metadata) {
      const encoded = encodePayload(metadata)
      if (encoded === undefined || !this.#pushFrame(frameTypes.metadata, '', from, encoded)) return false
      this.#metadata = metadata
    }
    if (kind !== undefined && data !== undefined) return this.#pushFrame(frameTypes.clientMessage, topic, client, encodePayload(data)!)
    const encoded = encodePayload(rest)
    return encoded !== undefined && this.#pushFrame(type, topic, client, encoded)
  }

  #pushFrame (type: number, text: string, from: Pid, payload: Pick<FrameFields, 'kind' | 'body'>): boolean {
    return this.#peer.sendFrame({ type, ref: this.#ref, from: serialOf(from), text, ...payload }, type === frameTypes.clientNews ? 'message' : 'system')
  }

  get congested (): boolean {
    return this.#paused || this.#peer.channel.window.congested
  }

  subscribeToDrain (feeder: Producer): void {
    if (this.#stopping) return
    if (this.#paused) this.#waitingProducers.add(feeder)
    else this.#peer.channel.window.subscribeDrain(feeder)
  }

  unsubscribeFromDrain (feeder: Producer): void {
    this.#waitingProducers.delete(feeder)
    this.#peer.channel.window.unsubscribeDrain(feeder)
  }

  // From the other side

  pause (): void {
    this.#paused = true
  }

  resume (): void {
    this.#paused = false
    const { window } = this.#peer.channel
    for (const feeder of [...this.#waitingProducers]) {
      this.#waitingProducers.delete(feeder)
      if (window.congested) window.subscribeDrain(feeder)
      else feeder.resume()
    }
  }

  /** It is bound no more: by its end, that of its node, or by the connection. */
  release (): void {
    this.#stopping = true
    this.#waitingProducers.clear()
  }

  // As any entity

  /** The system tells nothing to a process through a connection's binding. */
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
    return { kind: this.kind, label: '', status: 'running', mailbox: 0, monitors: [], uptime: performance.now() - this.#startedAt }
  }
}

/** Whether a payload is one of a client, with its metadata in it. */
function isClientPayload (client: Pid, payload: unknown): payload is ClientPayload {
  return typeof payload === 'object' && payload !== null && (payload as ClientPayload).client_pid === client && 'metadata' in payload
}
