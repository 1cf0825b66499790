import { commonFields, drainEvents } from '../shared/diagnostics.js'
import type { Clock } from '../shared/clock.js'
import type { PidFactory } from './pid.js'
import type { Logger } from '../../types/options.js'

/** Checked options of a drain, in milliseconds. */
export interface DrainTerms {
  /** The time until new clients are refused, and the first one is closed. */
  readonly delay: number
  /** The time in which the clients are closed after that. */
  readonly over: number
}

/** A server whose clients a drain closes. */
export interface DrainedServer {
  /** The number of its clients. */
  readonly clientCount: number
  /**
   * Called once. Refuses new clients after the delay, and closes the others one by one.
   * Resolves when all are closed, or when the time for it is over.
   */
  drain (terms: DrainTerms): Promise<void>
}

/** The parts of the runtime that a drain uses. */
export interface DrainHost {
  readonly clock: Clock
  readonly pids: PidFactory
  readonly logger: Logger
}

/**
 * `processes.drain()`: prepares a process system for its end while everything else goes on. The
 * server of the clients knows how to close them.
 */
export class Drain {
  readonly #host: DrainHost
  /** Undefined for a system without clients: a worker. */
  server: DrainedServer | undefined
  #hasStarted = false
  #finished: Promise<void> | undefined
  #endDelay: (() => void) | undefined

  constructor (host: DrainHost) {
    this.#host = host
  }

  get hasStarted (): boolean {
    return this.#hasStarted
  }

  /** Later calls join the first one, whatever their terms. */
  start (terms: DrainTerms): Promise<void> {
    if (!this.#hasStarted) {
      this.#hasStarted = true
      this.#finished = this.#run(terms)
    }
    return this.#finished!
  }

  /** Called when the system closes: without a server, nothing more is waited for. */
  systemCloses (): void {
    this.#endDelay?.()
  }

  async #run ({ delay, over }: DrainTerms): Promise<void> {
    const { clock, logger, pids: { node } } = this.#host
    const startedAt = clock.now()
    const connections = this.server?.clientCount ?? 0
    logger.info({ connections, delay, over }, 'a drain has started')
    if (drainEvents.hasSubscribers) {
      drainEvents.publish({ type: 'started', ...commonFields(node), connections, delay, over })
    }
    await (this.server === undefined ? this.#wait(delay) : this.server.drain({ delay, over }))
    const left = this.server?.clientCount ?? 0
    const duration = clock.now() - startedAt
    logger.info({ duration, left }, 'the drain has finished')
    if (drainEvents.hasSubscribers) {
      drainEvents.publish({ type: 'finished', ...commonFields(node), duration, left })
    }
  }

  async #wait (delay: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#host.clock.after(delay, resolve)
      this.#endDelay = () => {
        timer.cancel()
        resolve()
      }
    })
  }
}
