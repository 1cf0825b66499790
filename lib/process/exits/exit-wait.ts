import type { CallHost } from '../calls.js'
import type { ExitListener } from './relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** Something that a process waits for: given up when the process ends. */
export interface PendingOperation {
  abandon (error: unknown): void
}

/** A process that remembers what it waits for. */
export interface PendingOwner {
  addPending (pending: PendingOperation): void
  /** Call when it is over. */
  removePending (pending: PendingOperation): void
}

/** One `exited`: settles once, with the end of the target, the abort of a signal, or the end of the process that waits. */
export class ExitWait implements ExitListener, PendingOperation {
  readonly promise: Promise<Exit>
  readonly #host: CallHost
  readonly #target: Pid
  readonly #signal: AbortSignal | undefined
  readonly #owner: PendingOwner | undefined
  #resolve!: (exit: Exit) => void
  #reject!: (error: unknown) => void

  constructor (host: CallHost, target: Pid, signal: AbortSignal | undefined, owner: PendingOwner | undefined) {
    this.#host = host
    this.#target = target
    this.#signal = signal
    this.#owner = owner
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    owner?.addPending(this)
    signal?.addEventListener('abort', this.#aborted, { once: true })
    host.monitor(target, this)
  }

  targetEnded (exit: Exit): void {
    this.#release()
    this.#resolve(exit)
  }

  /** The process that waits has ended: its code may be gone, so that nobody might handle the rejection. */
  abandon (error: unknown): void {
    this.promise.catch(() => {})
    this.#giveUp(error)
  }

  readonly #aborted = (): void => {
    this.#giveUp(this.#signal!.reason)
  }

  #giveUp (error: unknown): void {
    this.#release()
    this.#host.demonitor(this.#target, this)
    this.#reject(error)
  }

  #release (): void {
    this.#signal?.removeEventListener('abort', this.#aborted)
    this.#owner?.removePending(this)
  }
}
