// Clients of one history: one without a network, and one that counts messages and comes back.
import { parseConfig } from '../../../lib/connection/config.js'
import { Connection } from '../../../lib/connection/connection.js'
import { Session } from '../../../lib/session/session.js'
import { serialOf } from '../../../lib/cluster/context.js'
import { WebSocketTransport } from '../../../lib/websocket/transport.js'
import { MemoryTransport } from '../../connection/transports/memory-transport.js'
import { held } from '../../process/helpers.js'
import { ticks } from '../clock.js'
import { ModelClient } from '../resume/resume-client.js'
import { equal } from '../suite.js'
import type { Target } from '../../../lib/process/entity.js'
import type { Transport } from '../../../lib/connection/transport.js'
import type { RouteSettings } from '../../../lib/registration/options.js'
import type { ResumeSettings } from '../../../lib/registration/resume-options.js'
import type { UpgradeServer } from '../../../lib/registration/upgrade-server.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { Clock } from '../../../lib/shared/clock.js'
import type { Pid } from '../../../types/pid.js'
import type { ManualClock } from '../clock.js'

const closeTimeout = 50
const scope = { origin: '', path: '/ws' }

export interface ParkClient {
  readonly transport: Transport
  /** Texts that it has received. */
  readonly texts: readonly string[]
  /** The close code that it has seen, if it sees any. */
  readonly code: number | undefined
  /** Whether it has a socket. */
  readonly isConnected: boolean
  /** Whether it may send, or will send what it is given when it is back. */
  readonly maySend: boolean
  open (pid: Pid): void
  send (text: string): void
  /** Says goodbye. */
  leave? (): void
  /** Its socket is lost. */
  lose (): void
  /** Comes back on a new socket, unless the server is draining and refuses it. */
  comeBack? (isDraining: boolean): void
  /** Moves bytes that are under way. */
  move (): void
}

class MemoryClient implements ParkClient {
  readonly transport: MemoryTransport
  isConnected = true

  constructor (clock: Clock) {
    this.transport = new MemoryTransport(clock, closeTimeout)
  }

  get texts (): string[] {
    return this.transport.received.map((text) => text.slice(1))
  }

  get code (): number | undefined {
    return this.transport.seen?.code
  }

  get maySend (): boolean {
    return this.isConnected
  }

  open (): void {}
  send (text: string): void { this.transport.send(text) }

  leave (): void {
    this.isConnected = false
    this.transport.leave(4000, 'bye')
  }

  lose (): void {
    this.isConnected = false
    this.transport.vanish()
  }

  move (): void {}
}

export class SessionClient implements ParkClient {
  readonly transport: Session
  readonly code = undefined
  readonly #relay: UpgradeServer
  readonly #route: RouteSettings
  readonly #client = new ModelClient()

  constructor (relay: UpgradeServer, route: RouteSettings) {
    this.#relay = relay
    this.#route = route
    const { policy } = route.resume as ResumeSettings
    const terms = { policy, owner: undefined, protocol: '' }
    this.transport = new Session(relay.sessions, this.#connect(), terms)
  }

  get texts (): readonly string[] {
    return this.#client.received
  }

  get isConnected (): boolean {
    return this.#client.link?.isLeft === false
  }

  /** Not before its first hello. */
  get maySend (): boolean {
    return this.#client.token !== undefined
  }

  #connect (): WebSocketTransport {
    return new WebSocketTransport({
      server: this.#relay, socket: this.#client.use(), settings: this.#route, deflate: undefined
    })
  }

  open (pid: Pid): void {
    this.transport.start(serialOf(pid), scope, undefined)
  }

  send (text: string): void { this.#client.send(text) }
  lose (): void { this.#client.link!.reset() }
  acknowledge (): void { this.#client.ack() }

  comeBack (isDraining: boolean): void {
    const received = this.#client.received.length
    const [node, incarnation, serial, mac] = this.#client.token!.split('.')
    const offer = { token: { node, incarnation, serial, mac }, received }
    const found = this.#relay.sessions.find(offer, scope)
    if (!found.ok) {
      if (isDraining) return
      throw new Error(`the session of a live connection: ${found.problem}`)
    }
    equal(found.value.session, this.transport, 'the session of the client')
    this.transport.attach(this.#connect(), found.value.offer)
  }

  move (): void {
    this.#client.link!.moveUp()
    this.#client.link!.moveDown()
  }
}

/** The place of the client that counts messages and comes back. */
const sessionAt = 2

/** Makes the connection of the client with this number. It is not open yet. */
export function makeConnection (
  { clock, relay }: { readonly clock: Clock, readonly relay: UpgradeServer },
  settings: RouteSettings, of: number, target: Target, header: object
): { readonly connection: Connection, readonly client: ParkClient } {
  const parsed = parseConfig(header, settings)
  if (!parsed.ok) throw new Error(parsed.problem)
  const client = of === sessionAt ? new SessionClient(relay, settings) : new MemoryClient(clock)
  const { transport } = client
  const connection = new Connection({ relay, transport, settings, target, config: parsed.value })
  client.open(connection.pid)
  return { connection, client }
}

/** Everything runs that can run at this time. */
export async function settle (
  clock: ManualClock, clients: () => readonly ParkClient[]
): Promise<void> {
  let idle = 0
  for (let i = 0; i < 100; i++) {
    clock.run()
    for (const client of clients()) client.move()
    await ticks()
    idle = clock.busy ? 0 : idle + 1
    // A client that is back answers the hello.
    if (idle === 3) return
    clock.yieldOnce()
  }
  throw new Error('a history that never comes to rest')
}

/** All connections and processes have ended. */
export function checkNothingRemains ({ runtime, relay, clock }: {
  readonly runtime: Runtime, readonly relay: UpgradeServer, readonly clock: ManualClock
}): void {
  const { alive, names, relations, groups } = held(runtime)
  equal(alive + names + relations + groups, 0, 'what remains')
  equal(relay.connections.size, 0, 'connections that remain')
  equal(relay.counters.traffic.paused, 0, 'sockets that are paused')
  equal(relay.deadlines.size, 0, 'deadlines that remain')
  equal(clock.runningTimers, 0, 'timers that remain')
}
