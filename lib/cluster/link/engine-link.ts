import { encodeSource } from './codec.js'
import type { BatchSource } from './codec.js'
import type { ClusterStats, Transport } from '../../../types/cluster.js'

/** What a line needs, and whom it tells. */
export interface EngineLinkHost {
  readonly transport: Transport
  readonly prefix: string
  readonly node: string
  readonly incarnation: number
  readonly counters: ClusterStats
  /** The engine is in reach, or is no longer. */
  stateChanged (up: boolean): void
  /** Runs what must not throw at the engine's client. */
  guard (task: () => void): void
}

/** The way of this node to the engine, and the topics of its prefix. */
export class EngineLink {
  readonly #host: EngineLinkHost
  #up = false
  #silenced = false
  #pendingOpens: (() => void)[] = []
  #failure: unknown
  /** How a batch of this node begins, behind its version and its type; of an incarnation. */
  #source: { readonly incarnation: number, readonly bytes: Buffer } | undefined

  constructor (host: EngineLinkHost) {
    this.#host = host
  }

  /** The engine can be reached. */
  get up (): boolean {
    return this.#up
  }

  /** Why it could not be opened, where the engine's client says so. */
  get failure (): unknown {
    return this.#failure
  }

  get heartbeatTopic (): string {
    return `${this.#host.prefix}.hb`
  }

  inboxTopic (node: string, incarnation: number): string {
    return `${this.#host.prefix}.n.${node}.${incarnation.toString(36)}`
  }

  /** Resolves when the engine is in reach. */
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

  /** @returns false when the engine did not take it */
  publish (topic: string, source: Omit<BatchSource, 'node' | 'incarnation'>, parts: readonly Uint8Array[]): boolean {
    const { node, incarnation, transport, counters } = this.#host
    if (this.#silenced || !this.#up) return false
    if (!transport.publish(topic, Buffer.concat([encodeSource({ ...source, node, incarnation }), ...parts]))) return false
    counters.batchesOut++
    return true
  }

  /** What comes in never throws at the engine's client. */
  async subscribe (topic: string, heard: (bytes: Buffer) => void): Promise<void> {
    await this.#host.transport.subscribe(topic, (frame) => {
      const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
      if (this.#silenced || this.isOwn(bytes)) return
      this.#host.counters.batchesIn++
      this.#host.guard(() => { heard(bytes) })
    })
  }

  /** Whether this node has published a batch itself: Redis sends it back, and NATS does not. */
  isOwn (bytes: Buffer): boolean {
    const { node, incarnation } = this.#host
    if (this.#source?.incarnation !== incarnation) {
      this.#source = { incarnation, bytes: encodeSource({ type: 0, node, incarnation }).subarray(2) }
    }
    const own = this.#source.bytes
    return bytes.length >= own.length + 2 && bytes.compare(own, 0, own.length, 2, own.length + 2) === 0
  }

  /** Has the engine take what is on its way; without an engine nothing can be done for it. */
  async flush (timeout: number): Promise<void> {
    if (this.#up) await this.#host.transport.flush(timeout).catch(() => {})
  }

  /** Nothing is said any more, and nobody is listened to. */
  silence (): void {
    this.#silenced = true
  }
}
