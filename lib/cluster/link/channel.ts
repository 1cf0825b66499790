import { batchTypes, decodeChannelHeader, decodeFrames, decodeNumber, encodeNumber } from './codec.js'
import { ConnectionNumbers, isImplausible } from './connection-numbers.js'
import { ChannelReceiver } from './channel-receiver.js'
import { MissedMessages } from './missed-messages.js'
import { ChannelSender } from './channel-sender.js'
import type { ChannelHeader, Frame, FrameFields } from './codec.js'
import type { Clock } from '../../shared/clock.js'
import type { RecordLoss } from './channel-sender.js'
import type { Timing } from '../timing.js'
import type { Urgency, Window } from './window.js'
import type { ClusterStats } from '../../../types/cluster.js'

/** The parts of its node that a channel uses. */
export interface ChannelHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly counters: ClusterStats
  /** Publishes to the inbox of the other node. @returns false when the engine did not take it */
  publishBatch (type: number, header: ChannelHeader, parts: readonly Uint8Array[]): boolean
  /** Bytes that the frames of one batch may take together. */
  readonly batchBytes: number
  /** Has {@link Channel.flush} called when what runs now is done. */
  scheduleFlush (channel: Channel): void
  /** A frame in its order. @returns false when it is garbage */
  handleFrame (frame: Frame): boolean
  /** Everything that was under way is lost, on both sides. */
  channelReset (why: string): void
}

/**
 * One end of the channel between two incarnations: numbered frames, sent again until they are confirmed, in order and
 * at most once. When that cannot be kept it is torn down, and the connection number says so to the other end, which
 * tears down its own. Neither end ever waits for the other to know.
 */
export class Channel {
  readonly #host: ChannelHost
  readonly #numbers: ConnectionNumbers
  readonly #sender: ChannelSender
  readonly #receiver: ChannelReceiver
  /** Missed messages that the other node does not know of yet. They outlive a teardown. */
  readonly missedMessages = new MissedMessages()
  #pingAt: number
  #resetSentAt = -Infinity
  #resetSentFor = 0

  constructor (host: ChannelHost) {
    const { clock, timing, counters, batchBytes } = host
    this.#host = host
    this.#numbers = new ConnectionNumbers(clock.now())
    this.#sender = new ChannelSender({ clock, timing, counters, batchBytes, publishFrames: (frames) => this.#publish(batchTypes.frames, frames) })
    this.#receiver = new ChannelReceiver({
      clock,
      timing,
      counters,
      handleFrame: (frame) => host.handleFrame(frame),
      sendAcknowledgement: () => { this.#publish(batchTypes.frames, []) },
      sendNack: () => { this.#publish(batchTypes.nack, []) }
    })
    this.#pingAt = clock.now()
  }

  get window (): Window {
    return this.#sender.window
  }

  get unacknowledged (): number {
    return this.#sender.unacknowledged
  }

  /** Records beside the frames, for the tests that count what remains. */
  get size (): number {
    return this.missedMessages.size + this.#sender.size
  }

  /** Everything that was taken has been sent, and the other node was told of what it missed. */
  get isFlushed (): boolean {
    return this.#sender.isFlushed && !this.missedMessages.hasAny
  }

  // Sending

  /** Adds a receiver to a send of this turn that has the same text. @returns whether there is one */
  joinText (to: number, from: number, payload: unknown): boolean {
    return !this.missedMessages.hasReceiver(to) && this.#sender.joinText(to, from, payload)
  }

  /**
   * Takes a send, to be sent with all others of this turn. Sends of one payload make one frame.
   * @param payload of which the body was made
   */
  sendMessage (fields: FrameFields, payload: unknown): boolean {
    if (!this.missedMessages.hasReceiver(fields.to!) && this.#sender.joinContent(fields)) return true
    return this.#hasRoom('message') && this.#scheduleIf(this.#sender.enqueueMessage(fields, payload))
  }

  /** Takes any other frame. @param lost for a frame that does not say itself who misses it */
  sendFrame (fields: FrameFields, urgency: Urgency, lost?: RecordLoss): boolean {
    return this.#hasRoom(urgency) && this.#scheduleIf(this.#sender.enqueueFrame(fields, lost))
  }

  #hasRoom (urgency: Urgency): boolean {
    const { window } = this
    if (window.refuses(urgency)) return false
    // A receiver gets nothing behind a hole that its node does not know of.
    if (this.missedMessages.hasAny) this.#enqueueNotices()
    if (!window.exhausted) return true
    this.reset('the window is full')
    return false
  }

