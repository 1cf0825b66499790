import { errorCodes, show } from '../../errors.js'
import { isRelayTopic } from '../message.js'
import type { Mail } from '../message.js'
import type { Mistakes, NamedProcess } from './mistakes.js'

/** A handler of `serve`, for any topic. */
type Handler = (payload: unknown, message: Mail) => unknown
export type HandlerTable = Readonly<Record<string, Handler | undefined>>
/** Handles the topics that have no handler. */
export type FallbackHandler = ((message: Mail) => unknown) | undefined

/** Returned by `handleMail` for a topic without a handler. */
export const unhandled = Symbol('unhandled')

/**
 * A running `serve`. Most processes sleep in one: it keeps `resolve` only, and creates a rejected
 * promise when a handler fails.
 */
export class Service {
  /** The promise that `serve` returned. */
  readonly finished: Promise<void>
  /** A handler runs, or its promise is pending. */
  busy = false
  /** The body returned `finished`: the process ends with the service. */
  isWholeBody = false
  readonly #handlers: HandlerTable
  readonly #fallback: FallbackHandler
  #resolve!: (finished?: Promise<void>) => void

  /** @throws `FST_PROCESS_INVALID_SPEC` */
  constructor (
    handlers: HandlerTable, fallback: FallbackHandler, owner: NamedProcess, mistakes: Mistakes
  ) {
    const isObject = typeof handlers === 'object' && handlers !== null
    check(isObject, 'an object of handlers', handlers)
    check(isFunctionOrAbsent(fallback), 'a function as the second argument', fallback)
    for (const [topic, handler] of Object.entries(handlers)) {
      const valid = isFunctionOrAbsent(handler)
      check(valid, `a function as the handler of '${show(topic)}'`, handler)
      if (topic.startsWith('ws.') && !isRelayTopic(topic)) mistakes.unknownHandler(owner, topic)
    }
    this.#handlers = handlers
    this.#fallback = fallback
    this.finished = new Promise((resolve) => { this.#resolve = resolve })
  }

  /** Calls the handler. @returns its result. @throws the error of the handler */
  handleMail (mail: Mail): unknown {
    const handler = this.#handlers[mail.topic]
    // Own properties only: a topic named `toString` must not find Object's.
    if (handler !== undefined && Object.hasOwn(this.#handlers, mail.topic)) {
      return handler(mail.payload, mail)
    }
    return this.#fallback === undefined ? unhandled : this.#fallback(mail)
  }

  finish (): void {
    this.#resolve()
  }

  fail (thrown: unknown): void {
    // Without this, a body that does not await `serve` would cause an unhandled rejection.
    this.finished.catch(ignore)
    this.#resolve(Promise.reject(thrown))
  }
}

function ignore (): void {}

function isFunctionOrAbsent (value: unknown): boolean {
  return value === undefined || typeof value === 'function'
}

function check (valid: boolean, expected: string, value: unknown): void {
  if (valid) return
  throw new errorCodes.FST_PROCESS_INVALID_SPEC(`expected ${expected}, got '${show(value)}'`)
}

/** A result with a `then` method as a promise, as `await` would treat it. Undefined for others. */
export function asPromise (result: unknown): Promise<unknown> | undefined {
  if (typeof result !== 'object' || result === null) return undefined
  if (result instanceof Promise) return result
  const { then } = result as { then?: unknown }
  return typeof then === 'function' ? Promise.resolve(result) : undefined
}
