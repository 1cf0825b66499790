import type { Deadline, DeadlineTimer, Slot } from '../shared/deadline-timer.js'

/** The connection, as far as its heartbeat deals with it. */
export interface HeartbeatClient {
  sendHeartbeat (): void
}

/** Sends a heartbeat to the target of a connection at an interval in milliseconds. */
export class Heartbeat implements Deadline {
  slot: Slot | undefined
  readonly #connection: HeartbeatClient
  readonly #deadlines: DeadlineTimer
  readonly #interval: number

  constructor (connection: HeartbeatClient, deadlines: DeadlineTimer, interval: number) {
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
