import { encodeSource } from './codec.js'
import type { BatchSource } from './codec.js'
import type { NodeContext } from '../context.js'
import type { EngineEvents } from '../engines/engine-state.js'

/** Publishes and receives the batches of this node over the engine, and names its topics. */
export class EngineLink {
  readonly #context: NodeContext
  readonly #stateChanged: (up: boolean) => void
  #up = false
  #silenced = false
  #pendingOpens: (() => void)[] = []
  #failure: unknown
  /** How each batch of this node begins, after version and type. Cached for one incarnation. */
  #source: { readonly incarnation: number, readonly bytes: Buffer } | undefined

  /** @param stateChanged called when the engine becomes reachable or unreachable */
  constructor (context: NodeContext, stateChanged: (up: boolean) => void) {
    this.#context = context
    this.#stateChanged = stateChanged
  }

  /** Whether the engine can be reached. */
  get up (): boolean {
    return this.#up
  }

  /** Whether this node has left: it publishes nothing, and ignores every batch. */
  get silenced (): boolean {
    return this.#silenced
  }

  /** The reason why the engine could not be opened, if its client gave one. */
  get failure (): unknown {
    return this.#failure
  }

  get heartbeatTopic (): string {
    return `${this.#context.prefix}.hb`
  }

  inboxTopic (node: string, incarnation: number): string {
    return `${this.#context.prefix}.n.${node}.${incarnation.toString(36)}`
  }

  /**
   * Asks the engine whether a node subscribes to its inbox.
   * @returns undefined if the engine cannot tell
   */
  async probe (node: string, incarnation: number): Promise<boolean | undefined> {
    const { transport } = this.#context
    if (!transport.caps.probe) return undefined
    return await transport.probe(this.inboxTopic(node, incarnation))
  }

  /** Resolves when the engine can be reached. */
  async open (): Promise<void> {
    try {
      const { transport, clock } = this.#context
      const events: EngineEvents = { clock, state: (up) => { this.#setState(up) } }
      await transport.open(events)
    } catch (err) {
      this.#failure = err instanceof Error ? err.cause : err
      throw err
    }
    if (!this.#up) await new Promise<void>((resolve) => { this.#pendingOpens.push(resolve) })
  }

  #setState (up: boolean): void {
    if (this.#up === up) return
    this.#up = up
    if (up) for (const resolve of this.#pendingOpens.splice(0)) resolve()
    this.#stateChanged(up)
  }

  /** Publishes a batch. @returns false if the engine did not accept it */
  publish (
    topic: string,
    source: Omit<BatchSource, 'node' | 'incarnation'>,
    parts: readonly Uint8Array[]
  ): boolean {
    const { node, incarnation, transport, counters } = this.#context
    if (this.#silenced || !this.#up) return false
    const bytes = Buffer.concat([encodeSource({ ...source, node, incarnation }), ...parts])
    if (!transport.publish(topic, bytes)) return false
    counters.batchSent()
    return true
  }

  /** Subscribes to a topic. What `listener` throws does not reach the client of the engine. */
  async subscribe (topic: string, listener: (bytes: Buffer) => void): Promise<void> {
    await this.#context.transport.subscribe(topic, (frame) => {
      const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
      if (this.#silenced || this.isOwn(bytes)) return
      this.#context.counters.batchReceived()
      this.#context.guard(() => { listener(bytes) })
    })
  }

  /** Whether this node has published the batch itself: Redis sends it back, NATS does not. */
  isOwn (bytes: Buffer): boolean {
    const { node, incarnation } = this.#context
    if (this.#source?.incarnation !== incarnation) {
      const bytes = encodeSource({ type: 0, node, incarnation }).subarray(2)
      this.#source = { incarnation, bytes }
    }
    const own = this.#source.bytes
    const end = own.length + 2
    return bytes.length >= end && bytes.compare(own, 0, own.length, 2, end) === 0
  }

  /** Waits until the engine has everything that was published. Does nothing while it is down. */
  async flush (timeout: number): Promise<void> {
    if (this.#up) await this.#context.transport.flush(timeout).catch(() => {})
  }

  /** From now on nothing is published, and received batches are ignored. */
  silence (): void {
    this.#silenced = true
  }
}
