// Calls in both directions. On the wire a call is `{"topic","data","id"}`, and its answer is
// `{"re","data"}` or `{"re","error":{"code","message"}}`. Each direction numbers by itself.
import { problem, type Environment } from './environment.js'
import { checkNumbers } from './settings.js'

/** The most calls of a client that may wait at once. The server has the same limit. */
const most = 64

/** A JSON object of the server, as far as it has these fields. */
export interface Message {
  readonly topic?: string
  readonly data?: unknown
  /** Of a call. */
  readonly id?: number
  /** Of an answer: the `id` of the call. */
  readonly re?: number
  readonly error?: { readonly code: string, readonly message?: string, readonly path?: string }
}

type Handler = (data: never) => unknown

export interface Calls {
  readonly call: (
    topic: string, data?: unknown, options?: { readonly timeout?: number }
  ) => Promise<unknown>
  /** @returns a function that removes the handler */
  readonly handle: (topic: string, handler: Handler) => () => void
  /**
   * Takes a call of the server, or an answer.
   *
   * @param isHeard whether its topic has a listener. A call that has neither listener nor handler
   *   is refused
   * @returns false: it is a message for listeners, too
   */
  readonly takeCall: (message: Message, isHeard: boolean) => boolean
  /** The session is over, and so are its calls. Those of the server are not answered any more. */
  readonly endCalls: (error: Error) => void
}

/**
 * @param mayRefuse whether the server is the relay: another one may use `id` in its own way
 * @param post sends a text of this session
 * @returns of `post`: the code of the reason why it was not sent
 */
export function createCalls (
  environment: Environment, mayRefuse: () => boolean, post: (text: string) => string | undefined
): Calls {
  const waiting = new Map<number, (error?: Error, data?: unknown) => void>()
  const handlers = new Map<string, Handler>()
  let nextId = 0
  /** Another object for each session. */
  let session = {}

  const answer = (re: number, task: () => unknown): void => {
    const mine = session
    const reply = (content: object): void => {
      if (mine === session) post(JSON.stringify({ re, ...content }))
    }
    const run = async (): Promise<void> => { reply({ data: await task() }) }
    run().catch((failure) => {
      const { code, message } = Object(failure) as Required<Message>['error']
      // The code of a `DOMException` is a number.
      const isMeant = typeof code === 'string'
      const unknown = { code: 'CALL_FAILED', message: 'the call failed' }
      reply({ error: isMeant ? { code, message: `${message}` } : unknown })
      // A mistake of the application, of which the server gets no detail.
      if (!isMeant) throw failure
    })
  }

  return {
    call: (topic, data, { timeout = 10_000 } = {}) => new Promise((resolve, reject) => {
      checkNumbers({ timeout })
      if (waiting.size >= most) throw problem('TOO_MANY_CALLS')
      const id = nextId++
      const code = post(JSON.stringify({ topic, data, id }))
      if (code) throw problem(code)
      const timer = environment.setTimeout(() => { settle(problem('TIMEOUT')) }, timeout)
      const settle = (error?: Error, data?: unknown): void => {
        waiting.delete(id)
        environment.clearTimeout(timer)
        error ? reject(error) : resolve(data)
      }
      waiting.set(id, settle)
    }),
    handle (topic, handler) {
      handlers.set(topic, handler)
      return () => { handlers.delete(topic) }
    },
    takeCall ({ topic, data, id, re, error }, isHeard) {
      // A number that was never given is not ours. Otherwise the answer may be late.
      if (re! < nextId && !topic) {
        waiting.get(re!)?.(error && Object.assign(problem(error.code), error), data)
        return true
      }
      if (!topic || typeof id !== 'number') return false
      const handler = handlers.get(topic)
      if (handler) answer(id, () => handler(data as never))
      else if (!isHeard && mayRefuse()) answer(id, () => { throw problem('UNKNOWN_TOPIC') })
      return !!handler
    },
    endCalls (error) {
      session = {}
      waiting.forEach((settle) => { settle(error) })
    }
  }
}
