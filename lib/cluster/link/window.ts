import type { Producer } from '../../process/actor/mailbox.js'

/** The window is full with this many unacknowledged frames or bytes. */
const frameLimit = 4096
const byteLimit = 8 * 1024 * 1024
/** Calls, and messages that change or end a connection, have this much more room. */
const reserveFrames = 4 * frameLimit
const reserveBytes = 2 * byteLimit
/**
 * Hard limits for frames that must not be refused. Above them the channel is reset. They are this
 * high because one turn may end 50 000 connections with two frames each, and each connection may
 * hand on one more message after it was paused.
 */
const burstFrames = 64 * frameLimit
const burstBytes = 16 * byteLimit

/**
 * How a full window handles a frame. `message`: it is refused. `call`: it uses the reserve, and is
 * refused when the reserve is full too. `system`: it is never refused; at the hard limit the
 * channel is reset.
 */
export type Urgency = 'message' | 'call' | 'system'

/**
 * Counts the unacknowledged frames and bytes of a channel. Producers should pause above 75 % of
 * either limit (`congested`); they are resumed below 25 % of both.
 */
export class Window {
  #frames = 0
  #bytes = 0
  readonly #producers = new Set<Producer>()

  get full (): boolean {
    return this.#frames >= frameLimit || this.#bytes >= byteLimit
  }

  /** Whether a frame of this urgency is refused. */
  refuses (urgency: Urgency): boolean {
    if (urgency === 'message') return this.full
    return urgency === 'call' && (this.#frames >= reserveFrames || this.#bytes >= reserveBytes)
  }

  /** Whether the hard limit is reached: the channel must be reset. */
  get exhausted (): boolean {
    return this.#frames >= burstFrames || this.#bytes >= burstBytes
  }

  get congested (): boolean {
    return this.#frames >= frameLimit * 0.75 || this.#bytes >= byteLimit * 0.75
  }

  addFrame (bytes: number): void {
    this.#frames++
    this.#bytes += bytes
  }

  removeFrame (bytes: number): void {
    this.#frames--
    this.#bytes -= bytes
  }

  /** Resumes a producer once, when the window has room again. */
  subscribeDrain (producer: Producer): void {
    this.#producers.add(producer)
  }

  unsubscribeDrain (producer: Producer): void {
    this.#producers.delete(producer)
  }

  /** Resumes paused producers one by one, until one of them fills the window again. */
  resumeProducers (): void {
    if (this.#producers.size === 0) return
    if (this.#frames > frameLimit * 0.25 || this.#bytes > byteLimit * 0.25) return
    for (const producer of this.#producers) {
      this.#producers.delete(producer)
      producer.resume()
      if (this.congested) return
    }
  }

  clear (): void {
    this.#frames = this.#bytes = 0
    this.#producers.clear()
  }
}
