import type { Deadline, Slot, Wheel } from './wheel.js'

/** What liveness knows of a connection, and does to it. */
export interface Monitored {
  readonly isBeingRead: boolean
  /** Bytes of a frame that is still coming in; 0 between frames. */
  readonly bytesHeld: number
  ping (): void
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

/** Milliseconds by which an event loop that is merely busy is late. */
const usuallyLate = 50

/**
 * Whether a client is still there (RFC 6455 section 5.5.2), and whether it closes in time. A ping
 * is answered within the pong timeout, but none is awaited while its socket is not being read, and
 * the time begins again while a long frame comes in, for a client cannot answer in the middle of it,
 * and once after the event loop has stalled: a client of the same thread had no time to answer.
 */
export class Liveness implements Deadline {
  slot: Slot | undefined
  readonly #connection: Monitored
  readonly #wheel: Wheel
  readonly #options: LivenessOptions
  #state: 'quiet' | 'awaiting' | 'checking' | 'closing' = 'quiet'
  #held = 0
  #excused = false

  constructor (connection: Monitored, wheel: Wheel, options: LivenessOptions) {
    this.#connection = connection
    this.#wheel = wheel
    this.#options = options
    this.#rest()
  }

  pong (): void {
    if (this.#state === 'awaiting' || this.#state === 'checking') this.#rest()
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
    this.#connection.ping()
    this.#await()
  }

  #await (): void {
    this.#state = 'awaiting'
    this.#held = this.#connection.bytesHeld
    this.#wheel.schedule(this, this.#options.pongTimeout)
  }

  #overdue (late: number): void {
    const stalled = late > usuallyLate && !this.#excused
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
    if (!this.#frameComesIn()) return true
    this.#await()
    return false
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
  readonly #wheel: Wheel
  readonly #interval: number

  constructor (connection: Monitored, wheel: Wheel, interval: number) {
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
