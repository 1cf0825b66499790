import { Ring } from '../../shared/ring.js'
import { encodeFrame, envelopeOf, frameSize, maxHeaderBytes } from './codec.js'
import { frameTypes } from './frame-types.js'
import { decodeNumberList } from './number-list.js'
import { OpenSends } from './open-sends.js'
import { splitFrame, maxFrameBytes } from './fragments.js'
import { Window } from './window.js'
import type { FrameFields } from './codec.js'
import type { Cancellable } from '../../shared/clock.js'
import type { NodeContext } from '../context.js'
import type { MissedMessages } from './missed-messages.js'

/**
 * Bytes of one batch, if the engine allows as many. Larger batches save nothing, and they delay the
 * other clients of the engine.
 */
const preferredBatchBytes = 60 * 1024

/** Records the receivers of a frame that was lost or refused. */
export type RecordLoss = (missed: MissedMessages) => void

/**
 * The sending half of a channel. It numbers frames, publishes them in batches, and stores each one
 * until the other node has acknowledged it.
 *
 * Frames have consecutive numbers, from 1. These fields divide them: `#lastAcknowledged` <
 * `#nextToSend` <= `#lastNumbered` + 1. The frames from `#lastAcknowledged` + 1 to `#lastNumbered`
 * are stored. Those before `#nextToSend` were published and wait for their acknowledgement; {@link
 * rewind} moves `#nextToSend` back, so that they are published again.
 */
export class ChannelSender {
  readonly #context: NodeContext
  readonly #publishFrames: (frames: readonly Uint8Array[]) => boolean
  /** The frames of one batch have at most this many bytes. */
  readonly #batchBytes: number
  readonly window = new Window()
  /** Encoded frames that are not acknowledged; the first has the number `#lastAcknowledged` + 1. */
  readonly #frames = new Ring<Buffer>()
  /** Messages of this turn. Further receivers may be added, so they have no number yet. */
  readonly #openSends: OpenSends
  /** By frame number. Only for frames that do not name one receiver themselves. */
  readonly #lossRecords = new Map<number, RecordLoss>()
  /** The receivers of the last `sendMany`. */
  #lastReceiverList: Buffer | undefined
  #lastNumbered = 0
  #nextToSend = 1
  #lastAcknowledged = 0
  /** The highest number published since the last reset. Frames up to it count as resent. */
  #lastSent = 0
  #retryTimer: Cancellable | undefined
  /** When a frame was last acknowledged, or the oldest frame was last resent. */
  #progressAt = 0
  /** Number of the oldest frame, while it alone was resent; otherwise 0. */
  #probeSeq = 0

  /** @param publishFrames publishes one batch. Returns false if the engine did not accept it */
  constructor (context: NodeContext, publishFrames: (frames: readonly Uint8Array[]) => boolean) {
    this.#context = context
    this.#publishFrames = publishFrames
    this.#batchBytes = context.transport.caps.maxFrame - maxHeaderBytes
    this.#openSends = new OpenSends(context.codec)
  }

  get unacknowledged (): number {
    return this.#frames.length + this.#openSends.length
  }

  /** How many frames were accepted since the last {@link reset}. */
  get lastTaken (): number {
    return this.#lastNumbered + this.#openSends.length
  }

  /** The highest number that was published since the last {@link reset}. */
  get lastSent (): number {
    return this.#lastSent
  }

  /** Number of records besides the frames, for tests that look for leaks. */
  get size (): number {
    return this.#lossRecords.size
  }

  /** True if every accepted frame was published at least once. */
  get isFlushed (): boolean {
    return this.#nextToSend > this.#lastNumbered && this.#openSends.length === 0
  }

  /**
   * Adds a receiver to a message of this turn that has the same text.
   * @returns false if there is no such message
   */
  joinText (to: number, from: number, payload: unknown): boolean {
    return this.#openSends.joinText(to, from, payload)
  }

  /**
   * Adds a receiver to a message of this turn that has the same encoded payload.
   * @returns false if there is no such message
   */
  joinContent (fields: FrameFields): boolean {
    return this.#openSends.joinContent(fields)
  }

  /**
   * Accepts a message. Until the next frame or flush, further receivers may join it.
   * @param payload the payload before it was encoded
   * @returns false if the frame would be too long
   */
  enqueueMessage (fields: FrameFields, payload: unknown): boolean {
    const size = frameSize(fields)
    if (size > maxFrameBytes) return false
    if (this.#openSends.mustCloseBefore(fields)) this.#closeOpenSends()
    this.#openSends.openSend(fields, payload)
    this.window.countAdded(size)
    return true
  }

  /**
   * Accepts a frame that no further receiver may join.
   * @param recordLoss records who misses the frame, for types that do not name one receiver
   * @returns false if the frame is too long
   */
  enqueueFrame (fields: FrameFields, recordLoss?: RecordLoss): boolean {
    if (frameSize(fields) > maxFrameBytes) return false
    this.#closeOpenSends()
    this.#numberFrame(fields, recordLoss)
    return true
  }

  /** Numbers the open sends: no receiver can join them any more. */
  #closeOpenSends (): void {
    for (const { fields, size, receivers } of this.#openSends.closeAll()) {
      this.window.countRemoved(size)
      if (receivers === undefined) this.#numberFrame(fields)
      else this.#numberSendMany(fields, receivers)
    }
  }

