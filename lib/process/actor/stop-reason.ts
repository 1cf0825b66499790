import { errorCodes, toError } from '../../errors.js'
import type { Pid } from '../../../types/pid.js'

/** Why a process stops: the reason of its signal, and what its code is told with. */
export class StopReason {
  readonly reason: string
  /** What a handler threw: it ends the process, whatever the body makes of it. */
  readonly failure: Error | undefined
  /** Made when it is asked for. */
  #error: Error | undefined

  constructor (reason: string, failure?: Error, error?: Error) {
    this.reason = reason
    this.failure = failure
    this.#error = error
  }

  /** Another reason, for code that may have been told already. */
  withReason (reason: string, failure?: Error): StopReason {
    return new StopReason(reason, failure, this.#error)
  }

  /** What a `receive` rejects with, and the reason of the signal. */
  errorFor (pid: Pid): Error {
    return (this.#error ??= new errorCodes.FST_PROCESS_STOPPED(pid, this.reason))
  }

  /** Whether what code threw is how it was told to stop: by `stop` or `receive`, or by what was given the signal. */
  hasCaused (thrown: unknown, pid: Pid): boolean {
    const stopError = this.errorFor(pid)
    if (thrown === stopError) return true
    try {
      const { name, cause } = toError(thrown)
      return name === 'AbortError' || cause === stopError
    } catch {
      // A getter of its own has thrown.
      return false
    }
  }
}
