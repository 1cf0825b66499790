import type { Context } from './context.js'

/**
 * Time, and the ways to wait. Everything in a process system that waits uses the clock of its
 * runtime, so that a test can play time by itself.
 */
export interface Clock {
  /** Milliseconds since a fixed point. The clock never goes back. */
  now (): number
  /** Milliseconds since 1970. It jumps when somebody sets the clock of the machine. */
  systemTime (): number
  /** Runs a task once, after a delay in milliseconds. */
  after (ms: number, task: () => void): ClockTimer
  /** Runs a task in a microtask, after the current code. */
  soon (task: () => void): void
  /** Runs a task after the event loop has polled sockets and timers. */
  later (task: () => void): void
}

/** A task that has not run yet. */
export interface Cancellable {
  /** Does nothing when the task has run, or was cancelled. */
  cancel (): void
}

/** A running timer of a clock. */
export interface ClockTimer extends Cancellable {
  /** Call it for a timer that must not keep the program running. */
  unref (): this
}

class NodeTimer implements ClockTimer {
  readonly #timeout: NodeJS.Timeout

  constructor (timeout: NodeJS.Timeout) {
    this.#timeout = timeout
  }

  cancel (): void {
    clearTimeout(this.#timeout)
  }

  unref (): this {
    this.#timeout.unref()
    return this
  }
}

const resolved = Promise.resolve()

/** Node's own time. A task runs in the `AsyncLocalStorage` context of the code that starts it. */
export const nodeClock: Clock = {
  // Not Date.now: a lease must not live longer because somebody set the clock back.
  now: () => performance.now(),
  systemTime: () => Date.now(),
  after: (ms, task) => new NodeTimer(setTimeout(task, ms)),
  // A reaction of a resolved promise is cheaper than `queueMicrotask`. The task must not throw.
  soon: (task) => resolved.then(task),
  later (task) { setImmediate(task) }
}

function startTimer (clock: Clock, ms: number, task: () => void): ClockTimer {
  return clock.after(ms, task)
}

function startSoon (clock: Clock, task: () => void): void {
  clock.soon(task)
}

function startLater (clock: Clock, task: () => void): void {
  clock.later(task)
}

/**
 * A clock whose tasks run in the context of a process system. One task may serve many requests, so
 * it must not run in the `AsyncLocalStorage` context of one of them.
 */
export class ContextClock implements Clock {
  readonly #clock: Clock
  readonly #context: Context

  constructor (clock: Clock, context: Context) {
    this.#clock = clock
    this.#context = context
  }

  now (): number {
    return this.#clock.now()
  }

  systemTime (): number {
    return this.#clock.systemTime()
  }

  after (ms: number, task: () => void): ClockTimer {
    return this.#context.start(startTimer, this.#clock, ms, task)
  }

  soon (task: () => void): void {
    this.#context.start(startSoon, this.#clock, task)
  }

  later (task: () => void): void {
    this.#context.start(startLater, this.#clock, task)
  }
}
