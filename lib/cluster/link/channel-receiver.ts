import { frameTypes } from './frame-types.js'
import { Fragments } from './fragments.js'
import type { Cancellable, Clock } from '../../shared/clock.js'
import type { Frame } from './codec.js'
import type { Timing } from '../timing.js'
import type { ClusterStats } from '../../../types/cluster.js'

/** What the receiving half of a channel needs of it. */
export interface ChannelReceiverHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly counters: ClusterStats
  /** A frame in its order. @returns false when it is garbage */
  handleFrame (frame: Frame): boolean
  /** Publishes a batch without frames: its header confirms. */
  sendAcknowledgement (): void
  /** Tells the other end that something is missing. */
  sendNack (): void
}

/** An acknowledgement does not wait any longer when so many frames are behind it. */
const maxUnacknowledged = 512

/** Frames from the other node: handed on in order, each once, and confirmed. */
export class ChannelReceiver {
  readonly #host: ChannelReceiverHost
  readonly #fragments = new Fragments()
  /** The next frame to come. */
  #nextExpected = 1
  #unacknowledged = 0
  #ackTimer: Cancellable | undefined
  #nackAt = -Infinity
  /** One more with each {@link reset}. */
  #resetCount = 0

  constructor (host: ChannelReceiverHost) {
    this.#host = host
  }

  /** The last frame in order that came. */
  get lastReceived (): number {
    return this.#nextExpected - 1
  }

  /** A frame that is garbage costs itself alone: it is counted. */
  receiveFrames (frames: readonly Frame[]): void {
    const life = this.#resetCount
    for (const frame of frames) {
      if (frame.seq > this.#nextExpected) {
        this.#nack()
        break
      }
      this.#unacknowledged++
      // What comes twice was confirmed by something that was lost.
      if (frame.seq < this.#nextExpected) continue
      this.#nextExpected++
      this.#host.counters.framesIn++
      if (!this.#handle(frame)) this.#host.counters.garbage++
      // What it did may have torn the channel down.
      if (this.#resetCount !== life) return
    }
    this.#acknowledge()
  }

  #handle (frame: Frame): boolean {
    const whole = frame.type === frameTypes.fragment ? this.#fragments.addFragment(frame) : frame
    return whole === undefined || (whole !== false && this.#host.handleFrame(whole))
  }

  #acknowledge (): void {
    if (this.#unacknowledged === 0) return
    if (this.#unacknowledged >= maxUnacknowledged) this.#host.sendAcknowledgement()
    else this.#ackTimer ??= this.#host.clock.after(this.#host.timing.ack, this.#acknowledgeNow)
  }

  readonly #acknowledgeNow = (): void => {
    this.#ackTimer = undefined
    this.#host.sendAcknowledgement()
  }

  /** Something was published: it confirmed all that came. */
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

  /** The other end says what it sent last. */
  receivePing (last: number): void {
    if (last >= this.#nextExpected) this.#nack()
    else this.#host.sendAcknowledgement()
  }

  /** The next frame is the first. */
  reset (): void {
    this.#resetCount++
    this.#nextExpected = 1
    this.#fragments.clear()
    this.acknowledgementSent()
  }
}
