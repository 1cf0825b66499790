import { normalLateness } from '../shared/deadline-timer.js'
import type { Deadline, Slot, DeadlineTimer } from '../shared/deadline-timer.js'

/** What liveness knows of a connection, and does to it. */
export interface LivenessClient {
  readonly isBeingRead: boolean
  /** Bytes of a frame that is still coming in; 0 between frames. */
  readonly partialFrameBytes: number
  /** Bytes that the kernel has taken from the socket since it was opened. */
  readonly bytesSent: number
  /** @returns whether the kernel has taken the ping already; if not, {@link Liveness.pingTakenByKernel} is called when it does */
  sendPing (): boolean
  /** No pong came. */
  pongTimedOut (): void
  /** The closing handshake took too long. */
  closeTimedOut (): void
  sendHeartbeat (): void
}

/** All in milliseconds; a ping interval or pong timeout of 0: no pings. */
export interface LivenessOptions {
  readonly pingInterval: number
  readonly pongTimeout: number
  readonly closeTimeout: number
}

/**
 * The part of a pong timeout that a client has for each {@link stepBytes} between the server's kernel
 * and itself: 1 MiB in a pong timeout.
 */
const partPerStep = 1 / 16
const stepBytes = 64 * 1024
/** Send and receive buffers hold about this much under Linux's defaults. More is not waited for. */
const maxInFlight = 8 * 1024 * 1024

/**
 * Whether a client is still there (RFC 6455 section 5.5.2), and whether it closes in time.
 *
 * A ping must be answered within the pong timeout. The timeout starts again:
 * - while the socket is not being read, because no pong can arrive;
 * - while a long frame comes in, because a client cannot answer in the middle of it;
 * - while bytes before the ping leave for the kernel, because the client takes what is before them;
 * - once after the event loop has stalled, because a client in the same thread could not answer.
 *
 * The kernel does not say what it still has to send. So the client has more time, once, for the bytes
 * that the kernel took and no pong has confirmed: see docs/decisions/0023.
 */
export class Liveness implements Deadline {
  slot: Slot | undefined
  readonly #connection: LivenessClient
  readonly #deadlines: DeadlineTimer
  readonly #options: LivenessOptions
  #state: 'quiet' | 'awaiting' | 'checking' | 'closing' = 'quiet'
  #partialBytesBefore = 0
  #stallExcused = false
  /** Bytes that the kernel had taken at the last look. */
  #sentBefore = 0
  /** Bytes that the kernel had taken when it took the ping; undefined while the ping waits. */
  #sentAtPing: number | undefined
  /** Bytes that the client has read for certain: those before the last ping it answered. */
  #confirmedBytes = 0
  /** The client was given time for what is in flight. */
  #isExtended = false

  constructor (connection: LivenessClient, deadlines: DeadlineTimer, options: LivenessOptions) {
    this.#connection = connection
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

  /** The kernel has taken a ping that waited behind other bytes: its time begins only now. */
  pingTakenByKernel (): void {
    if (this.#state !== 'awaiting' && this.#state !== 'checking') return
    this.#sentAtPing ??= this.#connection.bytesSent
    this.#awaitPong()
  }

  /** The socket is being read again: a pong may still be in there. */
  readingResumed (): void {
    if (this.#state === 'awaiting' || this.#state === 'checking') this.#awaitPong()
  }

  startCloseTimeout (): void {
    this.#state = 'closing'
    this.#deadlines.schedule(this, this.#options.closeTimeout)
  }

  stop (): void {
    this.#state = 'closing'
    this.#deadlines.cancel(this)
  }

  due (late: number): void {
    if (this.#state === 'closing') this.#connection.closeTimedOut()
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
    if (this.#connection.sendPing()) this.#sentAtPing ??= this.#connection.bytesSent
    this.#awaitPong()
  }

  #awaitPong (): void {
    this.#state = 'awaiting'
    this.#isExtended = false
    this.#partialBytesBefore = this.#connection.partialFrameBytes
    this.#sentBefore = this.#connection.bytesSent
    this.#deadlines.schedule(this, this.#options.pongTimeout)
  }

  #pongOverdue (late: number): void {
    const stalled = late > normalLateness && !this.#stallExcused
    if (stalled) this.#stallExcused = true
    if (stalled && this.#connection.isBeingRead) this.#awaitPong()
    else if (this.#hasTimedOut()) {
      // After a stall of the event loop the pong may lie unread in the kernel: sockets come first.
      this.#state = 'checking'
      setImmediate(() => { if (this.#state === 'checking' && this.#hasTimedOut()) this.#connection.pongTimedOut() })
    }
  }

  /** Whether a pong would have been read. If not, the time begins again. */
  #hasTimedOut (): boolean {
    if (!this.#connection.isBeingRead) {
      // No pong can come, but a write finds out when the peer is gone.
      this.#sendPing()
      return false
    }
    if (this.#frameGrew() || this.#bytesLeftBeforePing()) {
      this.#awaitPong()
      return false
    }
    return this.#isExtended || !this.#extendTimeout()
  }

  /** Whether some of what waits before the ping has left for the kernel since the last look. */
  #bytesLeftBeforePing (): boolean {
    return this.#sentAtPing === undefined && this.#connection.bytesSent !== this.#sentBefore
  }

  /** Gives the client time for what it may not have read yet. @returns whether that is anything */
  #extendTimeout (): boolean {
    const unconfirmed = (this.#sentAtPing ?? this.#connection.bytesSent) - this.#confirmedBytes
    const steps = Math.floor(Math.min(unconfirmed, maxInFlight) / stepBytes)
    if (steps <= 0) return false
    this.#state = 'awaiting'
    this.#isExtended = true
    this.#deadlines.schedule(this, this.#options.pongTimeout * steps * partPerStep)
    return true
  }

  #frameGrew (): boolean {
    const { partialFrameBytes: bytesHeld } = this.#connection
    return bytesHeld > 0 && bytesHeld !== this.#partialBytesBefore
  }
}

/** A heartbeat to the target, every so many milliseconds. */
export class Heartbeat implements Deadline {
  slot: Slot | undefined
  readonly #connection: LivenessClient
  readonly #deadlines: DeadlineTimer
  readonly #interval: number

  constructor (connection: LivenessClient, deadlines: DeadlineTimer, interval: number) {
    this.#connection = connection
    this.#deadlines = deadlines
    this.#interval = interval
    deadlines.schedule(this, interval)
  }

  due (): void {
    this.#deadlines.schedule(this, this.#interval)
    this.#connection.sendHeartbeat()
  }

  stop (): void {
    this.#deadlines.cancel(this)
  }
}