  #scheduleIf (taken: boolean): boolean {
    if (taken) this.#host.scheduleFlush(this)
    return taken
  }

  /** A message that was refused: the node of its receiver will be told. */
  recordMissed (record: RecordLoss): void {
    record(this.missedMessages)
    this.#host.scheduleFlush(this)
  }

  #enqueueNotices (): void {
    for (const { fields, recordLoss: lost } of this.missedMessages.takeNotices()) this.#sender.enqueueFrame(fields, lost)
  }

  /** Sends what has not been sent. */
  flush (): void {
    if (this.missedMessages.hasAny && !this.window.full) this.#enqueueNotices()
    this.#sender.flush()
  }

  /** The engine is back: what it had not confirmed may be lost. */
  resendAll (): void {
    this.#sender.rewind()
    this.#sender.flush()
    this.#sendPing()
  }

  /** Looks at the time. */
  tick (now: number): void {
    this.#sender.tick(now)
    if (now - this.#pingAt >= this.#host.timing.ping) this.#sendPing()
  }

  #sendPing (): void {
    this.#pingAt = this.#host.clock.now()
    this.#publish(batchTypes.ping, [encodeNumber(this.#sender.lastSent)])
  }

  #publish (type: number, parts: readonly Uint8Array[]): boolean {
    const { local, remote } = this.#numbers
    if (!this.#host.publishBatch(type, { src: local, dst: remote, ack: this.#receiver.lastReceived }, parts)) return false
    this.#receiver.acknowledgementSent()
    return true
  }

  // Receiving

  /** A batch from the inbox, from its channel header on. @returns false when it is garbage */
  receiveBatch (type: number, bytes: Buffer, offset: number): boolean {
    const header = decodeChannelHeader(bytes, offset)
    const now = this.#host.clock.now()
    if (header === undefined || isImplausible(header.src, now)) return false
    if (type === batchTypes.reset) {
      if (header.dst !== this.#numbers.local) return true
      this.#numbers.bump(header.ack, now)
      this.reset('the other node has torn it down')
      return true
    }
    if (!this.#adoptConnection(header)) return true
    if (header.dst !== 0 && !this.#sender.acknowledge(header.ack)) return this.#resetForGarbage()
    if (this.missedMessages.hasAny && !this.window.full) this.#host.scheduleFlush(this)
    switch (type) {
      case batchTypes.frames: {
        const frames = decodeFrames(bytes, header.end)
        if (frames === undefined) return this.#resetForGarbage()
        this.#receiver.receiveFrames(frames)
        return true
      }
      case batchTypes.nack:
        this.#sender.rewind()
        this.#host.scheduleFlush(this)
        return true
      case batchTypes.ping: {
        const last = decodeNumber(bytes, header.end)
        if (last === undefined) return this.#resetForGarbage()
        this.#receiver.receivePing(last)
        return true
      }
      default: return this.#resetForGarbage()
    }
  }

  /** Whether a batch belongs to the connection that is, or begins one. */
  #adoptConnection (header: ChannelHeader): boolean {
    const { src, dst } = header
    const verdict = this.#numbers.classify(header)
    if (verdict === 'unknown') return false
    if (verdict === 'stale') return this.#sendReset(src)
    if (verdict === 'restarted') {
      this.reset('the other node has begun anew')
      if (dst !== 0) return this.#sendReset(src)
    }
    this.#numbers.adoptRemote(src)
    return true
  }

  /** Names exactly one channel, and not twice at once: a flood of what is stale is no reason for one of resets. */
  #sendReset (src: number): false {
    const now = this.#host.clock.now()
    if (src === this.#resetSentFor && now - this.#resetSentAt < this.#host.timing.nack) return false
    this.#resetSentFor = src
    this.#resetSentAt = now
    this.#host.publishBatch(batchTypes.reset, { src: this.#numbers.local, dst: src, ack: this.#numbers.closed }, [])
    return false
  }

  #resetForGarbage (): false {
    this.reset('garbage came in')
    return false
  }

  // The end

  /** What was under way is lost; what comes next begins anew, with the next number. */
  reset (why: string): void {
    const used = this.#numbers.remote !== 0 || this.#sender.lastTaken > 0
    const buried = this.#numbers.startNext()
    this.#sender.reset(this.missedMessages)
    this.#receiver.reset()
    if (used) {
      this.#host.counters.torn++
      if (buried !== 0) this.#sendReset(buried)
      else this.#sendPing()
    }
    this.#host.channelReset(why)
    if (this.missedMessages.hasAny) this.#host.scheduleFlush(this)
  }

  /** Leaves no timer behind. */
  stop (): void {
    this.#sender.stop()
    this.#receiver.acknowledgementSent()
  }
}
