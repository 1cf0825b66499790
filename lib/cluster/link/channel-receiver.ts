import { batchTypes } from './codec.js'
import { frameTypes } from './frame-types.js'
import { Fragments } from './fragments.js'
import type { Cancellable } from '../../shared/clock.js'
import type { NodeContext } from '../context.js'
import type { Frame } from './codec.js'

/** A batch without frames: its header acknowledges. A nack also asks for all other frames again. */
export type EmptyBatch = typeof batchTypes.frames | typeof batchTypes.nack

/** After this many frames an acknowledgement is sent at once, without waiting for `timing.ack`. */
const maxUnacknowledged = 512

/**
 * The receiving half of a channel. It handles frames in the order of their numbers, each once, and
 * acknowledges them.
 */
export class ChannelReceiver {
  readonly #context: NodeContext
  readonly #handleFrame: (frame: Frame) => boolean
  readonly #publishEmpty: (type: EmptyBatch) => void
  readonly #fragments = new Fragments()
  #nextExpected = 1
  /** Frames that came since an acknowledgement was last sent. */
  #unacknowledged = 0
  #ackTimer: Cancellable | undefined
  #nackAt = -Infinity
  /** Incremented by each {@link reset}. */
  #resetCount = 0

  /** @param handleFrame called with each frame, in order. Returns false if the frame is garbage */
  constructor (
    context: NodeContext,
    handleFrame: (frame: Frame) => boolean,
    publishEmpty: (type: EmptyBatch) => void
  ) {
    this.#context = context
    this.#handleFrame = handleFrame
    this.#publishEmpty = publishEmpty
  }

  /** Number of the last frame that was received in order. */
  get lastReceived (): number {
    return this.#nextExpected - 1
  }

  /** Handles the frames of a batch. A frame that is garbage is counted; the channel goes on. */
  receiveFrames (frames: readonly Frame[]): void {
    const resetCount = this.#resetCount
    for (const frame of frames) {
      if (frame.seq > this.#nextExpected) {
        this.#nack()
        break
      }
      this.#unacknowledged++
      // A frame comes twice if the batch that acknowledged it was lost: acknowledge it again.
      if (frame.seq < this.#nextExpected) continue
      this.#nextExpected++
      this.#context.counters.frameReceived()
      if (!this.#handle(frame)) this.#context.counters.garbageReceived()
      // The frame may have caused a reset of this channel.
      if (this.#resetCount !== resetCount) return
    }
    this.#acknowledge()
  }

  #handle (frame: Frame): boolean {
    if (frame.type !== frameTypes.fragment) return this.#handleFrame(frame)
    const added = this.#fragments.addFragment(frame)
    if (!added.ok) return false
    return added.value === undefined || this.#handleFrame(added.value)
  }

  /** Waits a moment, because a frame that is sent meanwhile acknowledges in its header. */
  #acknowledge (): void {
    if (this.#unacknowledged === 0) return
    if (this.#unacknowledged >= maxUnacknowledged) this.#publishEmpty(batchTypes.frames)
    else {
      const { timing } = this.#context
      this.#ackTimer ??= this.#context.after(timing.ack, this.#acknowledgeNow)
    }
  }

  readonly #acknowledgeNow = (): void => {
    this.#ackTimer = undefined
    this.#publishEmpty(batchTypes.frames)
  }

  /** Called after each published batch: its header acknowledged all frames. */
  acknowledgementSent (): void {
    this.#unacknowledged = 0
    this.#ackTimer?.cancel()
    this.#ackTimer = undefined
  }

  #nack (): void {
    const now = this.#context.now()
    if (now - this.#nackAt < this.#context.timing.nack) return
    this.#nackAt = now
    this.#publishEmpty(batchTypes.nack)
  }

  /** @param last number of the last frame that the other node has sent */
  receivePing (last: number): void {
    if (last >= this.#nextExpected) this.#nack()
    else this.#publishEmpty(batchTypes.frames)
  }

  /** Forgets everything: the next frame has the number 1 again. */
  reset (): void {
    this.#resetCount++
    this.#nextExpected = 1
    this.#fragments.clear()
    this.acknowledgementSent()
  }
}
