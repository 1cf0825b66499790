import { encodeSource } from './codec.js'
import type { BatchSource } from './codec.js'
import type { ClusterStats, ClusterTransport } from '../../../types/cluster.js'

/** The parts of its node that an engine link uses. */
export interface EngineLinkHost {
  readonly transport: ClusterTransport
  readonly prefix: string
  readonly node: string
  readonly incarnation: number
  readonly counters: ClusterStats
  /** Called when the engine becomes reachable or unreachable. */
  stateChanged (up: boolean): void
  /** Runs a task, and logs what it throws. */
  guard (task: () => void): void
}

/** Publishes and receives the batches of this node over the engine, and names its topics. */
export class EngineLink {
  readonly #host: EngineLinkHost
  #up = false
  #silenced = false
  #pendingOpens: (() => void)[] = []
  #failure: unknown
  /** How each batch of this node begins, after version and type. Cached for one incarnation. */
  #source: { readonly incarnation: number, readonly bytes: Buffer } | undefined

  constructor (host: EngineLinkHost) {
    this.#host = host
  }

  /** Whether the engine can be reached. */
  get up (): boolean {
    return this.#up
  }

  /** The reason why the engine could not be opened, if its client gave one. */
  get failure (): unknown {
    return this.#failure
  }

  get heartbeatTopic (): string {
    return `${this.#host.prefix}.hb`
  }

  inboxTopic (node: string, incarnation: number): string {
    return `${this.#host.prefix}.n.${node}.${incarnation.toString(36)}`
  }

  /** Resolves when the engine can be reached. */
  async open (): Promise<void> {
    try {
      await this.#host.transport.open({ state: (up) => { this.#setState(up) } })
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
    this.#host.stateChanged(up)
  }

  /** Publishes a batch. @returns false if the engine did not accept it */
  publish (
    topic: string,
    source: Omit<BatchSource, 'node' | 'incarnation'>,
    parts: readonly Uint8Array[]
  ): boolean {
    const { node, incarnation, transport, counters } = this.#host
    if (this.#silenced || !this.#up) return false
    const bytes = Buffer.concat([encodeSource({ ...source, node, incarnation }), ...parts])
    if (!transport.publish(topic, bytes)) return false
    counters.batchesOut++
    return true
  }

  /** Subscribes to a topic. What `listener` throws does not reach the client of the engine. */
  async subscribe (topic: string, listener: (bytes: Buffer) => void): Promise<void> {
    await this.#host.transport.subscribe(topic, (frame) => {
      const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
      if (this.#silenced || this.isOwn(bytes)) return
      this.#host.counters.batchesIn++
      this.#host.guard(() => { listener(bytes) })
    })
  }

  /** Whether this node has published the batch itself: Redis sends it back, NATS does not. */
  isOwn (bytes: Buffer): boolean {
    const { node, incarnation } = this.#host
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
    if (this.#up) await this.#host.transport.flush(timeout).catch(() => {})
  }

  /** From now on nothing is published, and received batches are ignored. */
  silence (): void {
    this.#silenced = true
  }
}
