import { problem } from './environment.js'
import { parseJson, sizeOf } from './wire.js'
import type { Message } from './calls.js'

type Listener = (detail: never) => void
type Data = string | ArrayBuffer

/** A topic is never one of the client's own events. */
const own = ['message', 'state', 'reset', 'invalid']

/** Calls a function of the application. Its error is uncaught, and disturbs nothing of ours. */
export function guard<T> (task: () => T): T | undefined {
  try {
    return task()
  } catch (error) {
    queueMicrotask(() => { throw error })
    return undefined
  }
}

export interface Events {
  /** @returns a function that removes the listener */
  readonly on: (event: string, listener: Listener) => () => void
  readonly emit: (event: string, detail: unknown) => void
  /** A message of the server: the event of its topic, or `message`. */
  readonly deliver: (message: Data) => void
  /**
   * The messages from the first `next` on.
   *
   * @param most the largest number of bytes that may wait
   * @param isClosed tells whether no more messages will come
   */
  readonly messages: (most: number, isClosed: () => boolean) => AsyncGenerator<Data, void, void>
}

/**
 * @param takeCall gets each JSON object of the server, and whether its topic has a listener
 * @returns of `takeCall`: true: no event follows
 */
export function createEvents (
  takeCall: (message: Message, isHeard: boolean) => boolean
): Events {
  const all = new Map<string, Set<Listener>>()

  const on: Events['on'] = (event, listener) => {
    const listeners = all.get(event) ?? new Set()
    all.set(event, listeners.add(listener))
    return () => { listeners.delete(listener) }
  }

  const emit: Events['emit'] = (event, detail) => {
    for (const listener of [...all.get(event) ?? []]) guard(() => { listener(detail as never) })
  }

  return {
    on,
    emit,
    deliver (message) {
      const parsed = parseJson<Message>(message) ?? {}
      const { topic = '', data } = parsed
      const isHeard = !own.includes(topic) && !!all.get(topic)?.size
      if (takeCall(parsed, isHeard)) return
      if (isHeard) emit(topic, data)
      else emit('message', message)
    },
    async * messages (most, isClosed) {
      const waiting: Data[] = []
      let bytes = 0
      let wake!: () => void
      const removers = [
        on('message', (data: Data) => {
          bytes += sizeOf(data)
          // Above the limit nothing is kept, and the loop ends with an error.
          if (bytes <= most) waiting.push(data)
          wake()
        }),
        on('state', () => { wake() })
      ]
      try {
        for (;;) {
          if (bytes > most) throw problem('TOO_SLOW')
          const data = waiting.shift()
          if (data !== undefined) {
            bytes -= sizeOf(data)
            yield data
          } else if (isClosed()) return
          else await new Promise<void>((resolve) => { wake = resolve })
        }
      } finally {
        for (const remove of removers) remove()
      }
    }
  }
}
