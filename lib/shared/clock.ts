import type { Context } from './context.js'

/** The clock of the cluster core. A simulation passes its own. */
export interface Clock {
  /** Milliseconds since 1970. The clock never goes back. */
  now (): number
  after (ms: number, task: () => void): Cancellable
  /** Runs a task after the current code, so that its output is sent in one batch. */
  soon (task: () => void): void
}

/** A scheduled task. */
export interface Cancellable {
  cancel (): void
}

/** The clock of the machine. Its timers do not keep the program running. */
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
 * The clock of the machine, whose tasks run in the context of a process system. One task may
 * publish the messages of many requests, so it must not run in the `AsyncLocalStorage` context of
 * one of them.
 */
export function clockIn (context: Context): Clock {
  return {
    now: systemClock.now,
    after: (ms, task) => context.start(systemClock.after, ms, task),
    soon (task) { context.start(systemClock.soon, task) }
  }
}
