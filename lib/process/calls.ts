import { errorCodes, show } from '../errors.js'
import type { PendingOperation, PendingOwner } from './exits/exit-wait.js'
import type { ExitListener } from './exits/relations.js'
import type { Exit } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

/** What a call needs of the system it was made in. */
export interface CallHost {
  monitor (target: Pid, watcher: ExitListener): void
  demonitor (target: Pid, watcher: ExitListener): void
}

/** The way back to a caller, from wherever the call is answered. Only the first answer counts. */
export interface Answer {
  reply (value: unknown): void
  /** The callee's own refusal: the cause of the caller's `FST_PROCESS_CALL_FAILED`. */
  fail (error: unknown): void
  /** The call was not taken: the caller gets this very error. */
  reject (error: unknown): void
}

/** What a call was made with. */
export interface CallTerms {
  readonly to: Pid
  readonly topic: string
  readonly timeout: number
  readonly signal: AbortSignal | undefined
  readonly owner: PendingOwner | undefined
}

/** @throws `FST_PROCESS_INVALID_OPTIONS` */
export function checkSignal (signal: unknown): asserts signal is AbortSignal | undefined {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new errorCodes.FST_PROCESS_INVALID_OPTIONS(`'signal' must be an AbortSignal, got '${show(signal)}'`)
  }
}

interface Settle {
  resolve (value: unknown): void
  reject (error: unknown): void
}

/**
 * One request under way: settled once, by an answer, the callee's end, the clock, or the caller.
 * Whatever comes later finds nothing left.
 */
export class Call implements ExitListener, Answer, PendingOperation {
  readonly promise: Promise<unknown>
  readonly #host: CallHost
  readonly #terms: CallTerms
  readonly #timer: NodeJS.Timeout
  #settle: Settle | undefined

  constructor (host: CallHost, terms: CallTerms) {
    this.#host = host
    this.#terms = terms
    this.promise = new Promise((resolve, reject) => { this.#settle = { resolve, reject } })
    this.#timer = setTimeout(() => {
      this.reject(new errorCodes.FST_PROCESS_CALL_TIMEOUT(terms.topic, terms.to, terms.timeout))
    }, terms.timeout)
    terms.signal?.addEventListener('abort', this.#aborted, { once: true })
    host.monitor(terms.to, this)
  }

  reply (value: unknown): void {
    this.#takeSettle()?.resolve(value)
  }

  /** The callee's refusal, wrapped: the caller sees where the error comes from. */
  fail (error: unknown): void {
    this.#rejectFailed(error instanceof Error ? error.message : show(error), error)
  }

  reject (error: unknown): void {
    this.#takeSettle()?.reject(error)
  }

  /** The caller ended: its code may be gone, so that nobody might handle the rejection. */
  abandon (error: unknown): void {
    this.promise.catch(() => {})
    this.reject(error)
  }

  targetEnded (exit: Exit): void {
    this.#rejectFailed(`it ended with reason '${exit.reason}'`, exit.error)
  }

  #rejectFailed (why: string, cause: unknown): void {
    const { topic, to } = this.#terms
    this.reject(new errorCodes.FST_PROCESS_CALL_FAILED(`'${topic}' to '${to}'`, why, { cause }))
  }

  readonly #aborted = (): void => {
    this.reject(this.#terms.signal!.reason)
  }

  #takeSettle (): Settle | undefined {
    const settle = this.#settle
    if (settle === undefined) return undefined
    this.#settle = undefined
    clearTimeout(this.#timer)
    this.#terms.signal?.removeEventListener('abort', this.#aborted)
    this.#host.demonitor(this.#terms.to, this)
    this.#terms.owner?.removePending(this)
    return settle
  }
}
