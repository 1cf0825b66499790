/** A source of messages that pauses while the queue that it fills is congested. */
export interface Producer {
  /** Called once when the queue has drained. */
  resume (): void
}

/** The size of a full queue. Frames of a channel count as messages. */
export interface WatermarkLimits {
  readonly messages: number
  readonly bytes: number
}

const highMark = 0.75
const lowMark = 0.25

/**
 * The backpressure of a queue, as the high-water mark of Node's streams: counts its messages and
 * bytes. Producers should pause above 75 % of either limit, and are resumed below 25 % of both. It
 * is the base class of a queue, so that an empty mailbox is one object.
 */
export class Watermark {
  readonly #limits: WatermarkLimits
  #messages = 0
  #bytes = 0
  /** Paused producers, in the order in which they are resumed. */
  #producers: Set<Producer> | undefined

  constructor (limits: WatermarkLimits) {
    this.#limits = limits
  }

  /** The number of counted messages. */
  get length (): number {
    return this.#messages
  }

  get bytes (): number {
    return this.#bytes
  }

  /** Whether a limit is reached: messages that may be refused are refused. */
  get full (): boolean {
    return this.#messages >= this.#limits.messages || this.#bytes >= this.#limits.bytes
  }

  /** Whether producers should pause. */
  get congested (): boolean {
    return this.#messages >= Math.max(1, this.#limits.messages * highMark) ||
      this.#bytes >= this.#limits.bytes * highMark
  }

  get hasProducers (): boolean {
    return this.#producers !== undefined
  }

  /** Counts a message that enters the queue. */
  countAdded (bytes: number): void {
    this.#messages++
    this.#bytes += bytes
  }

  /** Counts a message that leaves the queue. Call {@link resumeProducers} after the last one. */
  countRemoved (bytes: number): void {
    this.#messages--
    this.#bytes -= bytes
  }

  /** Calls `producer.resume()` once, when the queue has drained. */
  subscribeToDrain (producer: Producer): void {
    this.#producers ??= new Set()
    this.#producers.add(producer)
  }

  unsubscribeFromDrain (producer: Producer): void {
    if (this.#producers?.delete(producer) !== true) return
    if (this.#producers.size === 0) this.#producers = undefined
  }

  /** Resumes paused producers one by one if the queue has drained, until it is congested again. */
  resumeProducers (): void {
    const { messages, bytes } = this.#limits
    if (this.#messages > messages * lowMark || this.#bytes > bytes * lowMark) return
    // A resumed producer may fill the queue again: the others then keep their place.
    for (const producer of this.#producers ?? []) {
      this.unsubscribeFromDrain(producer)
      producer.resume()
      if (this.congested) return
    }
  }

  /** Counts from 0 again, and drops all producers. @returns how many messages were counted */
  clear (): number {
    const dropped = this.#messages
    this.#messages = this.#bytes = 0
    this.#producers = undefined
    return dropped
  }
}
