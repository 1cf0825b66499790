import { Ring } from '../../shared/ring.js'
import { encodeFrame, envelopeOf, frameSize } from './codec.js'
import { frameTypes } from './frame-types.js'
import { decodeNumberList } from './number-list.js'
import { OpenSends } from './open-sends.js'
import { splitFrame, maxFrameBytes } from './fragments.js'
import { Window } from './window.js'
import type { FrameFields } from './codec.js'
import type { Cancellable, Clock } from '../../shared/clock.js'
import type { MissedMessages } from './missed-messages.js'
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
  publishFrames (frames: readonly Uint8Array[]): boolean
}

/** Bytes of a batch: more saves nothing, and makes the engine's other clients wait. */
const preferredBatch = 60 * 1024

/** Records who misses a frame that is lost with the channel. */
export type RecordLoss = (misses: MissedMessages) => void

/** Frames on their way to the other node: numbered, and kept until they are confirmed. */
export class ChannelSender {
  readonly #host: ChannelSenderHost
  readonly window = new Window()
  readonly #frames = new Ring<Buffer>()
  readonly #openSends = new OpenSends()
  /** By the number of a frame, where the frame itself does not say who misses it. */
  readonly #lossRecords = new Map<number, RecordLoss>()
  /** The receivers of the last `sendMany`. */
  #lastReceiverList: Buffer | undefined
  /** The last frame made, the next to be sent, and the last confirmed. */
  #lastNumbered = 0
  #nextToSend = 1
  #lastAcknowledged = 0
  /** The highest that has been sent at all: what is sent again is counted. */
  #lastSent = 0
  #retryTimer: Cancellable | undefined
  #progressAt = 0
  /** The oldest frame, when it was sent again because nothing had been confirmed for long; 0: it was not. */
  #probeSeq = 0

  constructor (host: ChannelSenderHost) {
    this.#host = host
  }

  get unacknowledged (): number {
    return this.#frames.length + this.#openSends.length
  }

  /** The last frame made, since the last {@link reset}. */
  get lastTaken (): number {
    return this.#lastNumbered + this.#openSends.length
  }

  /** The last frame that was sent. */
  get lastSent (): number {
    return this.#lastSent
  }

  /** Records beside the frames, for the tests that count what remains. */
  get size (): number {
    return this.#lossRecords.size
  }

  /** Everything that was taken has been sent, at least once. */
  get isFlushed (): boolean {
    return this.#nextToSend > this.#lastNumbered && this.#openSends.length === 0
  }

  /** Adds a receiver to a send of this turn that has the same text. @returns whether there is one */
  joinText (to: number, from: number, payload: unknown): boolean {
    return this.#openSends.joinText(to, from, payload)
  }

  /** Adds a receiver to a send of this turn that has the same payload. @returns whether there is one */
  joinContent (fields: FrameFields): boolean {
    return this.#openSends.joinContent(fields)
  }

  /**
   * Takes a send that others of this turn may join.
   * @param payload of which the body was made
   * @returns false when it is too long
   */
  enqueueMessage (fields: FrameFields, payload: unknown): boolean {
    const size = frameSize(fields)
    if (size > maxFrameBytes) return false
    if (this.#openSends.mustCloseBefore(fields)) this.#closeOpenSends()
    this.#openSends.openSend(fields, payload)
    this.window.addFrame(size)
    return true
  }

  /**
   * Takes a frame.
   * @param lost for a frame that does not say itself who misses it
   * @returns false when it is too long
   */
  enqueueFrame (fields: FrameFields, lost?: RecordLoss): boolean {
    if (frameSize(fields) > maxFrameBytes) return false
    this.#closeOpenSends()
    this.#numberFrame(fields, lost)
    return true
  }

  /** The receivers of all open sends are complete. */
  #closeOpenSends (): void {
    for (const { fields, size, receivers } of this.#openSends.closeAll()) {
      this.window.removeFrame(size)
      if (receivers === undefined) this.#numberFrame(fields)
      else this.#numberSendMany(fields, receivers)
    }
  }

