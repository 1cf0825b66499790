import { batchTypes, decodeChannelHeader, decodeFrames, decodeNumber, encodeNumber } from './codec.js'
import { ConnectionNumbers, isMadeUp } from './connection-numbers.js'
import { ChannelReceiver } from './channel-receiver.js'
import { Misses } from './misses.js'
import { ChannelSender } from './channel-sender.js'
import type { ChannelHeader, Frame, FrameFields } from './codec.js'
import type { Clock } from '../../shared/clock.js'
import type { Lost } from './channel-sender.js'
import type { Timing } from '../timing.js'
import type { Urgency, Window } from './window.js'
import type { ClusterStats } from '../../../types/cluster.js'

/** The parts of its node that a channel uses. */
export interface ChannelHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly counters: ClusterStats
  /** Publishes to the inbox of the other node. @returns false when the engine did not take it */
  publish (type: number, header: ChannelHeader, parts: readonly Uint8Array[]): boolean
  /** Bytes that the frames of one batch may take together. */
  readonly batchBytes: number
  /** Has {@link Channel.flush} called when what runs now is done. */
  soon (channel: Channel): void
  /** A frame in its order. @returns false when it is garbage */
  apply (frame: Frame): boolean
  /** Everything that was under way is lost, on both sides. */
  torn (why: string): void
}

/**
 * One end of the channel between two incarnations: numbered frames, sent again until they are confirmed, in order and
 * at most once. When that cannot be kept it is torn down, and the connection number says so to the other end, which
 * tears down its own. Neither end ever waits for the other to know.
 */
export class Channel {
  readonly #host: ChannelHost
  readonly #numbers: ConnectionNumbers
  readonly #outbox: ChannelSender
  readonly #inbox: ChannelReceiver
  /** Missed messages that the other node does not know of yet. They outlive a teardown. */
  readonly misses = new Misses()
  #pingAt: number
  #resetAt = -Infinity
  #resetOf = 0

  constructor (host: ChannelHost) {
    const { clock, timing, counters, batchBytes } = host
    this.#host = host
    this.#numbers = new ConnectionNumbers(clock.now())
    this.#outbox = new ChannelSender({ clock, timing, counters, batchBytes, send: (frames) => this.#publish(batchTypes.frames, frames) })
    this.#inbox = new ChannelReceiver({
      clock,
      timing,
      counters,
      apply: (frame) => host.apply(frame),
      confirm: () => { this.#publish(batchTypes.frames, []) },
      complain: () => { this.#publish(batchTypes.nack, []) }
    })
    this.#pingAt = clock.now()
  }

  get window (): Window {
    return this.#outbox.window
  }

  get unacknowledged (): number {
    return this.#outbox.unacknowledged
  }

  /** Records beside the frames, for the tests that count what remains. */
  get size (): number {
    return this.misses.size + this.#outbox.size
  }

  /** Everything that was taken has been sent, and the other node was told of what it missed. */
  get isFlushed (): boolean {
    return this.#outbox.isFlushed && !this.misses.any
  }

  // Sending

  /** Adds a receiver to a send of this turn that has the same text. @returns whether there is one */
  joinText (to: number, from: number, payload: unknown): boolean {
    return !this.misses.has(to) && this.#outbox.joinText(to, from, payload)
  }

  /**
   * Takes a send, to be sent with all others of this turn. Sends of one payload make one frame.
   * @param payload of which the body was made
   */
  send (fields: FrameFields, payload: unknown): boolean {
    if (!this.misses.has(fields.to!) && this.#outbox.join(fields)) return true
    return this.#hasRoom('message') && this.#sent(this.#outbox.takeSend(fields, payload))
  }

  /** Takes any other frame. @param lost for a frame that does not say itself who misses it */
  push (fields: FrameFields, urgency: Urgency, lost?: Lost): boolean {
    return this.#hasRoom(urgency) && this.#sent(this.#outbox.take(fields, lost))
  }

  #hasRoom (urgency: Urgency): boolean {
    const { window } = this
    if (window.refuses(urgency)) return false
    // A receiver gets nothing behind a hole that its node does not know of.
    if (this.misses.any) this.#tellMisses()
    if (!window.burst) return true
    this.teardown('the window is full')
    return false
  }

