import { Ring } from '../process/ring.js'
import { encodeFrame } from './codec.js'
import { cut, longestFrame } from './pieces.js'
import { Window } from './window.js'
import type { FrameFields } from './codec.js'
import type { Cancellable, Clock } from './clock.js'
import type { Timing } from './timing.js'
import type { ClusterStats } from '../../types/cluster.js'

/** What the sending half of a channel needs of it. */
export interface OutboxHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly counters: ClusterStats
  /** Bytes that the frames of one batch may take together. */
  readonly batchBytes: number
  /** Publishes frames. @returns false when the engine did not take them */
  send (frames: readonly Uint8Array[]): boolean
}

/** Bytes of a batch: more saves nothing, and makes the engine's other clients wait. */
const preferredBatch = 60 * 1024

/** Frames on their way to the other node: numbered, and kept until they are confirmed. */
export class Outbox {
  readonly #host: OutboxHost
  readonly window = new Window()
  readonly #ring = new Ring<Buffer>()
  /** The last frame made, the next to be sent, and the last confirmed. */
  #seq = 0
  #next = 1
  #acked = 0
  /** The highest that has been sent at all: what is sent again is counted. */
  #sent = 0
  #retry: Cancellable | undefined
  #progressAt = 0

  constructor (host: OutboxHost) {
    this.#host = host
  }

  get unacknowledged (): number {
    return this.#ring.length
  }

  /** The last frame made, since the last {@link clear}. */
  get last (): number {
    return this.#seq
  }

  /** The last frame that was sent. */
  get sent (): number {
    return this.#sent
  }

  /** Numbers a frame, in pieces if need be, and keeps it. @returns false when it is too long */
  take (fields: FrameFields): boolean {
    const { batchBytes } = this.#host
    const bytes = encodeFrame(fields, this.#seq + 1)
    if (bytes.length > longestFrame) return false
    if (bytes.length <= batchBytes) this.#keep(bytes)
    else for (const piece of cut(fields, batchBytes)) this.#keep(encodeFrame(piece, this.#seq + 1))
    return true
  }

  #keep (bytes: Buffer): void {
    this.#seq++
    if (this.#ring.length === 0) this.#progressAt = this.#host.clock.now()
    this.#ring.push(bytes)
    this.window.add(bytes.length)
  }

  /** Sends what has not been sent. What the engine does not take stays, and is tried again. */
  flush (): void {
    while (this.#next <= this.#seq) {
      const frames = this.#batch()
      if (!this.#host.send(frames)) {
        this.#retry ??= this.#host.clock.after(this.#host.timing.nack, this.#tryAgain)
        return
      }
      this.#countSent(frames.length)
      this.#next += frames.length
    }
  }

  #batch (): Buffer[] {
    const limit = Math.min(preferredBatch, this.#host.batchBytes)
    const frames: Buffer[] = []
    let bytes = 0
    for (let seq = this.#next; seq <= this.#seq; seq++) {
      const frame = this.#ring.at(seq - this.#acked - 1)
      if (bytes > 0 && bytes + frame.length > limit) break
      frames.push(frame)
      bytes += frame.length
    }
    return frames
  }

  readonly #tryAgain = (): void => {
    this.#retry = undefined
    this.flush()
  }

  #countSent (frames: number): void {
    const { counters } = this.#host
    const last = this.#next + frames - 1
    const again = Math.max(0, Math.min(last, this.#sent) - this.#next + 1)
    this.#sent = Math.max(this.#sent, last)
    counters.framesOut += frames - again
    counters.resent += again
  }

  /** All that is not confirmed is to be sent again, by the next {@link flush}. */
  goBack (): void {
    this.#next = this.#acked + 1
  }

  /** Looks at the time: what is not confirmed for long is sent again. */
  tick (now: number): void {
    const { timing, counters } = this.#host
    if (this.#ring.length === 0 || now - this.#progressAt < timing.resend) return
    this.#progressAt = now
    // Only the oldest: when the other end stands still, all of it would be too much, each second.
    if (this.#next > this.#acked + 1 && this.#host.send([this.#ring.at(0)])) counters.resent++
    else this.flush()
  }

  /** Frees what has arrived. @returns false for what was never sent */
  confirm (ack: number): boolean {
    if (ack > this.#sent) return false
    if (ack <= this.#acked) return true
    while (this.#acked < ack) {
      this.window.remove(this.#ring.shift()!.length)
      this.#acked++
    }
    this.#next = Math.max(this.#next, ack + 1)
    this.#progressAt = this.#host.clock.now()
    this.window.relieve()
    return true
  }

  /** Everything is lost; the next frame is the first. */
  clear (): void {
    this.#seq = this.#acked = this.#sent = 0
    this.#next = 1
    this.#ring.clear()
    this.window.clear()
    this.stop()
  }

  /** Leaves no timer behind. */
  stop (): void {
    this.#retry?.cancel()
    this.#retry = undefined
  }
}
