import { Connection } from '../connection/connection.js'
import { RelayServer } from '../connection/relay-server.js'
import { Session } from '../session/session.js'
import { Sessions } from '../session/sessions.js'
import { nativeLoaded } from '../websocket/native.js'
import { NativeBatch } from '../websocket/native-batch.js'
import { Flusher } from '../websocket/sender.js'
import { RefusedOrigins } from './origin.js'
import { PacedClose } from './paced-close.js'
import { UpgradeCounters } from './upgrade-counters.js'
import type { Duplex } from 'node:stream'
import type { OpenConnection } from '../connection/relay-server.js'
import type { DrainedServer, DrainTerms } from '../process/drain.js'
import type { Entity } from '../process/entity.js'
import type { Runtime } from '../process/runtime.js'
import type { ServerSettings } from '../connection/settings.js'
import type { Clock, ClockTimer } from '../shared/clock.js'
import type { LoadedNative } from '../websocket/native.js'
import type { WebSocketServer } from '../websocket/transport.js'
import type { PacedServer } from './paced-close.js'

/** Milliseconds between two checks of each pending handshake, so that a FIN is noticed in time. */
const checkInterval = 250

const noSessions = { suspendedCount: 0, unknownControls: 0 }

/** A handshake, as far as the timer and the closing server deal with it. */
export interface PendingHandshake {
  readonly socket: Duplex
  checkSocket (): void
  serverCloses (): void
}

/** The state that all registrations on one HTTP server share: its connections and its upgrades. */
export class UpgradeServer extends RelayServer
  implements WebSocketServer, DrainedServer, PacedServer {
  readonly flusher: Flusher
  readonly refusedOrigins = new RefusedOrigins(this.runtime.clock)
  /** Upgrades whose handler is running: they count for `maxHandshakes`. */
  readonly handshakes = new Set<PendingHandshake>()
  readonly pending: PendingHandshakes
  readonly upgrades: UpgradeCounters
  /** Resolves when it is known whether the native sender is used. */
  readonly nativeKnown: Promise<void>
  #sessions: Sessions | undefined
  #closing = false
  #pacedClose: PacedClose | undefined

  constructor (runtime: Runtime, options: ServerSettings) {
    super(runtime, options)
    const isBusy = (): boolean => runtime.scheduler.hasPendingTurns
    this.flusher = new Flusher(runtime.clock, isBusy, this.counters.traffic)
    this.upgrades = new UpgradeCounters(runtime.pids.node)
    const { maxConnections, maxSuspended } = options
    runtime.serverStats = () => ({
      connections: {
        ...this.counters.stats(
          this.#sessions ?? noSessions, { open: maxConnections, suspended: maxSuspended }
        ),
        nativeSender: this.flusher.batch !== undefined
      },
      upgrades: this.upgrades.stats,
      invalid: this.counters.invalidMessages
    })
    this.pending = new PendingHandshakes(runtime.contextClock)
    this.nativeKnown = nativeLoaded.then((native) => { this.useNative(native) })
    runtime.drain.server = this
  }

  /** Whether new upgrades are refused because the server closes. */
  get closing (): boolean {
    return this.#closing
  }

  /** Called when it is known whether the native sender can be used. */
  useNative ({ sendMany, err }: LoadedNative): void {
    if (sendMany !== undefined) this.flusher.batch = new NativeBatch(sendMany)
    if (err === undefined) return
    this.runtime.logger.info({ err }, sendMany === undefined
      ? 'the native sender cannot be used: sockets write one by one'
      : 'io_uring cannot be used: the native sender makes a system call for each socket')
  }

  /** Made when the first client asks for a session. */
  get sessions (): Sessions {
    this.#sessions ??= this.#createSessions()
    return this.#sessions
  }

  #createSessions (): Sessions {
    const { runtime, deadlines, options: { maxSuspended, maxResumeBytes } } = this
    const { pids: { node }, processTable } = runtime
    const incarnation = runtime.pids.incarnation.toString(36)
    const suffix = `@${node}.${incarnation}`
    return new Sessions({
      maxSuspended,
      maxResumeBytes,
      node,
      incarnation,
      deadlines,
      now: () => runtime.clock.now(),
      findSession: (serial) => sessionOf(processTable.findEntity(`${serial}${suffix}`))
    })
  }

  // The drain

  get clientCount (): number {
    return this.connections.size
  }

  get pendingUpgrades (): number {
    return this.handshakes.size
  }

  get clock (): Clock {
    return this.runtime.contextClock
  }

  get closeTimeout (): number {
    return this.options.closeTimeout
  }

  /** Whether new upgrades are refused because all connections are about to be closed. */
  get draining (): boolean {
    return this.#pacedClose?.refusesClients === true
  }

  /** Called by `processes.drain()`, and by `close` with the option `drain`. */
  async drain (terms: DrainTerms): Promise<void> {
    this.#pacedClose = new PacedClose(this, terms)
    await this.#pacedClose.finished
  }

  refusePendingUpgrades (): void {
    // A closing server has refused them, and a second time would extend their deadlines.
    if (this.#closing) return
    for (const handshake of [...this.handshakes]) handshake.serverCloses()
  }

  override connectionOpened (connection: OpenConnection): void {
    this.#pacedClose?.connectionOpened(connection)
  }

  override connectionClosed (connection: OpenConnection): void {
    super.connectionClosed(connection)
    this.#pacedClose?.connectionClosed(connection)
  }

  /**
   * Refuses the pending upgrades and all later ones, and then closes the connections: over the time
   * of the option `drain`, or all at once.
   */
  override async close (): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      this.pending.close()
      this.runtime.clusterAccess.refusesBinds = true
    }
    const over = this.options.drain
    const drained = over > 0 ? this.runtime.drain.start({ delay: 0, over }) : undefined
    this.#pacedClose?.finishWithin(over)
    if (drained !== undefined) await drained
    await super.close()
    this.#sessions?.close()
  }
}

function sessionOf (entity: Entity | undefined): Session | undefined {
  if (!(entity instanceof Connection)) return undefined
  const transport = entity.transport.inner ?? entity.transport
  return transport instanceof Session ? transport : undefined
}

/** All upgrades of a server that have no complete response. Checks their sockets periodically. */
export class PendingHandshakes {
  readonly #all = new Set<PendingHandshake>()
  /** Many requests share the timer, so it must not run in the context of one of them. */
  readonly #clock: Clock
  #timer: ClockTimer | undefined

  constructor (clock: Clock) {
    this.#clock = clock
  }

  add (handshake: PendingHandshake): void {
    this.#all.add(handshake)
    this.#timer ??= this.#clock.after(checkInterval, this.#check)
  }

  readonly #check = (): void => {
    this.#timer = this.#clock.after(checkInterval, this.#check)
    for (const each of this.#all) each.checkSocket()
  }

  delete (handshake: PendingHandshake): void {
    this.#all.delete(handshake)
    if (this.#all.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  close (): void {
    for (const handshake of [...this.#all]) handshake.serverCloses()
  }
}
