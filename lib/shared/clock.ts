import type { Context } from './context.js'

/** Time, as the cluster core sees it: a simulation hands in its own. */
export interface Clock {
  /** Milliseconds since 1970 by a clock that never goes back. */
  now (): number
  after (ms: number, task: () => void): Cancellable
  /** Runs a task when what runs now is done: what it leaves is sent in one batch. */
  soon (task: () => void): void
}

/** A task that has not run yet. */
export interface Cancellable {
  cancel (): void
}

/** The clock of the machine. Its timers do not keep a program running. */
export const systemClock: Clock = {
  // Not Date.now: a lease must not live longer because somebody set the clock back.
  now: () => performance.timeOrigin + performance.now(),
  after (ms, task) {
    const timer = setTimeout(task, ms).unref()
    return { cancel () { clearTimeout(timer) } }
  },
  soon (task) { setImmediate(task) }
}

/**
 * The clock of the machine, with its tasks in the context of a process system: what many requests
 * have sent is published together, and in none of their `AsyncLocalStorage` contexts.
 */
export function clockIn (context: Context): Clock {
  return {
    now: systemClock.now,
    after: (ms, task) => context.start(systemClock.after, ms, task),
    soon (task) { context.start(systemClock.soon, task) }
  }
}
