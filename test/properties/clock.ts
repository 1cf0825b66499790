import type { Clock, ClockTimer } from '../../lib/shared/clock.js'

/** A pending timer of the manual clock. */
class ManualTimer implements ClockTimer {
  readonly at: number
  readonly task: () => void
  readonly #timers: Set<ManualTimer>

  constructor (timers: Set<ManualTimer>, at: number, task: () => void) {
    this.#timers = timers
    this.at = at
    this.task = task
    timers.add(this)
  }

  unref (): this { return this }
  cancel (): void { this.#timers.delete(this) }
}

/** A clock that only a test moves, and whose tasks run only when the test says so. */
export class ManualClock implements Clock {
  /** Milliseconds. */
  time = 1000
  /** Milliseconds from 1970 to the zero of `time`. */
  date = 1_700_000_000_000
  /** The pending tasks of `soon`. */
  tasks: Array<() => void> = []
  /** The pending tasks of `later`. */
  laterTasks: Array<() => void> = []
  /** The index of the next runnable; 0 is the one that has waited longest. */
  choice = 0
  readonly #timers = new Set<ManualTimer>()

  now = (): number => this.time

  /** The time of day, which only a test sets. */
  systemTime = (): number => this.date + this.time

  after = (ms: number, task: () => void): ClockTimer => {
    return new ManualTimer(this.#timers, this.time + Math.max(1, ms), task)
  }

  soon = (task: () => void): void => { this.tasks.push(task) }
  later = (task: () => void): void => { this.laterTasks.push(task) }

  /** The `turnOrder` of a runtime. */
  order = (waiting: number): number => this.choice % waiting

  /** The number of timers that have neither run nor been cancelled. */
  get runningTimers (): number {
    return this.#timers.size
  }

  /** Whether a task of `soon` or `later` waits. */
  get busy (): boolean {
    return this.tasks.length + this.laterTasks.length > 0
  }

  /** Runs all tasks of `soon`, and those that they add. */
  run (): void {
    for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) task()
  }

  /** Runs the tasks of `later` that are pending now. */
  yieldOnce (): void {
    for (const task of this.laterTasks.splice(0)) task()
  }

  /** Advances the time, and runs due timers in the order of their times. */
  advance (ms: number): void {
    const end = this.time + ms
    for (let next = this.#due(end); next !== undefined; next = this.#due(end)) {
      this.time = Math.max(this.time, next.at)
      next.cancel()
      next.task()
    }
    this.time = end
  }

  #due (end: number): ManualTimer | undefined {
    let first: ManualTimer | undefined
    for (const timer of this.#timers) {
      if (timer.at <= end && (first === undefined || timer.at < first.at)) first = timer
    }
    return first
  }
}

/** Waits for all microtasks and ticks, without an iteration of the event loop. */
export async function ticks (): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise<void>((resolve) => { process.nextTick(resolve) })
}