  #numberSendMany (fields: FrameFields, receivers: Buffer): void {
    const isSame = this.#lastReceiverList !== undefined && receivers.equals(this.#lastReceiverList)
    // A room sends to the same receivers again and again: the list is sent once, and kept once.
    const list = this.#lastReceiverList = isSame ? this.#lastReceiverList! : receivers
    const recordLoss: RecordLoss = (missed) => {
      for (const receiver of decodeNumberList(list)!) missed.addReceiver(receiver)
    }
    if (isSame) this.#numberFrame(fields, recordLoss)
    else {
      const body = Buffer.concat([list, fields.body!])
      this.#numberFrame({ ...fields, ref: list.length, body }, recordLoss)
    }
  }

  /** Numbers and stores a frame. One that is too long for a batch becomes several fragments. */
  #numberFrame (fields: FrameFields, recordLoss?: RecordLoss): void {
    const batchBytes = this.#batchBytes
    const isSplit = frameSize(fields) > batchBytes
    if (isSplit) {
      for (const fragment of splitFrame(fields, batchBytes)) {
        this.#store(encodeFrame(fragment, this.#lastNumbered + 1))
      }
    } else this.#store(encodeFrame(fields, this.#lastNumbered + 1))
    if (recordLoss !== undefined) this.#lossRecords.set(this.#lastNumbered, recordLoss)
    else if (isSplit && isMessage(fields.type)) {
      // A fragment does not name the receiver of the whole frame.
      this.#lossRecords.set(this.#lastNumbered, (missed) => { missed.addReceiver(fields.to!) })
    }
  }

  #store (bytes: Buffer): void {
    this.#lastNumbered++
    if (this.#frames.length === 0) this.#progressAt = this.#context.now()
    this.#frames.enqueue(bytes)
    this.window.countAdded(bytes.length)
  }

  /** Publishes the frames from `#nextToSend` on. What the engine does not accept is retried. */
  flush (): void {
    this.#closeOpenSends()
    while (this.#nextToSend <= this.#lastNumbered) {
      const frames = this.#nextBatch()
      if (!this.#publishFrames(frames)) {
        const { timing } = this.#context
        this.#retryTimer ??= this.#context.after(timing.nack, this.#tryAgain)
        return
      }
      this.#countSent(frames.length)
      this.#nextToSend += frames.length
    }
  }

  /** The frames of the next batch: as many as fit, but at least one. */
  #nextBatch (): Buffer[] {
    const limit = Math.min(preferredBatchBytes, this.#batchBytes)
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
    const { counters } = this.#context
    const last = this.#nextToSend + frames - 1
    const again = Math.max(0, Math.min(last, this.#lastSent) - this.#nextToSend + 1)
    this.#lastSent = Math.max(this.#lastSent, last)
    counters.framesSent(frames, again)
  }

  /** The next {@link flush} publishes all unacknowledged frames again. */
  rewind (): void {
    this.#nextToSend = this.#lastAcknowledged + 1
  }

  /** Called periodically: resends the oldest frame if nothing was acknowledged for a while. */
  tick (now: number): void {
    const { timing, counters } = this.#context
    if (this.#frames.length === 0 || now - this.#progressAt < timing.resend) return
    this.#progressAt = now
    // Only the oldest frame: if the other node is stalled, it would get all frames every second.
    const wasSent = this.#nextToSend > this.#lastAcknowledged + 1
    if (wasSent && this.#publishFrames([this.#frames.at(0)])) {
      counters.frameResent()
      this.#probeSeq = this.#lastAcknowledged + 1
    } else this.flush()
  }

  /**
   * Frees the frames up to a number, because the other node has received them.
   * @returns false if that frame was never sent: the header is garbage
   */
  acknowledge (ack: number): boolean {
    if (ack > this.#lastSent) return false
    if (ack <= this.#lastAcknowledged) return true
    while (this.#lastAcknowledged < ack) {
      this.window.countRemoved(this.#frames.dequeue()!.length)
      this.#lastAcknowledged++
      if (this.#lossRecords.size > 0) this.#lossRecords.delete(this.#lastAcknowledged)
    }
    this.#nextToSend = Math.max(this.#nextToSend, ack + 1)
    this.#progressAt = this.#context.now()
    if (this.#probeSeq !== 0) this.#probeAnswered(ack)
    this.window.resumeProducers()
    return true
  }

  /**
   * The other node answers again after the oldest frame was resent. If it acknowledges exactly this
   * frame, it has lost all later ones.
   */
  #probeAnswered (ack: number): void {
    const probeSeq = this.#probeSeq
    this.#probeSeq = 0
    if (ack !== probeSeq) return
    this.rewind()
    this.flush()
  }

  /**
   * Drops all frames; the next one has the number 1 again.
   * @param missed records the receivers of the frames that were not acknowledged
   */
  reset (missed: MissedMessages): void {
    this.#closeOpenSends()
    for (let i = 0; i < this.#frames.length; i++) {
      this.#recordLostFrame(this.#lastAcknowledged + 1 + i, this.#frames.at(i), missed)
    }
    this.#lossRecords.clear()
    this.#lastReceiverList = undefined
    this.#lastNumbered = this.#lastAcknowledged = this.#lastSent = this.#probeSeq = 0
    this.#nextToSend = 1
    this.#frames.clear()
    this.window.clear()
    this.#retryTimer?.cancel()
    this.#retryTimer = undefined
  }

  #recordLostFrame (seq: number, frame: Buffer, missed: MissedMessages): void {
    const recordLoss = this.#lossRecords.get(seq)
    if (recordLoss !== undefined) return recordLoss(missed)
    const { type, to } = envelopeOf(frame)
    if (isMessage(type)) missed.addReceiver(to)
  }
}

/** Whether a frame is a message to one receiver. */
function isMessage (type: number): boolean {
  return type === frameTypes.send || type === frameTypes.call
}
