import { errorCodes } from '../../errors.js'
import type { Target } from '../entity.js'
import type { KeyAnswer, KeyStart } from '../remote/key-directory.js'
import type { KeyRefusal } from './key-error.js'
import type { Pid } from '../../../types/pid.js'

/** Waits for a start. One of the methods is called, once. */
export interface StartWaiter {
  /** @param process a process of this node is a target */
  started (process: Target | RemoteInstance): void
  /**
   * @param error of the body, if it threw one, or why no process could be found
   * @param problem why nothing was tried, where nothing has failed
   */
  startFailed (error: Error | undefined, problem?: KeyRefusal): void
}

/** The process of a key on another node, as far as this node knows: it may have ended meanwhile. */
export class RemoteInstance {
  readonly pid: Pid
  readonly hasStarted = true

  constructor (pid: Pid) {
    this.pid = pid
  }

  whenStarted (waiter: StartWaiter): void {
    waiter.started(this)
  }
}

/** Answers another node that has asked for a start. */
export class StartAnswer implements StartWaiter {
  readonly #asker: KeyAnswer
  readonly #address: string

  constructor (asker: KeyAnswer, address: string) {
    this.#asker = asker
    this.#address = address
  }

  started ({ pid }: { readonly pid: Pid }): void {
    this.#asker.reply({ pid } satisfies KeyStart)
  }

  startFailed (error: Error | undefined, problem?: KeyRefusal): void {
    if (problem !== undefined) this.#asker.reply({ problem } satisfies KeyStart)
    else this.#asker.reject(error ?? new errorCodes.FST_PROCESS_NOT_ALIVE(this.#address))
  }
}
