import type { Buffer } from 'node:buffer'

/**
 * Bytes of a larger buffer. A view of them costs more than to write them, and the collector has
 * more work with it than with this object. So it is made only when it is needed.
 */
export class Slice {
  readonly memory: Buffer
  readonly start: number
  readonly length: number
  #view: Buffer | undefined

  constructor (memory: Buffer, start = 0, length = memory.length) {
    this.memory = memory
    this.start = start
    this.length = length
  }

  get end (): number {
    return this.start + this.length
  }

  /** The same view each time. */
  get bytes (): Buffer {
    if (this.#view === undefined) {
      const isWhole = this.length === this.memory.length
      this.#view = isWhole ? this.memory : this.memory.subarray(this.start, this.end)
    }
    return this.#view
  }
}