  #sent (taken: boolean): boolean {
    if (taken) this.#host.soon(this)
    return taken
  }

  /** A message that was refused: the node of its receiver will be told. */
  missed (record: Lost): void {
    record(this.misses)
    this.#host.soon(this)
  }

  #tellMisses (): void {
    for (const { fields, lost } of this.misses.take()) this.#outbox.take(fields, lost)
  }

  /** Sends what has not been sent. */
  flush (): void {
    if (this.misses.any && !this.window.full) this.#tellMisses()
    this.#outbox.flush()
  }

  /** The engine is back: what it had not confirmed may be lost. */
  reconnected (): void {
    this.#outbox.goBack()
    this.#outbox.flush()
    this.#ping()
  }

  /** Looks at the time. */
  tick (now: number): void {
    this.#outbox.tick(now)
    if (now - this.#pingAt >= this.#host.timing.ping) this.#ping()
  }

  #ping (): void {
    this.#pingAt = this.#host.clock.now()
    this.#publish(batchTypes.ping, [encodeNumber(this.#outbox.sent)])
  }

  #publish (type: number, parts: readonly Uint8Array[]): boolean {
    const { mine, theirs } = this.#numbers
    if (!this.#host.publish(type, { src: mine, dst: theirs, ack: this.#inbox.received }, parts)) return false
    this.#inbox.confirmed()
    return true
  }

  // Receiving

  /** A batch from the inbox, from its channel header on. @returns false when it is garbage */
  receive (type: number, bytes: Buffer, offset: number): boolean {
    const header = decodeChannelHeader(bytes, offset)
    const now = this.#host.clock.now()
    if (header === undefined || isMadeUp(header.src, now)) return false
    if (type === batchTypes.reset) {
      if (header.dst !== this.#numbers.mine) return true
      this.#numbers.raise(header.ack, now)
      this.teardown('the other node has torn it down')
      return true
    }
    if (!this.#isCurrent(header)) return true
    if (header.dst !== 0 && !this.#outbox.confirm(header.ack)) return this.#garbage()
    if (this.misses.any && !this.window.full) this.#host.soon(this)
    switch (type) {
      case batchTypes.frames: {
        const frames = decodeFrames(bytes, header.end)
        if (frames === undefined) return this.#garbage()
        this.#inbox.receive(frames)
        return true
      }
      case batchTypes.nack:
        this.#outbox.goBack()
        this.#host.soon(this)
        return true
      case batchTypes.ping: {
        const last = decodeNumber(bytes, header.end)
        if (last === undefined) return this.#garbage()
        this.#inbox.pinged(last)
        return true
      }
      default: return this.#garbage()
    }
  }

  /** Whether a batch belongs to the connection that is, or begins one. */
  #isCurrent (header: ChannelHeader): boolean {
    const { src, dst } = header
    const verdict = this.#numbers.judge(header)
    if (verdict === 'foreign') return false
    if (verdict === 'stale') return this.#reset(src)
    if (verdict === 'anew') {
      this.teardown('the other node has begun anew')
      if (dst !== 0) return this.#reset(src)
    }
    this.#numbers.adopt(src)
    return true
  }

  /** Names exactly one channel, and not twice at once: a flood of what is stale is no reason for one of resets. */
  #reset (src: number): false {
    const now = this.#host.clock.now()
    if (src === this.#resetOf && now - this.#resetAt < this.#host.timing.nack) return false
    this.#resetOf = src
    this.#resetAt = now
    this.#host.publish(batchTypes.reset, { src: this.#numbers.mine, dst: src, ack: this.#numbers.buried }, [])
    return false
  }

  #garbage (): false {
    this.teardown('garbage came in')
    return false
  }

  // The end

  /** What was under way is lost; what comes next begins anew, with the next number. */
  teardown (why: string): void {
    const used = this.#numbers.theirs !== 0 || this.#outbox.last > 0
    const buried = this.#numbers.next()
    this.#outbox.clear(this.misses)
    this.#inbox.clear()
    if (used) {
      this.#host.counters.torn++
      if (buried !== 0) this.#reset(buried)
      else this.#ping()
    }
    this.#host.torn(why)
    if (this.misses.any) this.#host.soon(this)
  }

  /** Leaves no timer behind. */
  stop (): void {
    this.#outbox.stop()
    this.#inbox.confirmed()
  }
}
