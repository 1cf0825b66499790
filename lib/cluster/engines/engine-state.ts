import { errorCodes } from '../../errors.js'
import type { TransportEvents } from '../../../types/cluster.js'

const { FST_CLUSTER_UNAVAILABLE } = errorCodes

/** Whether an engine can be reached: what all transports say and refuse alike. */
export class EngineState {
  readonly #name: string
  #events: TransportEvents | undefined
  #closed = false
  #up = false
  #opening: { resolve: () => void, reject: (error: Error) => void } | undefined

  /** @param name the engine's, for errors */
  constructor (name: string) {
    this.#name = name
  }

  get up (): boolean {
    return this.#up
  }

  get closed (): boolean {
    return this.#closed
  }

  /** Starts connecting. Settles with the first `set(true)`, `fail` or `close`. */
  async open (events: TransportEvents, connect: () => void): Promise<void> {
    if (this.#events || this.#closed) throw this.unavailableError('it can be opened only once')
    this.#events = events
    await new Promise<void>((resolve, reject) => {
      this.#opening = { resolve, reject }
      connect()
    })
  }

  /** Tells the owner of a change. */
  setUp (up: boolean): void {
    if (this.#closed || up === this.#up) return
    this.#up = up
    this.#events?.state(up)
    if (up) this.#opening?.resolve()
  }

  /** The engine cannot be opened at all. */
  failOpening (error: Error): void {
    this.#opening?.reject(error)
  }

  /** @param failure why it could not be reached until now */
  close (failure?: unknown): void {
    this.#up = false
    this.#closed = true
    this.#opening?.reject(this.unavailableError('it was closed before it could be reached', failure))
  }

  /** @throws `FST_CLUSTER_UNAVAILABLE` while the engine is out of reach */
  assertUp (): void {
    if (!this.#up) throw this.unavailableError('it is not connected')
  }

  unavailableError (why: string, cause?: unknown): Error {
    return new FST_CLUSTER_UNAVAILABLE(`the engine '${this.#name}': ${why}`, ...cause === undefined ? [] : [{ cause }])
  }
}
