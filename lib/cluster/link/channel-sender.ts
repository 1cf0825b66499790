import { Ring } from '../../shared/ring.js'
import { encodeFrame, envelopeOf, frameSize } from './codec.js'
import { types } from './frames.js'
import { decodeNumberList } from './number-list.js'
import { OpenSends } from './open-sends.js'
import { cut, longestFrame } from './fragments.js'
import { Window } from './window.js'
import type { FrameFields } from './codec.js'
import type { Cancellable, Clock } from '../../shared/clock.js'
import type { Misses } from './misses.js'
import type { Timing } from '../timing.js'
import type { ClusterStats } from '../../../types/cluster.js'

/** What the sending half of a channel needs of it. */
export interface ChannelSenderHost {
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

/** Records who misses a frame that is lost with the channel. */
export type Lost = (misses: Misses) => void

/** Frames on their way to the other node: numbered, and kept until they are confirmed. */
export class ChannelSender {
  readonly #host: ChannelSenderHost
  readonly window = new Window()
  readonly #ring = new Ring<Buffer>()
  readonly #open = new OpenSends()
  /** By the number of a frame, where the frame itself does not say who misses it. */
  readonly #losses = new Map<number, Lost>()
  /** The receivers of the last `sendMany`. */
  #receivers: Buffer | undefined
  /** The last frame made, the next to be sent, and the last confirmed. */
  #seq = 0
  #next = 1
  #acked = 0
  /** The highest that has been sent at all: what is sent again is counted. */
  #sent = 0
  #retry: Cancellable | undefined
  #progressAt = 0
  /** The oldest frame, when it was sent again because nothing had been confirmed for long; 0: it was not. */
  #probe = 0

  constructor (host: ChannelSenderHost) {
    this.#host = host
  }

  get unacknowledged (): number {
    return this.#ring.length + this.#open.length
  }

  /** The last frame made, since the last {@link clear}. */
  get last (): number {
    return this.#seq + this.#open.length
  }

  /** The last frame that was sent. */
  get sent (): number {
    return this.#sent
  }

  /** Records beside the frames, for the tests that count what remains. */
  get size (): number {
    return this.#losses.size
  }

  /** Everything that was taken has been sent, at least once. */
  get isFlushed (): boolean {
    return this.#next > this.#seq && this.#open.length === 0
  }

  /** Adds a receiver to a send of this turn that has the same text. @returns whether there is one */
  joinText (to: number, from: number, payload: unknown): boolean {
    return this.#open.joinText(to, from, payload)
  }

  /** Adds a receiver to a send of this turn that has the same payload. @returns whether there is one */
  join (fields: FrameFields): boolean {
    return this.#open.join(fields)
  }

  /**
   * Takes a send that others of this turn may join.
   * @param payload of which the body was made
   * @returns false when it is too long
   */
  takeSend (fields: FrameFields, payload: unknown): boolean {
    const size = frameSize(fields)
    if (size > longestFrame) return false
    if (this.#open.isApart(fields)) this.#close()
    this.#open.open(fields, payload)
    this.window.add(size)
    return true
  }

  /**
   * Takes a frame.
   * @param lost for a frame that does not say itself who misses it
   * @returns false when it is too long
   */
  take (fields: FrameFields, lost?: Lost): boolean {
    if (frameSize(fields) > longestFrame) return false
    this.#close()
    this.#number(fields, lost)
    return true
  }

  /** The receivers of all open sends are complete. */
  #close (): void {
    for (const { fields, size, receivers } of this.#open.close()) {
      this.window.remove(size)
      if (receivers === undefined) this.#number(fields)
      else this.#numberMany(fields, receivers)
    }
  }

  #numberMany (fields: FrameFields, receivers: Buffer): void {
    const isSame = this.#receivers !== undefined && receivers.equals(this.#receivers)
    // A room sends to the same receivers again and again.
    const list = this.#receivers = isSame ? this.#receivers! : receivers
    const lost: Lost = (misses) => { for (const receiver of decodeNumberList(list)!) misses.add(receiver) }
    if (isSame) this.#number(fields, lost)
    else this.#number({ ...fields, ref: list.length, body: Buffer.concat([list, fields.body!]) }, lost)
  }

  /** Numbers a frame, in pieces if need be, and keeps it. */
  #number (fields: FrameFields, lost?: Lost): void {
    const { batchBytes } = this.#host
    const isCut = frameSize(fields) > batchBytes
    if (isCut) for (const piece of cut(fields, batchBytes)) this.#keep(encodeFrame(piece, this.#seq + 1))
    else this.#keep(encodeFrame(fields, this.#seq + 1))
    if (lost !== undefined) this.#losses.set(this.#seq, lost)
    else if (isCut && isMessage(fields.type)) this.#losses.set(this.#seq, (misses) => { misses.add(fields.to!) })
  }

  #keep (bytes: Buffer): void {
    this.#seq++
    if (this.#ring.length === 0) this.#progressAt = this.#host.clock.now()
    this.#ring.enqueue(bytes)
    this.window.add(bytes.length)
  }

  /** Sends what has not been sent. What the engine does not take stays, and is tried again. */
  flush (): void {
    this.#close()
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
    if (this.#next > this.#acked + 1 && this.#host.send([this.#ring.at(0)])) {
      counters.resent++
      this.#probe = this.#acked + 1
    } else this.flush()
  }

  /** Frees what has arrived. @returns false for what was never sent */
  confirm (ack: number): boolean {
    if (ack > this.#sent) return false
    if (ack <= this.#acked) return true
    while (this.#acked < ack) {
      this.window.remove(this.#ring.dequeue()!.length)
      this.#acked++
      if (this.#losses.size > 0) this.#losses.delete(this.#acked)
    }
    this.#next = Math.max(this.#next, ack + 1)
    this.#progressAt = this.#host.clock.now()
    if (this.#probe !== 0) this.#probed(ack)
    this.window.relieve()
    return true
  }

  /** The other end is there again. If it has only what was sent again just now, it has missed all the rest. */
  #probed (ack: number): void {
    const probe = this.#probe
    this.#probe = 0
    if (ack !== probe) return
    this.goBack()
    this.flush()
  }

  /** Everything is lost; the next frame is the first. @param misses gets the receivers of what was not confirmed */
  clear (misses: Misses): void {
    this.#close()
    for (let i = 0; i < this.#ring.length; i++) this.#lose(this.#acked + 1 + i, this.#ring.at(i), misses)
    this.#losses.clear()
    this.#receivers = undefined
    this.#seq = this.#acked = this.#sent = this.#probe = 0
    this.#next = 1
    this.#ring.clear()
    this.window.clear()
    this.stop()
  }

  #lose (seq: number, frame: Buffer, misses: Misses): void {
    const lost = this.#losses.get(seq)
    if (lost !== undefined) return lost(misses)
    const { type, to } = envelopeOf(frame)
    if (isMessage(type)) misses.add(to)
  }

  /** Leaves no timer behind. */
  stop (): void {
    this.#retry?.cancel()
    this.#retry = undefined
  }
}

/** Whether a frame is a message to one receiver. */
function isMessage (type: number): boolean {
  return type === types.send || type === types.call
}
