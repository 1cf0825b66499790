import { Ring } from '../process/ring.js'
import { batchTypes, decodeChannelHeader, decodeFrames, decodeNumber, encodeFrame, encodeNumber } from './codec.js'
import { types } from './frames.js'
import { cut, longestFrame, Pieces } from './pieces.js'
import { Window } from './window.js'
import type { ChannelHeader, Frame, FrameFields } from './codec.js'
import type { Cancellable, Clock } from './clock.js'
import type { Timing } from './timing.js'
import type { ClusterStats } from '../../types/cluster.js'

/** What a channel needs of its node. */
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

/** An acknowledgement does not wait any longer when so many frames are behind it. */
const mostUnconfirmed = 512

/** A connection number is a second of the start, and few teardowns: one so far ahead of the time is made up. */
const farthest = 2 ** 24

/**
 * One end of the channel between two incarnations: numbered frames, sent again until they are confirmed, in order and
 * at most once. When that cannot be kept it is torn down, and the connection number says so to the other end, which
 * tears down its own. Neither end ever waits for the other to know.
 */
export class Channel {
  readonly #host: ChannelHost
  readonly window = new Window()
  readonly #ring = new Ring<Buffer>()
  readonly #pieces = new Pieces()
  /** Mine: one more at each teardown. It begins with the time, above all that an earlier end may have used. */
  #conn: number
  /** The one of theirs that mine is connected with; 0: none yet. */
  #remote = 0
  /** The highest of theirs that was torn down. */
  #dead = 0
  /** The last frame made, the next to be sent, and the last confirmed. */
  #seq = 0
  #next = 1
  #acked = 0
  /** The highest that has been sent at all: what is sent again is counted. */
  #sent = 0
  /** The next frame to come. */
  #expected = 1
  #unconfirmed = 0
  #ackTimer: Cancellable | undefined
  #retry: Cancellable | undefined
  #progressAt = 0
  #pingAt: number
  #nackAt = -Infinity
  #resetAt = -Infinity
  #resetOf = 0

  constructor (host: ChannelHost) {
    this.#host = host
    this.#conn = Math.floor(host.clock.now() / 1000)
    this.#pingAt = host.clock.now()
  }

  get unacknowledged (): number {
    return this.#ring.length
  }

  // Sending

