import { errorCodes, show } from '../../errors.js'
import type { Mail } from '../message.js'

/** A handler of `serve`, whatever its topic. */
type Handler = (payload: unknown, message: Mail) => unknown
export type Handlers = Readonly<Record<string, Handler | undefined>>
export type FallbackHandler = ((message: Mail) => unknown) | undefined

/** What `handle` returns where nothing handles the topic. */
export const unhandled = Symbol('unhandled')

/**
 * A running `serve`: the inbox as handlers. Most processes sleep in one, so it holds one way to
 * settle its promise, and what only a failure needs is made when it fails.
 */
export class Service {
  /** Settles when the service is over. */
  readonly finished: Promise<void>
  /** A handler runs, or its promise is pending. */
  busy = false
  /** The body has returned `over`: when this is over, so is the process. */
  isWholeBody = false
  readonly #handlers: Handlers
  readonly #otherwise: FallbackHandler
  #resolve!: (over?: Promise<void>) => void

  /** @throws `FST_PROCESS_INVALID_SPEC` */
  constructor (handlers: Handlers, otherwise: FallbackHandler) {
    check(typeof handlers === 'object' && handlers !== null, 'an object of handlers', handlers)
    check(otherwise === undefined || typeof otherwise === 'function', 'a function as the second argument', otherwise)
    for (const [topic, handler] of Object.entries(handlers)) {
      check(handler === undefined || typeof handler === 'function', `a function as the handler of '${show(topic)}'`, handler)
    }
    this.#handlers = handlers
    this.#otherwise = otherwise
    this.finished = new Promise((resolve) => { this.#resolve = resolve })
  }

  /** What the handler returns; what it throws is the caller's to judge. */
  handleMail (mail: Mail): unknown {
    const handler = this.#handlers[mail.topic]
    // Own properties only: a topic named `toString` must not find Object's.
    if (handler !== undefined && Object.hasOwn(this.#handlers, mail.topic)) return handler(mail.payload, mail)
    return this.#otherwise === undefined ? unhandled : this.#otherwise(mail)
  }

  finish (): void {
    this.#resolve()
  }

  fail (thrown: unknown): void {
    // A body that does not await it must not take the application down with it.
    this.finished.catch(ignore)
    this.#resolve(Promise.reject(thrown))
  }
}

function ignore (): void {}

function check (valid: boolean, expected: string, value: unknown): void {
  if (!valid) throw new errorCodes.FST_PROCESS_INVALID_SPEC(`expected ${expected}, got '${show(value)}'`)
}
