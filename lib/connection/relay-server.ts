import { DeadlineTimer } from '../shared/deadline-timer.js'
import { ConnectionCounters } from './counters.js'
import { OverflowLog } from './overflow-log.js'
import type { Runtime } from '../process/runtime.js'
import type { ServerSettings } from './settings.js'
import type { Transport } from './transport.js'

/** A connection, as far as the closing server deals with it. */
export interface OpenConnection {
  readonly transport: Pick<Transport, 'away' | 'adviseReconnect'>
  /** Whether no reason to end has come yet. */
  readonly isOpen: boolean
  /** Without effect once it is ending. */
  end (reason: string): void
}

/** The state that all connections of one HTTP server share. */
export abstract class RelayServer {
  readonly runtime: Runtime
  readonly options: ServerSettings
  readonly deadlines: DeadlineTimer
  readonly overflows: OverflowLog
  readonly counters: ConnectionCounters
  /** All connections, including those that have ended and whose transport is not closed yet. */
  readonly connections = new Set<OpenConnection>()
  #closed: Promise<void> | undefined
  #lastClosed: (() => void) | undefined

  constructor (runtime: Runtime, options: ServerSettings) {
    this.runtime = runtime
    this.options = options
    this.deadlines = new DeadlineTimer(runtime.contextClock)
    this.overflows = new OverflowLog(runtime.clock)
    this.counters = new ConnectionCounters(runtime.pids.node)
  }

  /** Called when a connection has joined its target. */
  abstract connectionOpened (connection: OpenConnection): void

  /** Called when the transport of a connection is closed. */
  connectionClosed (connection: OpenConnection): void {
    this.connections.delete(connection)
    if (this.connections.size === 0) this.#lastClosed?.()
  }

  /**
   * Closes every connection with 1001, and then stops the processes. Each of these two steps takes
   * at most `closeTimeout`. Resolves when both are done.
   */
  close (): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close (): Promise<void> {
    this.runtime.clusterAccess.refusesBinds = true
    for (const connection of [...this.connections]) connection.end('shutdown')
    await this.#allClosed()
    await this.runtime.shutdown.close(this.options.closeTimeout)
  }

  /** Resolves when no connection is left. A transport cuts its client after `closeTimeout`. */
  #allClosed (): Promise<void> {
    return new Promise((resolve) => {
      if (this.connections.size === 0) resolve()
      else this.#lastClosed = resolve
    })
  }
}
