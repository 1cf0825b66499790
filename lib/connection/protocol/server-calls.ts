import type { Answer } from '../../process/calls.js'
import type { DataCheck } from './definition.js'

/** A call to a client that waits for its answer. */
export interface ServerCall {
  readonly topic: string
  /** Checks the answer. */
  readonly check: DataCheck
  readonly call: Answer
}

/** The calls of processes to one client. One that settles in another way is forgotten at once. */
export class ServerCalls {
  readonly #waiting = new Map<number, ServerCall>()
  #lastId = 0

  get nextId (): number {
    return this.#lastId + 1
  }

  /** Called when a call was sent, with {@link nextId}. */
  add (waiting: ServerCall): void {
    const id = ++this.#lastId
    this.#waiting.set(id, waiting)
    waiting.call.onSettled = () => { this.#waiting.delete(id) }
  }

  /** The call that an answer names; undefined if none waits for it. Its answer settles it. */
  find (id: number): ServerCall | undefined {
    return this.#waiting.get(id)
  }

  /** The connection has ended: the callers learn it from their monitors. */
  end (): void {
    this.#waiting.clear()
  }
}
