/** How much is kept of the messages that the kernel has taken and the client not acknowledged. */
export interface BufferLimits {
  readonly bytes: number
  readonly frames: number
}

/**
 * Bytes of memory that a kept frame takes besides its own, about. They are counted while a client
 * is away: otherwise the number of empty messages for it would hardly be limited.
 */
export const frameOverhead = 96

const none: (Buffer | undefined)[] = []

/** So many dropped messages are removed from the array together. */
const compactAt = 64

/**
 * The data messages of the server that its client has not acknowledged, numbered from 1. The frames
 * are those before compression. They are kept by reference: the receivers of a broadcast share one.
 */
export class Unacknowledged {
  /** The number of the last message. */
  sent = 0
  /** The highest number that the client has acknowledged. */
  acknowledged = 0
  /** Bytes of the kept frames. */
  bytes = 0
  /** Empty while nothing is kept, so that a quiet session has no array. */
  #frames = none
  /** Index of the oldest kept message in `#frames`. */
  #first = 0
  /** Callbacks by the number of their message. Few messages have one. */
  #onWritten: Map<number, () => void> | undefined
  /** The oldest comes first. */
  #onAcknowledged: Array<{ readonly number: number, readonly callback: () => void }> | undefined

  get count (): number {
    return this.#frames.length - this.#first
  }

  /** Bytes of memory that the kept frames take, about. */
  get memory (): number {
    return this.bytes + this.count * frameOverhead
  }

  /** The highest number that is not kept any more: the client has it, or it was evicted. */
  get droppedUpTo (): number {
    return this.sent - this.count
  }

  /** Keeps a message under the next number. @param written called once, by {@link written} */
  keep (frame: Buffer, written: (() => void) | undefined): void {
    this.sent++
    this.bytes += frame.length
    if (this.#frames === none) this.#frames = [frame]
    else this.#frames.push(frame)
    if (written !== undefined) (this.#onWritten ??= new Map()).set(this.sent, written)
  }

  /** Whether a callback waits for the message. */
  hasCallback (number: number): boolean {
    return this.#onWritten?.has(number) === true
  }

  /** Called when the kernel has taken a message: on any of the sockets that it was written to. */
  written (number: number): void {
    const callback = this.#onWritten?.get(number)
    if (callback === undefined) return
    this.#onWritten!.delete(number)
    callback()
  }

  /** Drops the messages up to a number. The client has them, so the kernel had taken them. */
  acknowledge (number: number): void {
    this.acknowledged = Math.max(this.acknowledged, number)
    while (this.droppedUpTo < number) {
      this.#dropFirst()
      if (this.#onWritten !== undefined) this.written(this.droppedUpTo)
    }
    if (this.#onAcknowledged !== undefined) this.#callBackUpTo(number)
  }

  #callBackUpTo (number: number): void {
    const waiting = this.#onAcknowledged!
    while (waiting.length > 0 && waiting[0].number <= number) waiting.shift()!.callback()
    if (waiting.length === 0) this.#onAcknowledged = undefined
  }

  /** Calls back when the client has acknowledged all messages up to now: perhaps at once. */
  whenAcknowledged (callback: () => void): void {
    if (this.acknowledged >= this.sent) callback()
    else (this.#onAcknowledged ??= []).push({ number: this.sent, callback })
  }

  /**
   * Drops the oldest messages until the limits hold for what the kernel has taken.
   * @param untaken bytes that the kernel has not taken. They belong to the newest messages
   */
  evict ({ bytes, frames }: BufferLimits, untaken: number): void {
    while (this.bytes - untaken > bytes || this.count > frames) {
      const oldest = this.#frames[this.#first]
      if (oldest === undefined || this.bytes - oldest.length < untaken) return
      this.#dropFirst()
    }
  }

  /** Calls back for each kept message, in order. */
  replay (send: (frame: Buffer, number: number) => void): void {
    let number = this.droppedUpTo
    for (const frame of this.#frames.slice(this.#first)) send(frame!, ++number)
  }

  /** Releases all frames and callbacks. */
  clear (): void {
    this.#frames = none
    this.#first = 0
    this.bytes = 0
    this.#onWritten = undefined
    this.#onAcknowledged = undefined
  }

  #dropFirst (): void {
    this.bytes -= this.#frames[this.#first]!.length
    this.#frames[this.#first++] = undefined
    if (this.#first === this.#frames.length) this.#frames = none
    else if (this.#first < compactAt || this.#first * 2 < this.#frames.length) return
    else this.#frames.splice(0, this.#first)
    this.#first = 0
  }
}
