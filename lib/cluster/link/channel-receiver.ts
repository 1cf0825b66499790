import { types } from './frames.js'
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
  apply (frame: Frame): boolean
  /** Publishes a batch without frames: its header confirms. */
  confirm (): void
  /** Tells the other end that something is missing. */
  complain (): void
}

/** An acknowledgement does not wait any longer when so many frames are behind it. */
const mostUnconfirmed = 512

/** Frames from the other node: handed on in order, each once, and confirmed. */
export class ChannelReceiver {
  readonly #host: ChannelReceiverHost
  readonly #pieces = new Fragments()
  /** The next frame to come. */
  #expected = 1
  #unconfirmed = 0
  #ackTimer: Cancellable | undefined
  #nackAt = -Infinity
  /** One more with each {@link clear}. */
  #life = 0

  constructor (host: ChannelReceiverHost) {
    this.#host = host
  }

  /** The last frame in order that came. */
  get received (): number {
    return this.#expected - 1
  }

  /** A frame that is garbage costs itself alone: it is counted. */
  receive (frames: readonly Frame[]): void {
    const life = this.#life
    for (const frame of frames) {
      if (frame.seq > this.#expected) {
        this.#nack()
        break
      }
      this.#unconfirmed++
      // What comes twice was confirmed by something that was lost.
      if (frame.seq < this.#expected) continue
      this.#expected++
      this.#host.counters.framesIn++
      if (!this.#apply(frame)) this.#host.counters.garbage++
      // What it did may have torn the channel down.
      if (this.#life !== life) return
    }
    this.#acknowledge()
  }

  #apply (frame: Frame): boolean {
    const whole = frame.type === types.piece ? this.#pieces.add(frame) : frame
    return whole === undefined || (whole !== false && this.#host.apply(whole))
  }

  #acknowledge (): void {
    if (this.#unconfirmed === 0) return
    if (this.#unconfirmed >= mostUnconfirmed) this.#host.confirm()
    else this.#ackTimer ??= this.#host.clock.after(this.#host.timing.ack, this.#confirmNow)
  }

  readonly #confirmNow = (): void => {
    this.#ackTimer = undefined
    this.#host.confirm()
  }

  /** Something was published: it confirmed all that came. */
  confirmed (): void {
    this.#unconfirmed = 0
    this.#ackTimer?.cancel()
    this.#ackTimer = undefined
  }

  #nack (): void {
    const now = this.#host.clock.now()
    if (now - this.#nackAt < this.#host.timing.nack) return
    this.#nackAt = now
    this.#host.complain()
  }

  /** The other end says what it sent last. */
  pinged (last: number): void {
    if (last >= this.#expected) this.#nack()
    else this.#host.confirm()
  }

  /** The next frame is the first. */
  clear (): void {
    this.#life++
    this.#expected = 1
    this.#pieces.clear()
    this.confirmed()
  }
}
