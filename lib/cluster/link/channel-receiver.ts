import { frameTypes } from './frame-types.js'
import { Fragments } from './fragments.js'
import type { Cancellable, Clock } from '../../shared/clock.js'
import type { Frame } from './codec.js'
import type { Timing } from '../timing.js'
import type { ClusterStats } from '../../../types/cluster.js'

/** The parts of its channel that a receiver uses. */
export interface ChannelReceiverHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly counters: ClusterStats
  /** Called with each frame, in order. @returns false if the frame is garbage */
  handleFrame (frame: Frame): boolean
  /** Publishes a batch without frames: its header acknowledges. */
  sendAcknowledgement (): void
  /** Asks the other node to resend all frames that are not acknowledged. */
  sendNack (): void
}

/** After this many frames an acknowledgement is sent at once, without waiting for `timing.ack`. */
const maxUnacknowledged = 512

/**
 * The receiving half of a channel. It handles frames in the order of their numbers, each once, and
 * acknowledges them.
 */
export class ChannelReceiver {
  readonly #host: ChannelReceiverHost
  readonly #fragments = new Fragments()
  #nextExpected = 1
  /** Frames that came since an acknowledgement was last sent. */
  #unacknowledged = 0
  #ackTimer: Cancellable | undefined
  #nackAt = -Infinity
  /** Incremented by each {@link reset}. */
  #resetCount = 0

  constructor (host: ChannelReceiverHost) {
    this.#host = host
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
      this.#host.counters.framesIn++
      if (!this.#handle(frame)) this.#host.counters.garbage++
      // The frame may have caused a reset of this channel.
      if (this.#resetCount !== resetCount) return
    }
    this.#acknowledge()
  }

  #handle (frame: Frame): boolean {
    if (frame.type !== frameTypes.fragment) return this.#host.handleFrame(frame)
    const added = this.#fragments.addFragment(frame)
    if (!added.ok) return false
    return added.value === undefined || this.#host.handleFrame(added.value)
  }

  /** Waits a moment, because a frame that is sent meanwhile acknowledges in its header. */
  #acknowledge (): void {
    if (this.#unacknowledged === 0) return
    if (this.#unacknowledged >= maxUnacknowledged) this.#host.sendAcknowledgement()
    else this.#ackTimer ??= this.#host.clock.after(this.#host.timing.ack, this.#acknowledgeNow)
  }

  readonly #acknowledgeNow = (): void => {
    this.#ackTimer = undefined
    this.#host.sendAcknowledgement()
  }

  /** Called after each published batch: its header acknowledged all frames. */
  acknowledgementSent (): void {
    this.#unacknowledged = 0
    this.#ackTimer?.cancel()
    this.#ackTimer = undefined
  }

  #nack (): void {
    const now = this.#host.clock.now()
    if (now - this.#nackAt < this.#host.timing.nack) return
    this.#nackAt = now
    this.#host.sendNack()
  }

  /** @param last number of the last frame that the other node has sent */
  receivePing (last: number): void {
    if (last >= this.#nextExpected) this.#nack()
    else this.#host.sendAcknowledgement()
  }

  /** Forgets everything: the next frame has the number 1 again. */
  reset (): void {
    this.#resetCount++
    this.#nextExpected = 1
    this.#fragments.clear()
    this.acknowledgementSent()
  }
}
