import { Flusher } from '../websocket/sender.js'
import { OverflowLog } from '../connection/overflow-log.js'
import { PendingHandshakes } from './pending-handshakes.js'
import { RefusedOrigins } from './refused-origins.js'
import { DeadlineTimer } from '../shared/deadline-timer.js'
import type { Duplex } from 'node:stream'
import type { Runtime } from '../process/runtime.js'
import type { Handshake } from './handshake.js'
import type { ServerSettings } from '../connection/settings.js'

/** What all registrations on one HTTP server share. */
export class RelayServer {
  readonly runtime: Runtime
  readonly options: ServerSettings
  readonly wheel: DeadlineTimer
  readonly flusher: Flusher
  readonly overflows = new OverflowLog()
  readonly refusedOrigins = new RefusedOrigins()
  /** Upgrades whose handler is running: they count for `maxHandshakes`. */
  readonly handshakes = new Set<Handshake>()
  /** All upgrades that have no complete answer. */
  readonly pending: PendingHandshakes
  /** Sockets of connections, those that are still closing too. */
  readonly sockets = new Set<Duplex>()
  #closing = false
  #closed: Promise<void> | undefined

  constructor (runtime: Runtime, options: ServerSettings) {
    this.runtime = runtime
    this.wheel = new DeadlineTimer(runtime.context)
    this.pending = new PendingHandshakes(runtime.context)
    this.flusher = new Flusher(() => runtime.scheduler.pending)
    this.options = options
  }

  get closing (): boolean {
    return this.#closing
  }

  /**
   * Refuses upgrades, closes every connection with 1001, and then ends the processes. Each half has
   * `closeTimeout`; resolves when all are gone.
   */
  close (): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close (): Promise<void> {
    this.runtime.refusesBinds = true
    this.#closing = true
    this.pending.close()
    for (const entity of [...this.runtime.entities]) if (entity.kind === 'ws') entity.end('shutdown')
    await Promise.all(Array.from(this.sockets, closed))
    await this.runtime.close(this.options.closeTimeout)
  }
}

/** Each socket is cut after `closeTimeout` by its own closing handshake. */
function closed (socket: Duplex): Promise<void> {
  return new Promise((resolve) => { socket.once('close', () => { resolve() }) })
}
