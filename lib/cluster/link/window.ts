import type { Producer } from '../../process/actor/mailbox.js'

/** Frames and bytes that may wait for an acknowledgement. */
const frameLimit = 4096
const byteLimit = 8 * 1024 * 1024
/** Calls, and what changes or ends a connection, wait in so much more room. */
const reserveFrames = 4 * frameLimit
const reserveBytes = 2 * byteLimit
/**
 * What cannot be refused goes on so far above them: a turn may end 50 000 connections, with two frames each, and each
 * hands on a message more when it is told to wait.
 */
const burstFrames = 64 * frameLimit
const burstBytes = 16 * byteLimit

/**
 * What a frame is to a window that is full. `message`: it is refused. `call`: it waits in the window's reserve, and is
 * refused when that is full as well. `system`: it is never refused; without any room the channel is torn down.
 */
export type Urgency = 'message' | 'call' | 'system'

/**
 * How much is under way on a channel. Above 75 % of either limit those who can wait should,
 * and go on below 25 % of both.
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

  /** Not even what cannot be refused has room. */
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

  subscribeDrain (feeder: Producer): void {
    this.#producers.add(feeder)
  }

  unsubscribeDrain (feeder: Producer): void {
    this.#producers.delete(feeder)
  }

  /** Has those who wait go on, one after the other: one may fill it again. */
  resumeProducers (): void {
    if (this.#producers.size === 0 || this.#frames > frameLimit * 0.25 || this.#bytes > byteLimit * 0.25) return
    for (const feeder of this.#producers) {
      this.#producers.delete(feeder)
      feeder.resume()
      if (this.congested) return
    }
  }

  clear (): void {
    this.#frames = this.#bytes = 0
    this.#producers.clear()
  }
}