  /**
   * Takes a frame, to be sent with all others of this turn.
   * @param refusable a sender hears that the window is full; otherwise the frame is taken, for its sender waits by
   * itself or is the system
   */
  push (fields: FrameFields, refusable: boolean): boolean {
    if (refusable && this.window.full) return false
    if (this.window.burst) {
      this.teardown('the window is full')
      return false
    }
    const bytes = encodeFrame(fields, this.#seq + 1)
    if (bytes.length > longestFrame) return false
    if (bytes.length <= this.#host.batchBytes) this.#take(bytes)
    else for (const piece of cut(fields, this.#host.batchBytes)) this.#take(encodeFrame(piece, this.#seq + 1))
    this.#host.soon(this)
    return true
  }

  #take (bytes: Buffer): void {
    this.#seq++
    if (this.#ring.length === 0) this.#progressAt = this.#host.clock.now()
    this.#ring.push(bytes)
    this.window.add(bytes.length)
  }

  /** Sends what has not been sent. What the engine does not take stays, and is tried again. */
  flush (): void {
    while (this.#next <= this.#seq) {
      const parts: Buffer[] = []
      let bytes = 0
      for (let seq = this.#next; seq <= this.#seq; seq++) {
        const part = this.#ring.at(seq - this.#acked - 1)
        if (bytes > 0 && bytes + part.length > batchLimit(this.#host.batchBytes)) break
        parts.push(part)
        bytes += part.length
      }
      if (!this.#publish(batchTypes.frames, parts)) {
        this.#retry ??= this.#host.clock.after(this.#host.timing.nack, this.#tryAgain)
        return
      }
      this.#countSent(parts.length)
      this.#next += parts.length
    }
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

  /** The engine is back: what it had not confirmed may be lost. */
  reconnected (): void {
    this.#next = this.#acked + 1
    this.flush()
    this.#ping()
  }

  /** Looks at the time. */
  tick (now: number): void {
    const { timing } = this.#host
    if (this.#ring.length > 0 && now - this.#progressAt >= timing.resend) {
      this.#progressAt = now
      // Only the oldest: when the other end stands still, all of it would be too much, each second.
      if (this.#next > this.#acked + 1 && this.#publish(batchTypes.frames, [this.#ring.at(0)])) this.#host.counters.resent++
      else this.flush()
    }
    if (now - this.#pingAt >= timing.ping) this.#ping()
  }

  #ping (): void {
    this.#pingAt = this.#host.clock.now()
    this.#publish(batchTypes.ping, [encodeNumber(this.#sent)])
  }

  #publish (type: number, parts: readonly Uint8Array[]): boolean {
    if (!this.#host.publish(type, { src: this.#conn, dst: this.#remote, ack: this.#expected - 1 }, parts)) return false
    this.#unconfirmed = 0
    this.#ackTimer?.cancel()
    this.#ackTimer = undefined
    return true
  }

  // Receiving

  /** A batch from the inbox, from its channel header on. @returns false when it is garbage */
  receive (type: number, bytes: Buffer, offset: number): boolean {
    const header = decodeChannelHeader(bytes, offset)
    if (header === undefined || header.src > this.#host.clock.now() / 1000 + farthest) return false
    if (type === batchTypes.reset) {
      if (header.dst !== this.#conn) return true
      // Theirs says up to which number mine are buried.
      if (header.ack < this.#host.clock.now() / 1000 + farthest) this.#conn = Math.max(this.#conn, header.ack)
      this.teardown('the other node has torn it down')
      return true
    }
    if (!this.#isCurrent(header)) return true
    if (header.dst !== 0 && !this.#confirm(header.ack)) return this.#garbage()
    switch (type) {
      case batchTypes.frames: return this.#receiveFrames(decodeFrames(bytes, header.end))
      case batchTypes.nack: return this.#goBack()
      case batchTypes.ping: return this.#pinged(decodeNumber(bytes, header.end))
      default: return this.#garbage()
    }
  }

  /** Whether a batch belongs to the connection that is. The order of these questions is the protocol. */
  #isCurrent ({ src, dst }: ChannelHeader): boolean {
    // They talk to one that I tore down. Theirs was bound to it for ever, and is dead with it.
    if (dst !== 0 && dst < this.#conn) {
      this.#dead = Math.max(this.#dead, src)
      return this.#reset(src)
    }
    if (src <= this.#dead) return this.#reset(src)
    if (dst > this.#conn || src < this.#remote) return false
    if (src > this.#remote && this.#remote !== 0) {
      // They tore theirs down.
      this.teardown('the other node has begun anew')
      if (dst !== 0) return this.#reset(src)
    }
    this.#remote = src
    return true
  }

  /** Names exactly one channel, and not twice at once: a flood of what is stale is no reason for one of resets. */
  #reset (src: number): false {
    const now = this.#host.clock.now()
    if (src === this.#resetOf && now - this.#resetAt < this.#host.timing.nack) return false
    this.#resetOf = src
    this.#resetAt = now
    this.#host.publish(batchTypes.reset, { src: this.#conn, dst: src, ack: this.#dead }, [])
    return false
  }

  /** Frees what has arrived. @returns false for what was never sent */
  #confirm (ack: number): boolean {
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

  #receiveFrames (frames: Frame[] | undefined): boolean {
    if (frames === undefined) return this.#garbage()
    const conn = this.#conn
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
      if (!this.#apply(frame)) return this.#garbage()
      // What it did may have torn this down.
      if (this.#conn !== conn) return true
    }
    this.#acknowledge()
    return true
  }

  #apply (frame: Frame): boolean {
    const whole = frame.type === types.piece ? this.#pieces.add(frame) : frame
    return whole === undefined || (whole !== false && this.#host.apply(whole))
  }

  #acknowledge (): void {
    if (this.#unconfirmed === 0) return
    if (this.#unconfirmed >= mostUnconfirmed) this.#publish(batchTypes.frames, [])
    else this.#ackTimer ??= this.#host.clock.after(this.#host.timing.ack, this.#confirmNow)
  }

  readonly #confirmNow = (): void => {
    this.#ackTimer = undefined
    this.#publish(batchTypes.frames, [])
  }

  #nack (): void {
    const now = this.#host.clock.now()
    if (now - this.#nackAt < this.#host.timing.nack) return
    this.#nackAt = now
    this.#publish(batchTypes.nack, [])
  }

  #goBack (): true {
    this.#next = this.#acked + 1
    this.#host.soon(this)
    return true
  }

  #pinged (last: number | undefined): boolean {
    if (last === undefined) return this.#garbage()
    if (last >= this.#expected) this.#nack()
    else this.#publish(batchTypes.frames, [])
    return true
  }

  #garbage (): false {
    this.teardown('garbage came in')
    return false
  }

  // The end

  /** What was under way is lost; what comes next begins anew, with the next number. */
  teardown (why: string): void {
    const buried = this.#remote
    const used = buried !== 0 || this.#seq > 0
    this.#dead = Math.max(this.#dead, buried)
    this.#conn++
    this.#remote = 0
    this.#seq = this.#acked = this.#sent = 0
    this.#next = this.#expected = 1
    this.#ring.clear()
    this.#pieces.clear()
    this.window.clear()
    this.stop()
    if (used) {
      this.#host.counters.torn++
      if (buried !== 0) this.#reset(buried)
      else this.#ping()
    }
    this.#host.torn(why)
  }

  /** Leaves no timer behind. */
  stop (): void {
    this.#unconfirmed = 0
    this.#ackTimer?.cancel()
    this.#retry?.cancel()
    this.#ackTimer = this.#retry = undefined
  }
}

/** Bytes of a batch: more saves nothing, and makes the engine's other clients wait. */
const preferredBatch = 60 * 1024

function batchLimit (largest: number): number {
  return Math.min(preferredBatch, largest)
}
