import { Ring } from '../shared/ring.js'
import type { Context } from '../shared/context.js'

/** What the scheduler gives turns to. It must not throw. */
export interface Runnable {
  /** Set by the scheduler: it stands in the run queue, once. */
  queued: boolean
  /**
   * One turn: start, or handle some messages.
   * @returns whether code of it goes on when the code that runs now has returned
   */
  turn (): boolean
}

/** Where turns come from; tests put their own. */
export interface TurnSource {
  /** Runs a function when the code that runs now has returned. */
  soon (task: () => void): void
  /** As `soon`, but asked for by a task of these turns. */
  soonFromTask (task: () => void): void
  /** Runs a function after the event loop has looked at sockets and timers. */
  later (task: () => void): void
  /** Milliseconds from any fixed point. */
  now (): number
  /** Which of so many that wait has the next turn; absent: the first. All promises but fairness hold in any order. */
  next? (waiting: number): number
}

const resolved = Promise.resolve()

/** A resolved promise wakes the queue cheaper than `queueMicrotask`. */
function afterThis (task: () => void): unknown {
  return resolved.then(task)
}

/**
 * The event loop's turns. Each task runs in the context of the process system, whoever asks for it.
 * One that asks for its next turn is in that context already, and pays for no switch.
 */
export class EventLoop implements TurnSource {
  readonly #context: Context

  constructor (context: Context) {
    this.#context = context
  }

  soon (task: () => void): void {
    this.#context.start(afterThis, task)
  }

  soonFromTask (task: () => void): void {
    afterThis(task)
  }

  later (task: () => void): void {
    this.#context.start(setImmediate, task)
  }

  now (): number {
    return performance.now()
  }
}

/** Milliseconds of turns after which the event loop breathes, where it has nothing else to do: a breath costs a microsecond. */
const minBudget = 0.1
/** And where it has much to do. */
const maxBudget = 5
/** Turns after which the clock is looked at, where those before were short: together, in milliseconds, below the second. */
const maxTurnsPerClockRead = 8
const shortTurn = 0.01
/** Bodies that may go on at once before the clock is looked at again. */
const maxBodiesPerDrain = 16

/**
 * Whose turn it is. A process with mail stands once in the queue; a turn is a slice of its mail.
 * After a budget of time the event loop breathes, so that HTTP is served under any flood. The budget
 * is as long as the breaths are: then half of the time is for processes, however much comes in, and
 * the writes of a turn of the event loop carry the more the longer they take.
 *
 * A body that loops over its inbox goes on in a microtask, when its turn is over. Those few stand
 * before the next drain, which therefore measures them: together, as one turn.
 */
export class Scheduler {
  /** The longest turn so far, in milliseconds. Short ones are measured together. */
  longestTurn = 0
  readonly #queue = new Ring<Runnable>()
  readonly #turns: TurnSource
  /** It drains the queue, or will when the code that runs now has returned. */
  #awake = false
  /** Since when, at the latest, code has run that is not measured yet; undefined: since the drain that comes. */
  #measuredUntil: number | undefined
  /** A body has taken mail by itself: it goes on after the drain that comes. */
  #bodyContinues = false
  #turnsPerClockRead = 1
  /** Since when it drains without a break. */
  #drainingSince = 0
  #budget = minBudget
  /** The budget is used up: turns go on after a breath. */
  #exhausted = false
  #exhaustedAt = 0
  #lastYieldTime = 0

  constructor (turns: TurnSource) {
    this.#turns = turns
  }

  schedule (runnable: Runnable): void {
    if (runnable.queued) return
    runnable.queued = true
    this.#queue.enqueue(runnable)
    if (this.#awake || this.#exhausted) return
    this.#awake = true
    this.#turns.soon(this.#drain)
  }

  /** Whether somebody waits for a turn; between two of the event loop's, it comes after a breath. */
  get hasPendingTurns (): boolean {
    return this.#queue.length > 0
  }

  /** Whether a body may take mail without asking for a turn. */
  mayContinue (): boolean {
    if (this.#exhausted) return false
    this.#bodyContinues = true
    if (!this.#awake) {
      this.#awake = true
      this.#turns.soon(this.#drain)
    }
    return true
  }

  /** Runs a task once the event loop has looked at sockets and timers. */
  afterYield (task: () => void): void {
    this.#turns.later(task)
  }

  readonly #drain = (): void => {
    if (this.#measuredUntil === undefined) this.#drainingSince = this.#measuredUntil = this.#turns.now()
    else this.#measureTurns(this.#measuredUntil)
    const goesOn = this.#bodyContinues
    this.#bodyContinues = false
    let bodies = 0
    let unmeasured = 0
    while (!this.#exhausted && bodies < maxBodiesPerDrain) {
      const runnable = this.#nextRunnable()
      if (runnable === undefined) break
      runnable.queued = false
      if (runnable.turn()) bodies++
      if (++unmeasured < this.#turnsPerClockRead) continue
      unmeasured = 0
      this.#measureTurns(this.#measuredUntil)
    }
    if (unmeasured > 0) this.#measureTurns(this.#measuredUntil)
    if (bodies > 0 || goesOn || this.#bodyContinues) this.#turns.soonFromTask(this.#drain)
    else {
      this.#awake = false
      this.#measuredUntil = undefined
    }
  }

  #nextRunnable (): Runnable | undefined {
    const { length } = this.#queue
    if (length < 2 || this.#turns.next === undefined) return this.#queue.dequeue()
    return this.#queue.removeAt(this.#turns.next(length))
  }

  #measureTurns (before: number): void {
    const now = this.#turns.now()
    const took = now - before
    if (took > this.longestTurn) this.longestTurn = took
    this.#turnsPerClockRead = took < shortTurn ? Math.min(this.#turnsPerClockRead * 2, maxTurnsPerClockRead) : 1
    this.#measuredUntil = now
    if (this.#exhausted || now - this.#drainingSince < this.#budget) return
    this.#exhausted = true
    this.#exhaustedAt = now
    this.#turns.later(this.#resumeAfterYield)
  }

  readonly #resumeAfterYield = (): void => {
    this.#adaptBudget(this.#turns.now() - this.#exhaustedAt)
    this.#exhausted = false
    if (this.#queue.length === 0 || this.#awake) return
    this.#awake = true
    this.#drain()
  }

  /** The shorter one of two: a pause of the garbage collector is no measure. */
  #adaptBudget (breath: number): void {
    this.#budget = Math.min(Math.max(Math.min(breath, this.#lastYieldTime), minBudget), maxBudget)
    this.#lastYieldTime = breath
  }
}