  #numberSendMany (fields: FrameFields, receivers: Buffer): void {
    const isSame = this.#lastReceiverList !== undefined && receivers.equals(this.#lastReceiverList)
    // A room sends to the same receivers again and again.
    const list = this.#lastReceiverList = isSame ? this.#lastReceiverList! : receivers
    const lost: RecordLoss = (misses) => { for (const receiver of decodeNumberList(list)!) misses.addReceiver(receiver) }
    if (isSame) this.#numberFrame(fields, lost)
    else this.#numberFrame({ ...fields, ref: list.length, body: Buffer.concat([list, fields.body!]) }, lost)
  }

  /** Numbers a frame, in pieces if need be, and keeps it. */
  #numberFrame (fields: FrameFields, lost?: RecordLoss): void {
    const { batchBytes } = this.#host
    const isCut = frameSize(fields) > batchBytes
    if (isCut) for (const piece of splitFrame(fields, batchBytes)) this.#store(encodeFrame(piece, this.#lastNumbered + 1))
    else this.#store(encodeFrame(fields, this.#lastNumbered + 1))
    if (lost !== undefined) this.#lossRecords.set(this.#lastNumbered, lost)
    else if (isCut && isMessage(fields.type)) this.#lossRecords.set(this.#lastNumbered, (misses) => { misses.addReceiver(fields.to!) })
  }

  #store (bytes: Buffer): void {
    this.#lastNumbered++
    if (this.#frames.length === 0) this.#progressAt = this.#host.clock.now()
    this.#frames.enqueue(bytes)
    this.window.addFrame(bytes.length)
  }

  /** Sends what has not been sent. What the engine does not take stays, and is tried again. */
  flush (): void {
    this.#closeOpenSends()
    while (this.#nextToSend <= this.#lastNumbered) {
      const frames = this.#nextBatch()
      if (!this.#host.publishFrames(frames)) {
        this.#retryTimer ??= this.#host.clock.after(this.#host.timing.nack, this.#tryAgain)
        return
      }
      this.#countSent(frames.length)
      this.#nextToSend += frames.length
    }
  }

  #nextBatch (): Buffer[] {
    const limit = Math.min(preferredBatch, this.#host.batchBytes)
    const frames: Buffer[] = []
    let bytes = 0
    for (let seq = this.#nextToSend; seq <= this.#lastNumbered; seq++) {
      const frame = this.#frames.at(seq - this.#lastAcknowledged - 1)
      if (bytes > 0 && bytes + frame.length > limit) break
      frames.push(frame)
      bytes += frame.length
    }
    return frames
  }

  readonly #tryAgain = (): void => {
    this.#retryTimer = undefined
    this.flush()
  }

  #countSent (frames: number): void {
    const { counters } = this.#host
    const last = this.#nextToSend + frames - 1
    const again = Math.max(0, Math.min(last, this.#lastSent) - this.#nextToSend + 1)
    this.#lastSent = Math.max(this.#lastSent, last)
    counters.framesOut += frames - again
    counters.resent += again
  }

  /** All that is not confirmed is to be sent again, by the next {@link flush}. */
  rewind (): void {
    this.#nextToSend = this.#lastAcknowledged + 1
  }

  /** Looks at the time: what is not confirmed for long is sent again. */
  tick (now: number): void {
    const { timing, counters } = this.#host
    if (this.#frames.length === 0 || now - this.#progressAt < timing.resend) return
    this.#progressAt = now
    // Only the oldest: when the other end stands still, all of it would be too much, each second.
    if (this.#nextToSend > this.#lastAcknowledged + 1 && this.#host.publishFrames([this.#frames.at(0)])) {
      counters.resent++
      this.#probeSeq = this.#lastAcknowledged + 1
    } else this.flush()
  }

  /** Frees what has arrived. @returns false for what was never sent */
  acknowledge (ack: number): boolean {
    if (ack > this.#lastSent) return false
    if (ack <= this.#lastAcknowledged) return true
    while (this.#lastAcknowledged < ack) {
      this.window.removeFrame(this.#frames.dequeue()!.length)
      this.#lastAcknowledged++
      if (this.#lossRecords.size > 0) this.#lossRecords.delete(this.#lastAcknowledged)
    }
    this.#nextToSend = Math.max(this.#nextToSend, ack + 1)
    this.#progressAt = this.#host.clock.now()
    if (this.#probeSeq !== 0) this.#probeAnswered(ack)
    this.window.resumeProducers()
    return true
  }

  /** The other end is there again. If it has only what was sent again just now, it has missed all the rest. */
  #probeAnswered (ack: number): void {
    const probe = this.#probeSeq
    this.#probeSeq = 0
    if (ack !== probe) return
    this.rewind()
    this.flush()
  }

  /** Everything is lost; the next frame is the first. @param misses gets the receivers of what was not confirmed */
  reset (misses: MissedMessages): void {
    this.#closeOpenSends()
    for (let i = 0; i < this.#frames.length; i++) this.#recordLostFrame(this.#lastAcknowledged + 1 + i, this.#frames.at(i), misses)
    this.#lossRecords.clear()
    this.#lastReceiverList = undefined
    this.#lastNumbered = this.#lastAcknowledged = this.#lastSent = this.#probeSeq = 0
    this.#nextToSend = 1
    this.#frames.clear()
    this.window.clear()
    this.stop()
  }

  #recordLostFrame (seq: number, frame: Buffer, misses: MissedMessages): void {
    const lost = this.#lossRecords.get(seq)
    if (lost !== undefined) return lost(misses)
    const { type, to } = envelopeOf(frame)
    if (isMessage(type)) misses.addReceiver(to)
  }

  /** Leaves no timer behind. */
  stop (): void {
    this.#retryTimer?.cancel()
    this.#retryTimer = undefined
  }
}

/** Whether a frame is a message to one receiver. */
function isMessage (type: number): boolean {
  return type === frameTypes.send || type === frameTypes.call
}
