import { normalLateness } from '../shared/deadline-timer.js'
import type { Deadline, Slot, DeadlineTimer } from '../shared/deadline-timer.js'

/** The transport of a client, as far as its liveness deals with it. */
export interface LivenessClient {
  readonly isBeingRead: boolean
  /** Bytes of the frame that is being received; 0 between frames. */
  readonly partialFrameBytes: number
  /** Bytes that the kernel has taken from the socket since it was opened. */
  readonly bytesSent: number
  /**
   * Sends a ping. If the kernel has not taken it when this returns, the transport calls
   * {@link Liveness.pingTakenByKernel} later.
   * @returns whether the kernel has taken the ping already
   */
  sendPing (): boolean
  /** Called when the client did not answer a ping in time. */
  pongTimedOut (): void
  /** Called when the closing handshake has taken too long. */
  closeTimedOut (): void
}

/** Milliseconds. If `pingInterval` or `pongTimeout` is 0, no pings are sent. */
export interface LivenessOptions {
  readonly pingInterval: number
  readonly pongTimeout: number
  readonly closeTimeout: number
}

/**
 * A client gets this part of a pong timeout, in addition, for each 64 KiB that may be on the way to
 * it: one whole pong timeout for 1 MiB.
 */
const partPerStep = 1 / 16
const stepBytes = 64 * 1024
/**
 * About the size of the send and receive buffers under Linux's defaults. No more can be in flight.
 */
const maxInFlight = 8 * 1024 * 1024

/**
 * Pings a client to find out whether it is still there (RFC 6455 section 5.5.2), and limits the
 * time of its closing handshake.
 *
 * A ping must be answered within the pong timeout. The timeout starts again:
 * - while the socket is not being read, because no pong can arrive;
 * - while a long frame is being received, because a client cannot send a pong in the middle of it;
 * - while the kernel takes bytes that stand before the ping, because the client is reading then;
 * - once after the event loop has stalled, because a client in the same thread could not answer.
 *
 * The kernel does not report how many bytes it still has to send. Therefore the timeout is extended
 * once, by the number of bytes that the kernel took and no pong has confirmed:
 * see docs/decisions/0023.
 */
export class Liveness implements Deadline {
  slot: Slot | undefined
  readonly #transport: LivenessClient
  readonly #deadlines: DeadlineTimer
  readonly #options: LivenessOptions
  #state: 'quiet' | 'awaiting' | 'checking' | 'closing' = 'quiet'
  #partialBytesBefore = 0
  #stallExcused = false
  /** Bytes that the kernel had taken when the pong timeout started. */
  #sentBefore = 0
  /** Bytes that the kernel had taken when it took the ping; undefined while the ping is queued. */
  #sentAtPing: number | undefined
  /** Bytes before the last ping that was answered: the client has certainly read them. */
  #confirmedBytes = 0
  #isExtended = false

  constructor (transport: LivenessClient, deadlines: DeadlineTimer, options: LivenessOptions) {
    this.#transport = transport
    this.#deadlines = deadlines
    this.#options = options
    this.#schedulePing()
  }

  pongReceived (): void {
    if (this.#state !== 'awaiting' && this.#state !== 'checking') return
    this.#confirmedBytes = this.#sentAtPing ?? this.#confirmedBytes
    this.#sentAtPing = undefined
    this.#schedulePing()
  }

  /** Called when the kernel takes a ping that was queued after other bytes: its timeout starts. */
  pingTakenByKernel (): void {
    if (this.#state !== 'awaiting' && this.#state !== 'checking') return
    this.#sentAtPing ??= this.#transport.bytesSent
    this.#awaitPong()
  }

  /** Called when the socket is read again: it may contain a pong that has not been read. */
  readingResumed (): void {
    if (this.#state === 'awaiting' || this.#state === 'checking') this.#awaitPong()
  }

  /** Called when the server's close frame is sent. */
  startCloseTimeout (): void {
    this.#state = 'closing'
    this.#deadlines.schedule(this, this.#options.closeTimeout)
  }

  stop (): void {
    this.#state = 'closing'
    this.#deadlines.cancel(this)
  }

  due (late: number): void {
    if (this.#state === 'closing') this.#transport.closeTimedOut()
    else if (this.#state === 'quiet') this.#sendPing()
    else this.#pongOverdue(late)
  }

  #schedulePing (): void {
    this.#state = 'quiet'
    const { pingInterval, pongTimeout } = this.#options
    if (pingInterval > 0 && pongTimeout > 0) this.#deadlines.schedule(this, pingInterval)
    else this.#deadlines.cancel(this)
  }

  #sendPing (): void {
    this.#stallExcused = false
    this.#state = 'awaiting'
    if (this.#transport.sendPing()) this.#sentAtPing ??= this.#transport.bytesSent
    this.#awaitPong()
  }

  #awaitPong (): void {
    this.#state = 'awaiting'
    this.#isExtended = false
    this.#partialBytesBefore = this.#transport.partialFrameBytes
    this.#sentBefore = this.#transport.bytesSent
    this.#deadlines.schedule(this, this.#options.pongTimeout)
  }

  #pongOverdue (late: number): void {
    const stalled = late > normalLateness && !this.#stallExcused
    if (stalled) this.#stallExcused = true
    if (stalled && this.#transport.isBeingRead) this.#awaitPong()
    else if (this.#hasTimedOut()) {
      // After a stall of the event loop, the kernel may hold a pong: sockets are read before this
      // runs.
      this.#state = 'checking'
      this.#deadlines.clock.later(() => {
        if (this.#state === 'checking' && this.#hasTimedOut()) this.#transport.pongTimedOut()
      })
    }
  }

  /** @returns false if the client may still answer: then the pong timeout starts again */
  #hasTimedOut (): boolean {
    if (!this.#transport.isBeingRead) {
      // No pong can be read, but the write of another ping fails if the peer is gone.
      this.#sendPing()
      return false
    }
    if (this.#frameGrew() || this.#bytesLeftBeforePing()) {
      this.#awaitPong()
      return false
    }
    return this.#isExtended || !this.#extendTimeout()
  }

  /** Whether the kernel took bytes that stand before the ping since the timeout started. */
  #bytesLeftBeforePing (): boolean {
    return this.#sentAtPing === undefined && this.#transport.bytesSent !== this.#sentBefore
  }

  /**
   * Gives the client time to read the bytes that no pong has confirmed.
   * @returns false if there are too few of them
   */
  #extendTimeout (): boolean {
    const unconfirmed = (this.#sentAtPing ?? this.#transport.bytesSent) - this.#confirmedBytes
    const steps = Math.floor(Math.min(unconfirmed, maxInFlight) / stepBytes)
    if (steps <= 0) return false
    this.#state = 'awaiting'
    this.#isExtended = true
    this.#deadlines.schedule(this, this.#options.pongTimeout * steps * partPerStep)
    return true
  }

  /** Whether more bytes of a frame were received since the timeout started. */
  #frameGrew (): boolean {
    const { partialFrameBytes } = this.#transport
    return partialFrameBytes > 0 && partialFrameBytes !== this.#partialBytesBefore
  }
}
