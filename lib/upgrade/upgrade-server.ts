import { RelayServer } from '../connection/relay-server.js'
import { PendingHandshakes } from './pending-handshakes.js'
import { RefusedOrigins } from './refused-origins.js'
import type { Runtime } from '../process/runtime.js'
import type { ServerSettings } from '../connection/settings.js'
import type { PendingHandshake } from './pending-handshakes.js'

/** The state that all registrations on one HTTP server share: its connections and its upgrades. */
export class UpgradeServer extends RelayServer {
  readonly refusedOrigins = new RefusedOrigins()
  /** Upgrades whose handler is running: they count for `maxHandshakes`. */
  readonly handshakes = new Set<PendingHandshake>()
  /** All upgrades that have no complete answer. */
  readonly pending: PendingHandshakes
  #closing = false

  constructor (runtime: Runtime, options: ServerSettings) {
    super(runtime, options)
    this.pending = new PendingHandshakes(runtime.context)
  }

  /** Whether new upgrades are refused because the server closes. */
  get closing (): boolean {
    return this.#closing
  }

  /** Refuses the pending upgrades and all later ones, and then closes the connections. */
  override close (): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      this.runtime.refusesBinds = true
      this.pending.close()
    }
    return super.close()
  }
}
