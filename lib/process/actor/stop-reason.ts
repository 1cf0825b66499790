import { errorCodes, toError } from '../../errors.js'
import type { EndOrigin } from '../explain/origin.js'
import type { Pid } from '../../../types/pid.js'

/** Why a process stops, and the error with which its signal aborts and its receives reject. */
export class StopReason {
  readonly reason: string
  /** The error of a handler. The process ends with it, even when the body returns. */
  readonly failure: Error | undefined
  /** Undefined if the process stops by itself. */
  readonly origin: EndOrigin | undefined
  /** Created when it is first needed. */
  #error: Error | undefined

  constructor (reason: string, failure?: Error, origin?: EndOrigin, error?: Error) {
    this.reason = reason
    this.failure = failure
    this.origin = origin
    this.#error = error
  }

  /** A new reason with the same error, because code may have that error already. */
  withReason (reason: string, failure?: Error, origin = this.origin): StopReason {
    return new StopReason(reason, failure, origin, this.#error)
  }

  /** The abort reason of the signal, and the error of rejected receives. */
  errorFor (pid: Pid): Error {
    return (this.#error ??= new errorCodes.FST_PROCESS_STOPPED(pid, this.reason))
  }

  /**
   * Whether a thrown value comes from the stop: our stop error, an error with it as its cause, or
   * an AbortError, as thrown by an API that was given the signal.
   */
  hasCaused (thrown: unknown, pid: Pid): boolean {
    const stopError = this.errorFor(pid)
    if (thrown === stopError) return true
    try {
      const { name, cause } = toError(thrown)
      return name === 'AbortError' || cause === stopError
    } catch {
      // A getter of the thrown object has thrown.
      return false
    }
  }
}
