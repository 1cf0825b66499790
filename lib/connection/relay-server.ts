import { DeadlineTimer } from '../shared/deadline-timer.js'
import { Flusher } from '../websocket/sender.js'
import { OverflowLog } from './overflow-log.js'
import type { Duplex } from 'node:stream'
import type { Runtime } from '../process/runtime.js'
import type { ServerSettings } from './settings.js'

/** The state that all connections of one HTTP server share. */
export class RelayServer {
  readonly runtime: Runtime
  readonly options: ServerSettings
  readonly deadlines: DeadlineTimer
  readonly flusher: Flusher
  readonly overflows = new OverflowLog()
  /** The sockets of all connections, including those whose closing handshake is not over. */
  readonly sockets = new Set<Duplex>()
  #closed: Promise<void> | undefined

  constructor (runtime: Runtime, options: ServerSettings) {
    this.runtime = runtime
    this.options = options
    this.deadlines = new DeadlineTimer(runtime.contextClock)
    this.flusher = new Flusher(() => runtime.scheduler.hasPendingTurns)
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
    this.runtime.refusesBinds = true
    for (const entity of [...this.runtime.entities]) {
      if (entity.kind === 'ws') entity.end('shutdown')
    }
    await Promise.all(Array.from(this.sockets, closed))
    await this.runtime.close(this.options.closeTimeout)
  }
}

/** Resolves when the socket is closed. Its connection destroys it after `closeTimeout`. */
function closed (socket: Duplex): Promise<void> {
  return new Promise((resolve) => { socket.once('close', () => { resolve() }) })
}
