import { errorCodes, show } from '../errors.js'
import { warnOfReturnedAnswer } from './actor/returned-answers.js'
import type { Cancellable, Clock } from '../shared/clock.js'
import type { ExitListener } from './exits/relations.js'
import type { Exit } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

/** Monitors a local or remote process, for a call or an `exited`. */
export interface CallHost {
  monitor (target: Pid, listener: ExitListener): void
  demonitor (target: Pid, listener: ExitListener): void
}

/** An operation that a process waits for. It is abandoned when the process ends. */
export interface PendingOperation {
  abandon (error: unknown): void
}

/** A process that keeps track of its pending operations. */
export interface PendingOwner {
  addPending (operation: PendingOperation): void
  /** Call it when the operation has settled. */
  removePending (operation: PendingOperation): void
}

/** Answers a caller, of this node or another one. Only the first answer counts. */
export interface Answer {
  /** Bytes of client data in the message, if a client calls. */
  readonly bytes?: number
  /** Called once when nobody waits for the answer any more. A callee that keeps it sets this. */
  onSettled?: (() => void) | undefined
  reply (value: unknown): void
  /** The callee refuses: `error` becomes the cause of the caller's `FST_PROCESS_CALL_FAILED`. */
  fail (error: unknown): void
  /** The call was not accepted: the caller gets `error` itself. */
  reject (error: unknown): void
  /** The trace context of the caller, if messages are traced. */
  readonly traceparent?: string | undefined
}

/** The arguments of a call, checked. */
export interface CallTerms {
  readonly to: Pid
  readonly topic: string
  readonly timeout: number
  readonly signal: AbortSignal | undefined
  readonly owner: PendingOwner | undefined
  readonly traceparent: string | undefined
  /** The process of a key, which may fail before it has started. */
  readonly starting: { readonly hasStarted: boolean } | undefined
}

/** @throws `FST_PROCESS_INVALID_OPTIONS` */
export function checkSignal (signal: unknown): asserts signal is AbortSignal | undefined {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    const problem = `'signal' must be an AbortSignal, got '${show(signal)}'`
    throw new errorCodes.FST_PROCESS_INVALID_OPTIONS(problem)
  }
}

interface Settle {
  resolve (value: unknown): void
  reject (error: unknown): void
}

/**
 * One pending call. It settles once: by an answer, by the end of the callee, by its timeout, by
 * its signal, or because the caller ended. Later answers are ignored.
 */
export class PendingCall implements ExitListener, Answer, PendingOperation {
  readonly promise: Promise<unknown>
  #host: CallHost
  #terms: CallTerms
  readonly #timer: Cancellable
  onSettled: (() => void) | undefined
  #settle: Settle | undefined

  constructor (host: CallHost, clock: Clock, terms: CallTerms) {
    this.#host = host
    this.#terms = terms
    this.promise = new Promise((resolve, reject) => { this.#settle = { resolve, reject } })
    this.#timer = clock.after(terms.timeout, () => {
      this.reject(new errorCodes.FST_PROCESS_CALL_TIMEOUT(terms.topic, terms.to, terms.timeout))
      warnOfReturnedAnswer(this)
    })
    terms.signal?.addEventListener('abort', this.#aborted, { once: true })
    host.monitor(terms.to, this)
  }

  get hasSettled (): boolean {
    return this.#settle === undefined
  }

  /** Called when the process that has to answer is found: until then nothing was monitored. */
  aim (host: CallHost, to: Pid, starting: CallTerms['starting']): void {
    this.#host = host
    this.#terms = { ...this.#terms, to, starting }
    host.monitor(to, this)
  }

  get traceparent (): string | undefined {
    return this.#terms.traceparent
  }

  reply (value: unknown): void {
    this.#takeSettle()?.resolve(value)
  }

  /** Wraps the callee's error, so that the caller sees which call it comes from. */
  fail (error: unknown): void {
    this.#rejectFailed(error instanceof Error ? error.message : show(error), error)
  }

  reject (error: unknown): void {
    this.#takeSettle()?.reject(error)
  }

  /** The caller has ended, and its code may be gone: the rejection counts as handled. */
  abandon (error: unknown): void {
    this.promise.catch(() => {})
    this.reject(error)
  }

  targetEnded (exit: Exit): void {
    const { starting, to } = this.#terms
    if (starting?.hasStarted === false) {
      this.reject(exit.error ?? new errorCodes.FST_PROCESS_NOT_ALIVE(to))
    } else this.#rejectFailed(`it ended with reason '${exit.reason}'`, exit.error)
  }

  #rejectFailed (why: string, cause: unknown): void {
    const { topic, to } = this.#terms
    this.reject(new errorCodes.FST_PROCESS_CALL_FAILED(`'${topic}' to '${to}'`, why, { cause }))
  }

  readonly #aborted = (): void => {
    this.reject(this.#terms.signal!.reason)
  }

  /** @returns undefined when the call has settled already */
  #takeSettle (): Settle | undefined {
    const settle = this.#settle
    if (settle === undefined) return undefined
    this.#settle = undefined
    this.#timer.cancel()
    this.#terms.signal?.removeEventListener('abort', this.#aborted)
    this.#host.demonitor(this.#terms.to, this)
    this.#terms.owner?.removePending(this)
    this.onSettled?.()
    return settle
  }
}
