import { normalLateness } from '../shared/deadline-timer.js'
import type { Deadline, Slot, DeadlineTimer } from '../shared/deadline-timer.js'

/** What liveness knows of a connection, and does to it. */
export interface Monitored {
  readonly isBeingRead: boolean
  /** Bytes of a frame that is still coming in; 0 between frames. */
  readonly bytesHeld: number
  /** Bytes that the kernel has taken from the socket since it was opened. */
  readonly bytesSent: number
  /** @returns whether the kernel has taken the ping already; if not, {@link Liveness.pingSent} is called when it does */
  ping (): boolean
  /** No pong came. */
  silent (): void
  /** The closing handshake took too long. */
  cut (): void
  beat (): void
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
const mostInFlight = 8 * 1024 * 1024

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
  readonly #connection: Monitored
  readonly #wheel: DeadlineTimer
  readonly #options: LivenessOptions
  #state: 'quiet' | 'awaiting' | 'checking' | 'closing' = 'quiet'
  #held = 0
  #excused = false
  /** Bytes that the kernel had taken at the last look. */
  #sentBefore = 0
  /** Bytes that the kernel had taken when it took the ping; undefined while the ping waits. */
  #pingAt: number | undefined
  /** Bytes that the client has read for certain: those before the last ping it answered. */
  #confirmed = 0
  /** The client was given time for what is in flight. */
  #extended = false

  constructor (connection: Monitored, wheel: DeadlineTimer, options: LivenessOptions) {
    this.#connection = connection
    this.#wheel = wheel
    this.#options = options
    this.#rest()
  }

  pong (): void {
    if (this.#state !== 'awaiting' && this.#state !== 'checking') return
    this.#confirmed = this.#pingAt ?? this.#confirmed
    this.#pingAt = undefined
    this.#rest()
  }

  /** The kernel has taken a ping that waited behind other bytes: its time begins only now. */
  pingSent (): void {
    if (this.#state !== 'awaiting' && this.#state !== 'checking') return
    this.#pingAt ??= this.#connection.bytesSent
    this.#await()
  }

  /** The socket is being read again: a pong may still be in there. */
  resumed (): void {
    if (this.#state === 'awaiting' || this.#state === 'checking') this.#await()
  }

  closing (): void {
    this.#state = 'closing'
    this.#wheel.schedule(this, this.#options.closeTimeout)
  }

  stop (): void {
    this.#state = 'closing'
    this.#wheel.cancel(this)
  }

  due (late: number): void {
    if (this.#state === 'closing') this.#connection.cut()
    else if (this.#state === 'quiet') this.#ping()
    else this.#overdue(late)
  }

  #rest (): void {
    this.#state = 'quiet'
    const { pingInterval, pongTimeout } = this.#options
    if (pingInterval > 0 && pongTimeout > 0) this.#wheel.schedule(this, pingInterval)
    else this.#wheel.cancel(this)
  }

  #ping (): void {
    this.#excused = false
    this.#state = 'awaiting'
    if (this.#connection.ping()) this.#pingAt ??= this.#connection.bytesSent
    this.#await()
  }

  #await (): void {
    this.#state = 'awaiting'
    this.#extended = false
    this.#held = this.#connection.bytesHeld
    this.#sentBefore = this.#connection.bytesSent
    this.#wheel.schedule(this, this.#options.pongTimeout)
  }

  #overdue (late: number): void {
    const stalled = late > normalLateness && !this.#excused
    if (stalled) this.#excused = true
    if (stalled && this.#connection.isBeingRead) this.#await()
    else if (this.#mayBeSilent()) {
      // After a stall of the event loop the pong may lie unread in the kernel: sockets come first.
      this.#state = 'checking'
      setImmediate(() => { if (this.#state === 'checking' && this.#mayBeSilent()) this.#connection.silent() })
    }
  }

  /** Whether a pong would have been read. If not, the time begins again. */
  #mayBeSilent (): boolean {
    if (!this.#connection.isBeingRead) {
      // No pong can come, but a write finds out when the peer is gone.
      this.#ping()
      return false
    }
    if (this.#frameComesIn() || this.#bytesLeave()) {
      this.#await()
      return false
    }
    return this.#extended || !this.#extend()
  }

  /** Whether some of what waits before the ping has left for the kernel since the last look. */
  #bytesLeave (): boolean {
    return this.#pingAt === undefined && this.#connection.bytesSent !== this.#sentBefore
  }

  /** Gives the client time for what it may not have read yet. @returns whether that is anything */
  #extend (): boolean {
    const unconfirmed = (this.#pingAt ?? this.#connection.bytesSent) - this.#confirmed
    const steps = Math.floor(Math.min(unconfirmed, mostInFlight) / stepBytes)
    if (steps <= 0) return false
    this.#state = 'awaiting'
    this.#extended = true
    this.#wheel.schedule(this, this.#options.pongTimeout * steps * partPerStep)
    return true
  }

  #frameComesIn (): boolean {
    const { bytesHeld } = this.#connection
    return bytesHeld > 0 && bytesHeld !== this.#held
  }
}

/** A heartbeat to the target, every so many milliseconds. */
export class Heartbeat implements Deadline {
  slot: Slot | undefined
  readonly #connection: Monitored
  readonly #wheel: DeadlineTimer
  readonly #interval: number

  constructor (connection: Monitored, wheel: DeadlineTimer, interval: number) {
    this.#connection = connection
    this.#wheel = wheel
    this.#interval = interval
    wheel.schedule(this, interval)
  }

  due (): void {
    this.#wheel.schedule(this, this.#interval)
    this.#connection.beat()
  }

  stop (): void {
    this.#wheel.cancel(this)
  }
}
