import { longestDelay } from './duration.js'
import type { Clock, ClockTimer } from './clock.js'

/** A task with a deadline. `slot` belongs to the timer that it is scheduled on. */
export interface Deadline {
  slot: Slot | undefined
  /** @param late milliseconds by which it is overdue because the event loop was busy */
  due (late: number): void
}

/** All deadlines at one rounded instant. They share a timer. */
export interface Slot {
  readonly at: number
  readonly waiting: Set<Deadline>
  readonly timer: ClockTimer
}

/** Deadlines are rounded up to a multiple of these milliseconds. */
function roundingStep (delay: number): number {
  return delay < 1000 ? 10 : delay < 10_000 ? 50 : 250
}

/** A timer of Node may be early by 1 ms, because Node rounds the current time down. */
function delayUntil (at: number, now: number): number {
  return Math.min(Math.ceil(at - now) + 1, longestDelay)
}

/** Milliseconds by which a busy event loop is late. A longer lateness means that it stalled. */
export const normalLateness = 50

/** Milliseconds per loop iteration for due deadlines. The pongs of their pings are not included. */
const timeBudget = 0.5
const deadlinesPerClockRead = 16

/**
 * Runs the pings, pong deadlines, heartbeats and closing handshakes of a whole server on a few
 * shared timers. Thousands of deadlines that are due at once are spread over several iterations of
 * the event loop: with a timer for each of them, it stalled for most of a second.
 */
export class DeadlineTimer {
  readonly #slots = new Map<number, Slot>()
  /** Slots that are due. After a stall there may be many, and they share the time budget. */
  readonly #due: Slot[] = []
  readonly clock: Clock
  readonly #keepsAlive: boolean

  /**
   * @param clock one whose tasks run in the context of the process system: a timer serves many
   * requests, so it must not run in the async context of one of them
   * @param keepsAlive whether its timers keep the program running
   */
  constructor (clock: Clock, keepsAlive = true) {
    this.clock = clock
    this.#keepsAlive = keepsAlive
  }

  /** Schedules a deadline, or moves it. It is never due before `delay` milliseconds have passed. */
  schedule (deadline: Deadline, delay: number): void {
    this.cancel(deadline)
    const step = roundingStep(delay)
    const now = this.clock.now()
    const at = Math.ceil((now + delay) / step) * step
    let slot = this.#slots.get(at)
    if (slot === undefined) {
      const onDue = (): void => { this.#slotDue(at) }
      const timer = this.clock.after(delayUntil(at, now), onDue)
      if (!this.#keepsAlive) timer.unref()
      slot = { at, waiting: new Set(), timer }
      this.#slots.set(at, slot)
    }
    slot.waiting.add(deadline)
    deadline.slot = slot
  }

  cancel (deadline: Deadline): void {
    const { slot } = deadline
    if (slot === undefined) return
    deadline.slot = undefined
    slot.waiting.delete(deadline)
    if (slot.waiting.size > 0) return
    slot.timer.cancel()
    if (this.#slots.get(slot.at) === slot) this.#slots.delete(slot.at)
  }

  /** The number of running timers, for tests that look for leaks. */
  get size (): number {
    return this.#slots.size
  }

  #slotDue (at: number): void {
    const slot = this.#slots.get(at)!
    this.#slots.delete(at)
    if (this.#due.push(slot) === 1) this.#runDue()
  }

  readonly #runDue = (): void => {
    try {
      this.#runDueFor(timeBudget)
    } finally {
      if (this.#due.length > 0) this.clock.later(this.#runDue)
    }
  }

  #runDueFor (milliseconds: number): void {
    const started = this.clock.now()
    let done = 0
    for (let slot = this.#due.at(0); slot !== undefined; slot = this.#due.at(0)) {
      for (const deadline of slot.waiting) {
        slot.waiting.delete(deadline)
        deadline.slot = undefined
        deadline.due(started - slot.at)
        if (++done % deadlinesPerClockRead > 0) continue
        if (this.clock.now() - started >= milliseconds) return
      }
      this.#due.shift()
    }
  }
}
