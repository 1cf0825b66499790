import { TurnHistogram } from './stats/turn-histogram.js'
import { Ring } from '../shared/ring.js'
import type { Clock } from '../shared/clock.js'

/** A process or another task that the scheduler gives turns to. It must not throw. */
export interface Runnable {
  /** Set by the scheduler while it is in the run queue. */
  queued: boolean
  /**
   * Runs one turn: starts the body, or handles some messages.
   * @returns whether code of it continues in a microtask
   */
  turn (): boolean
}

/**
 * Test hook: picks the index of the next runnable. The default is the first one. Every guarantee
 * except fairness must hold for any order.
 */
export type TurnOrder = (waiting: number) => number

/** Milliseconds of turns before a yield when the event loop is idle. A yield costs 1 µs. */
const minBudget = 0.1
/** Milliseconds of turns before a yield when the event loop is busy. */
const maxBudget = 5
/**
 * At most this many turns share one clock read, provided the previous batch took less than
 * `shortTurn` milliseconds.
 */
const maxTurnsPerClockRead = 8
const shortTurn = 0.01
/** Bodies that may continue in one microtask run before the clock is read. */
const maxBodiesPerDrain = 16
/** Drains until the scheduler looks whether the event loop goes on between them. */
const drainsPerLook = 64
/** One of so many promises that are settled at once waits for the event loop. */
const maxSettledAtOnce = 256

/**
 * Gives turns to processes that have mail. Each of them is in the run queue once, and a turn
 * handles a limited number of messages.
 *
 * After a time budget the scheduler yields to the event loop, so that HTTP is served under any
 * load. The budget equals the measured time of a yield. Processes therefore get half of the time.
 * In a long loop iteration, one write joins more output.
 *
 * A body that loops over its inbox continues in a microtask after its turn. Those microtasks run
 * before the next drain, which measures them together, as one turn.
 *
 * Two processes that call each other in turn need a drain for each call, and microtasks between
 * them. Each drain is short, and the event loop would never go on. So the scheduler yields when it
 * has not gone on for the longest budget.
 */
export class Scheduler {
  /** The longest turn so far, in milliseconds. Short turns are measured together. */
  longestTurn = 0
  readonly turns = new TurnHistogram()
  readonly #queue = new Ring<Runnable>()
  readonly #clock: Clock
  readonly #contextClock: Clock
  readonly #order: TurnOrder | undefined
  /** The queue is being drained, or a drain is scheduled. */
  #awake = false
  /** The end of the last measurement. Undefined when no drain is running or scheduled. */
  #measuredUntil: number | undefined
  /** A body took mail outside its turn: the next drain must measure it. */
  #bodyContinues = false
  #turnsPerClockRead = 1
  /** Gets the time of the next measurement. */
  #timeListener: ((now: number) => void) | undefined
  /** The time of the first drain since the last yield. */
  #drainingSince = 0
  #budget = minBudget
  /** The budget is used up: turns continue after a yield. */
  #exhausted = false
  #exhaustedAt = 0
  #lastYieldTime = 0
  /** Drains since the event loop has certainly gone on. */
  #drains = 0
  /** Since when the scheduler looks whether it goes on. */
  #looksSince: number | undefined
  #settledAtOnce = 0

  /**
   * @param clock for code that is in the context of the process system already: no switch is needed
   * @param contextClock its tasks run in that context, whoever starts them
   */
  constructor (clock: Clock, contextClock: Clock, order?: TurnOrder) {
    this.#clock = clock
    this.#contextClock = contextClock
    this.#order = order
  }

  schedule (runnable: Runnable): void {
    if (runnable.queued) return
    runnable.queued = true
    this.#queue.enqueue(runnable)
    if (this.#awake || this.#exhausted) return
    this.#awake = true
    this.#contextClock.soon(this.#drain)
  }

  /** Whether a runnable waits for a turn. */
  get hasPendingTurns (): boolean {
    return this.#queue.length > 0
  }

  /** Whether a body may take mail outside its turn. */
  mayContinue (): boolean {
    if (this.#exhausted) return false
    this.#bodyContinues = true
    if (!this.#awake) {
      this.#awake = true
      this.#contextClock.soon(this.#drain)
    }
    return true
  }

  /** Runs a task after the event loop has polled sockets and timers. */
  afterYield (task: () => void): void {
    this.#contextClock.later(task)
  }

  /**
   * Calls the listener once with the time, when the turns that run now are over. There is one
   * listener.
   * @returns false if no turn runs: then it is not called
   */
  awaitTime (listener: (now: number) => void): boolean {
    if (this.#measuredUntil === undefined) return false
    this.#timeListener = listener
    return true
  }

  /**
   * For a promise that was settled when it was made. A body that awaits one such promise after
   * another runs in microtasks only, so some of them settle after a yield.
   */
  pace<T> (settled: Promise<T>): Promise<T> {
    if (++this.#settledAtOnce < maxSettledAtOnce) return settled
    this.#settledAtOnce = 0
    // It is awaited after the yield only.
    settled.catch(() => {})
    return new Promise((resolve) => { this.afterYield(() => { resolve(settled) }) })
  }

  readonly #drain = (): void => {
    if (this.#measuredUntil === undefined) {
      const now = this.#clock.now()
      this.#drainingSince = this.#measuredUntil = now
      if (++this.#drains > drainsPerLook) this.#look(now)
    } else this.#measureTurns(this.#measuredUntil)
    const continues = this.#bodyContinues
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
    if (bodies > 0 || continues || this.#bodyContinues) this.#clock.soon(this.#drain)
    else {
      this.#awake = false
      this.#measuredUntil = undefined
    }
  }

  #nextRunnable (): Runnable | undefined {
    const { length } = this.#queue
    if (length < 2 || this.#order === undefined) return this.#queue.dequeue()
    return this.#queue.removeAt(this.#order(length))
  }

  #measureTurns (before: number): void {
    const now = this.#clock.now()
    const took = now - before
    if (took > this.longestTurn) this.longestTurn = took
    this.turns.record(took)
    this.#turnsPerClockRead = took < shortTurn
      ? Math.min(this.#turnsPerClockRead * 2, maxTurnsPerClockRead)
      : 1
    this.#measuredUntil = now
    if (this.#timeListener !== undefined) this.#timeListener(now)
    this.#timeListener = undefined
    if (now - this.#drainingSince >= this.#budget) this.#yield(now)
  }

  #yield (now: number): void {
    if (this.#exhausted) return
    this.#exhausted = true
    this.#exhaustedAt = now
    this.#contextClock.later(this.#resumeAfterYield)
  }

  #look (now: number): void {
    if (this.#looksSince === undefined) {
      this.#looksSince = now
      this.#contextClock.later(this.#loopGoesOn)
    } else if (now - this.#looksSince >= maxBudget) this.#yield(now)
  }

  readonly #loopGoesOn = (): void => {
    this.#drains = 0
    this.#looksSince = undefined
  }

  readonly #resumeAfterYield = (): void => {
    this.#adaptBudget(this.#clock.now() - this.#exhaustedAt)
    this.#exhausted = false
    if (this.#queue.length === 0 || this.#awake) return
    this.#awake = true
    this.#drain()
  }

  /** Uses the shorter of two yields, because a garbage collection may lengthen one. */
  #adaptBudget (yieldTime: number): void {
    const shorter = Math.min(yieldTime, this.#lastYieldTime)
    this.#budget = Math.min(Math.max(shorter, minBudget), maxBudget)
    this.#lastYieldTime = yieldTime
  }
}
