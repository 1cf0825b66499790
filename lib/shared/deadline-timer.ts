import { Context } from './context.js'
import { longestDelay } from './duration.js'

/** Something that is due once; the wheel keeps its own note in it. */
export interface Deadline {
  slot: Slot | undefined
  /** @param late milliseconds that it is overdue: the event loop was busy */
  due (late: number): void
}

/** All deadlines of one instant share a timer. */
export interface Slot {
  readonly at: number
  readonly waiting: Set<Deadline>
  readonly timer: NodeJS.Timeout
}

/** Milliseconds to which deadlines are rounded up, by how far away they are. */
function roundingStep (delay: number): number {
  return delay < 1000 ? 10 : delay < 10_000 ? 50 : 250
}

/** Node counts whole milliseconds, from one that has begun: a timer may be early by one. */
function delayUntil (at: number, now: number): number {
  return Math.min(Math.ceil(at - now) + 1, longestDelay)
}

/** Milliseconds by which an event loop that is merely busy is late; later, it has stalled. */
export const normalLateness = 50

/** Milliseconds of due work after which the event loop breathes: the answers of those who were pinged come on top. */
const timeBudget = 0.5
/** Deadlines after which the clock is looked at. */
const deadlinesPerClockRead = 16

/**
 * The pings, pong deadlines, heartbeats and closing handshakes of a whole server on a few shared
 * timers. Thousands that are due at once are spread over turns of the event loop: a timer each
 * stalled it for most of a second.
 */
export class DeadlineTimer {
  readonly #slots = new Map<number, Slot>()
  /** Those whose time has come. After a stall it is that of many at once, and they share the budget. */
  readonly #due: Slot[] = []
  /** Deadlines of many requests share a timer: none of them is due in the context of one. */
  readonly #context: Context

  constructor (context = new Context()) {
    this.#context = context
  }

  /** Makes a deadline due after some milliseconds, never earlier; where it waited already it is moved. */
  schedule (deadline: Deadline, delay: number): void {
    this.cancel(deadline)
    const step = roundingStep(delay)
    const now = performance.now()
    const at = Math.ceil((now + delay) / step) * step
    let slot = this.#slots.get(at)
    if (slot === undefined) {
      slot = { at, waiting: new Set(), timer: this.#context.start(setTimeout, () => { this.#slotDue(at) }, delayUntil(at, now)) }
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
    clearTimeout(slot.timer)
    if (this.#slots.get(slot.at) === slot) this.#slots.delete(slot.at)
  }

  /** Timers running, for the tests that count what remains. */
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
      if (this.#due.length > 0) setImmediate(this.#runDue)
    }
  }

  #runDueFor (milliseconds: number): void {
    const started = performance.now()
    let done = 0
    for (let slot = this.#due.at(0); slot !== undefined; slot = this.#due.at(0)) {
      for (const deadline of slot.waiting) {
        slot.waiting.delete(deadline)
        deadline.slot = undefined
        deadline.due(started - slot.at)
        if (++done % deadlinesPerClockRead === 0 && performance.now() - started >= milliseconds) return
      }
      this.#due.shift()
    }
  }
}
