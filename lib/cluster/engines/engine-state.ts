import { errorCodes } from '../../errors.js'
import { nodeClock } from '../../shared/clock.js'
import type { Clock } from '../../shared/clock.js'
import type { TransportEvents } from '../../../types/cluster.js'

const { FST_CLUSTER_UNAVAILABLE } = errorCodes

/**
 * The events of a transport, with the clock of its node. The user makes an engine before its node
 * has a runtime, so the clock comes with `open`: before that, no transport waits. It is not in the
 * public interface, because a transport of a user may have its own timers.
 */
export interface EngineEvents extends TransportEvents {
  /** @defaultValue Node's own time, for a transport that is opened without a node */
  readonly clock?: Clock
}

/** Whether an engine can be reached, and the errors if it cannot: shared by all transports. */
export class EngineState {
  readonly #name: string
  #events: EngineEvents | undefined
  #closed = false
  #up = false
  #opening: { resolve: () => void, reject: (error: Error) => void } | undefined

  /** @param name the name of the engine, for errors */
  constructor (name: string) {
    this.#name = name
  }

  /** The clock of the node that has opened the transport. */
  get clock (): Clock {
    return this.#events?.clock ?? nodeClock
  }

  get up (): boolean {
    return this.#up
  }

  get closed (): boolean {
    return this.#closed
  }

  /** Starts connecting. Settles with the first `setUp(true)`, `failOpening` or `close`. */
  async open (events: EngineEvents, connect: () => void): Promise<void> {
    if (this.#events || this.#closed) throw this.unavailableError('it can be opened only once')
    this.#events = events
    await new Promise<void>((resolve, reject) => {
      this.#opening = { resolve, reject }
      connect()
    })
  }

  /** Reports a change to the owner of the transport. */
  setUp (up: boolean): void {
    if (this.#closed || up === this.#up) return
    this.#up = up
    this.#events?.state(up)
    if (up) this.#opening?.resolve()
  }

  /** Called when no retry can open the engine. */
  failOpening (error: Error): void {
    this.#opening?.reject(error)
  }

  /** @param failure why the engine could not be reached, if the transport never opened */
  close (failure?: unknown): void {
    this.#up = false
    this.#closed = true
    const error = this.unavailableError('it was closed before it could be reached', failure)
    this.#opening?.reject(error)
  }

  /** @throws `FST_CLUSTER_UNAVAILABLE` while the engine cannot be reached */
  assertUp (): void {
    if (!this.#up) throw this.unavailableError('it is not connected')
  }

  unavailableError (why: string, cause?: unknown): Error {
    const options = cause === undefined ? [] : [{ cause }]
    return new FST_CLUSTER_UNAVAILABLE(`the engine '${this.#name}': ${why}`, ...options)
  }
}
