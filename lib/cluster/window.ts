import type { Feeder } from '../process/mailbox.js'

/** Frames and bytes that may wait for an acknowledgement. */
const frameLimit = 4096
const byteLimit = 8 * 1024 * 1024
/** What cannot be refused goes on so far above them. */
const burstFactor = 16

/**
 * How much is under way on a channel. Full: a sender is refused. Above 75 % of either limit those who can wait should,
 * and go on below 25 % of both.
 */
export class Window {
  #frames = 0
  #bytes = 0
  readonly #waiting = new Set<Feeder>()

  get full (): boolean {
    return this.#frames >= frameLimit || this.#bytes >= byteLimit
  }

  /** Not even what cannot be refused has room. */
  get burst (): boolean {
    return this.#frames >= frameLimit * burstFactor || this.#bytes >= byteLimit * 4
  }

  get congested (): boolean {
    return this.#frames >= frameLimit * 0.75 || this.#bytes >= byteLimit * 0.75
  }

  add (bytes: number): void {
    this.#frames++
    this.#bytes += bytes
  }

  remove (bytes: number): void {
    this.#frames--
    this.#bytes -= bytes
  }

  wait (feeder: Feeder): void {
    this.#waiting.add(feeder)
  }

  forget (feeder: Feeder): void {
    this.#waiting.delete(feeder)
  }

  /** Has those who wait go on, one after the other: one may fill it again. */
  relieve (): void {
    if (this.#waiting.size === 0 || this.#frames > frameLimit * 0.25 || this.#bytes > byteLimit * 0.25) return
    for (const feeder of this.#waiting) {
      this.#waiting.delete(feeder)
      feeder.resume()
      if (this.congested) return
    }
  }

  clear (): void {
    this.#frames = this.#bytes = 0
    this.#waiting.clear()
  }
}
