import { violated } from '../close-reasons.js'
import { TokenBucket } from './token-bucket.js'
import type { Deadline, Slot } from '../../shared/deadline-timer.js'
import type { WsSuspend } from '../../../types/messages.js'
import type { CloseReason } from '../close-codes.js'
import type { RelayServer } from '../relay-server.js'
import type { MessageWriter, Transport, TransportEvents } from '../transport.js'
import type { Limit } from './limit-fields.js'

/** The code and the reason that a client over a limit sees, if that closes. */
export const overLimit = { code: 1008, reason: 'too many messages' } as const

/** The parts of the server that a limiter uses. */
export type LimiterHost = Pick<RelayServer, 'deadlines' | 'counters'>

/** The connection above a limiter. A session tells it more than another transport does. */
export interface LimitedConnection extends TransportEvents {
  onSuspended (cause: WsSuspend['cause'], notify: boolean): void
  onResumed (away: number | undefined, notify: boolean): void
}

/**
 * The transport of a client with a `limit`. It holds another transport, and stops reading it while
 * a bucket is empty. So a connection without a limit has no check on the path of its messages.
 *
 * It is above a session, so a client that comes back on another socket finds the same buckets. On
 * each socket one message is read even if a bucket is empty, because a session needs it.
 *
 * | state | event | new state | action |
 * | --- | --- | --- | --- |
 * | reading | a message, and a bucket is empty after it | waiting | stop reading |
 * | reading | a message, a bucket was empty before it, `over: 'close'` | muted | close with 1008 |
 * | waiting | a message (of another socket) | waiting | wait longer |
 * | waiting | the buckets have a token, or the limit is raised | reading | read, unless held |
 * | reading, waiting | `handOver`, `close` | ended | |
 * | ended | a message that was read before | ended | `onMessage`, without a limit |
 * | muted | a message | muted | drop it |
 *
 * A control of a session is such a message for the bucket of bytes, and never for that of messages.
 *
 * It is *held* while the connection has paused it. Two reasons to pause can overlap, and reading
 * goes on when both have passed.
 */
export class RateLimiter implements Transport, LimitedConnection, Deadline {
  slot: Slot | undefined
  readonly #host: LimiterHost
  readonly inner: Transport
  readonly #messages = new TokenBucket()
  readonly #bytes = new TokenBucket()
  #closesClient = false
  #events: LimitedConnection
  #state: 'reading' | 'waiting' | 'muted' | 'ended' = 'reading'
  #isHeld = false

  constructor (host: LimiterHost, inner: Transport, limit: Limit) {
    this.#host = host
    this.inner = inner
    this.setLimit(limit)
    // Undefined before `open`.
    this.#events = inner.redirect(this) as LimitedConnection
  }

  /** The buckets keep their debts. Undefined: no limit any more. */
  setLimit (limit: Limit | undefined): void {
    this.#messages.size = limit?.messages
    this.#bytes.size = limit?.bytes
    this.#closesClient = limit?.over === 'close'
    if (this.#state === 'waiting') this.due()
  }

  get #now (): number {
    return this.#host.deadlines.clock.now()
  }

  #waitAt (now: number): number {
    return Math.max(this.#messages.waitAt(now), this.#bytes.waitAt(now))
  }

  /** There is a token, or another socket of the client has brought one more message. */
  due (): void {
    const wait = this.#waitAt(this.#now)
    if (wait > 0) return this.#host.deadlines.schedule(this, wait)
    this.#host.deadlines.cancel(this)
    this.#state = 'reading'
    if (!this.#isHeld) this.inner.resume()
  }

  #end (): void {
    if (this.#state !== 'muted') this.#state = 'ended'
    this.#host.deadlines.cancel(this)
  }

  // As a transport: called by the connection

  get kind (): Transport['kind'] { return this.inner.kind }

  get writer (): MessageWriter { return this.inner.writer }

  get away (): number | undefined { return this.inner.away }

  get isPaused (): boolean { return this.#isHeld || this.inner.isPaused }

  get isLimited (): boolean { return this.#state === 'waiting' }

  get whenAcknowledged (): Transport['whenAcknowledged'] {
    return this.inner.whenAcknowledged?.bind(this.inner)
  }

  get adviseReconnect (): Transport['adviseReconnect'] {
    return this.inner.adviseReconnect?.bind(this.inner)
  }

  get reportInvalid (): Transport['reportInvalid'] {
    return this.inner.reportInvalid?.bind(this.inner)
  }

  open (events: LimitedConnection): void {
    this.#events = events
    this.inner.open(this)
  }

  redirect (events: TransportEvents): TransportEvents {
    const before = this.#events
    this.#events = events as LimitedConnection
    return before
  }

  pause (): void {
    this.#isHeld = true
    this.inner.pause()
  }

  resume (): void {
    this.#isHeld = false
    if (this.#state !== 'waiting') this.inner.resume()
  }

  handOver (): void {
    this.#end()
    this.inner.handOver()
  }

  close (reason: CloseReason): void {
    this.#end()
    this.inner.close(reason)
  }

  // Events of the transport

  onMessage (message: Buffer | string, bytes: number): boolean {
    if (this.#state === 'muted') return true
    const isEnded = this.#state === 'ended'
    if (!isEnded && !this.#count(bytes)) return true
    const hasRoom = this.#events.onMessage(message, bytes)
    this.#isHeld = !hasRoom
    return hasRoom && this.#state !== 'waiting'
  }

  /** @returns false if the client is closed because of this message */
  #count (bytes: number): boolean {
    const now = this.#now
    if (this.#closesClient && this.#waitAt(now) > 0) {
      this.#closeClient()
      return false
    }
    this.#messages.take(now, 1)
    this.#takeBytes(now, bytes)
    return true
  }

  /** A control of a session is no message, but has bytes. */
  onControl (bytes: number): boolean {
    if (this.#state === 'muted' || this.#state === 'ended') return true
    const now = this.#now
    if (this.#closesClient && this.#bytes.waitAt(now) > 0) this.#closeClient()
    else this.#takeBytes(now, bytes)
    return this.#state !== 'waiting'
  }

  #takeBytes (now: number, bytes: number): void {
    this.#bytes.take(now, bytes)
    const wait = this.#closesClient ? 0 : this.#waitAt(now)
    if (wait === 0) return
    if (this.#state === 'reading') this.#host.counters.clientLimited()
    this.#state = 'waiting'
    this.#host.deadlines.schedule(this, wait)
  }

  #closeClient (): void {
    this.#state = 'muted'
    this.#host.counters.clientLimited()
    this.#events.onTransportEnd(violated(overLimit.code, overLimit.reason))
  }

  onTransportEnd (reason: CloseReason): void { this.#events.onTransportEnd(reason) }

  onHandedOver (): void { this.#events.onHandedOver() }

  onTransportError (err: Error): void { this.#events.onTransportError(err) }

  onTransportClose (): void { this.#events.onTransportClose() }

  onSuspended (cause: WsSuspend['cause'], notify: boolean): void {
    this.#events.onSuspended(cause, notify)
  }

  onResumed (away: number | undefined, notify: boolean): void {
    this.#events.onResumed(away, notify)
  }
}
