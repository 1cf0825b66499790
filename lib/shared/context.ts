import { AsyncResource } from 'node:async_hooks'

const type = 'WsRelayProcesses'

/** Called in the context of a system only: its stores are copied from there. */
function copy (): AsyncResource {
  return new AsyncResource(type)
}

/**
 * The `AsyncLocalStorage` context in which a process system was made. All code of processes runs in
 * it, whoever spawned the process, sent the message or woke the scheduler.
 *
 * A promise continuation runs in the context of its `await`, and a timer in that of its start. So a
 * body that was started in this context stays in it, and a turn of the scheduler costs one switch.
 */
export class Context {
  readonly #home = new AsyncResource(type)

  /**
   * Starts something whose callback runs in this context: a timer, an immediate, a promise reaction.
   *
   * @param start code of this package. On Node 20 a store that a user's code enters here
   * (`enterWith`) would stay for ever.
   */
  start<A extends unknown[], R> (start: (...args: A) => R, ...args: A): R {
    return this.#home.runInAsyncScope(start, undefined, ...args)
  }

  /** Runs code of a user at once. A store that it enters is left when it returns. */
  run (task: () => void): void {
    this.#home.runInAsyncScope(copy).runInAsyncScope(task)
  }
}
