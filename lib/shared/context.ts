import { AsyncResource } from 'node:async_hooks'

const type = 'WsRelayProcesses'

/** Call it in the context of a process system only: it copies the stores of that context. */
function copy (): AsyncResource {
  return new AsyncResource(type)
}

/**
 * The `AsyncLocalStorage` context in which a process system was created. All code of processes runs
 * in it, and never in the context of the request that spawned a process or sent a message.
 *
 * A promise continuation runs in the context of its `await`, and a timer in the context in which
 * it was started. A body that was started in this context therefore stays in it. The scheduler
 * switches the context once per drain, not once per process.
 */
export class Context {
  readonly #home = new AsyncResource(type)

  /**
   * Starts a timer, an immediate or a promise reaction, whose callback then runs in this context.
   *
   * @param start code of this package, never of a user: on Node 20 a store that is entered in it
   * with `enterWith` would stay for ever
   */
  start<A extends unknown[], R> (start: (...args: A) => R, ...args: A): R {
    return this.#home.runInAsyncScope(start, undefined, ...args)
  }

  /** Runs code of a user now. A store that it enters with `enterWith` is left when it returns. */
  run (task: () => void): void {
    this.#home.runInAsyncScope(copy).runInAsyncScope(task)
  }
}
