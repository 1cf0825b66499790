// An engine in simulated time, and the transport of each node to it.
import { Machine, World } from './world.js'
import type { RegisterEntry, ClusterTransport, TransportEvents } from '../../../types/cluster.js'

const serverCount = 3

interface Version {
  readonly at: number
  readonly entry: RegisterEntry | undefined
}

/**
 * An engine of three servers, with pub/sub and a register. It may be down, come back empty, or lose
 * one server.
 */
export class Engine {
  readonly world: World
  up = true
  /** Until then the register elects a leader and does not answer. */
  electsUntil = 0
  readonly clients = new Set<SimulatedTransport>()
  /** All versions of each key, for stale reads. */
  #store = new Map<string, Version[]>()
  /** One counter for all keys. */
  #revision = 0

  constructor (world: World) {
    this.world = world
  }

  stop (loses: boolean): void {
    this.up = false
    for (const client of this.clients) client.cut()
    if (!loses) return
    this.#store = new Map()
    this.#revision = 0
  }

  /** One server dies: its nodes connect to the other servers. */
  loseServer (electionTime: number): void {
    const server = this.world.random.upTo(serverCount)
    this.electsUntil = this.world.now + electionTime
    for (const client of this.clients) {
      if (client.server !== server) continue
      client.cut()
      client.reconnect()
    }
  }

  start (): void {
    this.up = true
    for (const client of this.clients) client.reconnect()
  }

  forward (topic: string, frame: Uint8Array): void {
    for (const client of this.clients) client.receive(topic, frame)
  }

  get (key: string): RegisterEntry | undefined {
    const versions = this.#store.get(key) ?? []
    const { random, now } = this.world
    const asOf = random.chance(0.15) ? now - random.upTo(1500) : now
    for (let i = versions.length - 1; i >= 0; i--) {
      if (versions[i].at <= asOf) return versions[i].entry
    }
    return undefined
  }

  cas (key: string, value: Uint8Array | undefined, revision: number): number {
    let versions = this.#store.get(key)
    if (versions === undefined) this.#store.set(key, versions = [])
    const current = versions.at(-1)?.entry
    if ((current?.revision ?? 0) !== revision) return 0
    const next = ++this.#revision
    versions.push({ at: this.world.now, entry: value && { value, revision: next } })
    return next
  }
}

/** The connection of one node to the engine. It keeps the order, delays data, and may be cut. */
export class SimulatedTransport implements ClusterTransport {
  readonly caps = { name: 'simulation', maxFrame: 64 * 1024, registry: true, probe: true }
  readonly #engine: Engine
  readonly #machine: Machine
  readonly #subscriptions = new Map<string, (frame: Uint8Array) => void>()
  #events: TransportEvents | undefined
  #closed = false
  /** Disconnected from the engine although the engine is up. */
  partitioned = false
  /** The server of the engine that it is connected to. */
  server = 0
  /** Called when the register does not answer, or answers too late. */
  disturbed = (): void => {}
  /** Number of the connection: pending data belongs to one connection and is lost with it. */
  #connection = 0
  #connected = false
  /** The state that the node was told: it learns of a cut later. */
  #believes = false
  #lastOut = 0
  #lastIn = 0

  constructor (engine: Engine, machine: Machine) {
    this.#engine = engine
    this.#machine = machine
  }

  get #world (): World {
    return this.#machine.world
  }

  async open (events: TransportEvents): Promise<void> {
    this.#events = events
    this.#engine.clients.add(this)
    this.reconnect()
  }

  async close (): Promise<void> {
    this.#closed = true
    this.#engine.clients.delete(this)
    this.#connected = this.#believes = false
    this.#connection++
  }

  /** Breaks the connection. The node learns of it later. */
  cut (): void {
    if (!this.#connected) return
    this.#connected = false
    const connection = ++this.#connection
    this.#world.schedule(this.#world.random.upTo(1500), () => {
      if (connection === this.#connection) this.#say(false)
    }, this.#machine)
  }

  reconnect (): void {
    const { random } = this.#world
    this.#world.schedule(20 + random.upTo(400), () => {
      if (this.#closed || this.#connected || this.#machine.dead) return
      if (this.partitioned || !this.#engine.up) return
      this.#say(false)
      this.#connection++
      this.#connected = true
      this.server = random.upTo(serverCount)
      this.#lastOut = this.#lastIn = 0
      this.#say(true)
    }, this.#machine)
  }

  #say (up: boolean): void {
    if (this.#believes === up || this.#closed) return
    this.#believes = up
    this.#world.settled = true
    this.#events!.state(up)
  }

  #delay (): number {
    const { random } = this.#world
    return random.chance(0.02) ? random.upTo(300) : random.upTo(8)
  }

  publish (topic: string, frame: Uint8Array): boolean {
    if (!this.#believes) return false
    if (this.#world.random.chance(0.002)) return false
    this.#toEngine(() => { this.#engine.forward(topic, frame) })
    return true
  }

  #toEngine (run: () => void): void {
    if (!this.#connected) return
    const connection = this.#connection
    this.#lastOut = Math.max(this.#lastOut, this.#world.now + this.#delay())
    this.#world.schedule(this.#lastOut - this.#world.now, () => {
      if (connection === this.#connection) run()
    })
  }

  #fromEngine (run: () => void): void {
    if (!this.#connected) return
    const connection = this.#connection
    this.#lastIn = Math.max(this.#lastIn, this.#world.now + this.#delay())
    this.#world.schedule(this.#lastIn - this.#world.now, () => {
      if (connection === this.#connection && !this.#closed) run()
    }, this.#machine)
  }

  receive (topic: string, frame: Uint8Array): void {
    if (!this.#subscriptions.has(topic)) return
    this.#fromEngine(() => { this.#subscriptions.get(topic)?.(frame) })
  }

  flush (): Promise<void> {
    return new Promise((resolve) => {
      this.#world.schedule(Math.max(0, this.#lastOut - this.#world.now) + 1, () => {
        this.#world.settled = true
        resolve()
      }, this.#machine)
    })
  }

  /** Sends a request to the engine. It may be slow; the request or its answer may be lost. */
  #ask<T> (answer: () => T): Promise<T> {
    const { random } = this.#world
    return new Promise((resolve, reject) => {
      const settle = (run: () => void): void => {
        this.#world.settled = true
        run()
      }
      const lost = (): void => {
        this.disturbed()
        settle(() => { reject(new Error('The connection broke')) })
      }
      if (!this.#connected) {
        this.#world.schedule(1 + random.upTo(500), lost, this.#machine)
        return
      }
      const connection = this.#connection
      // A slow request is executed when nobody waits for its answer any more.
      const slow = random.chance(0.03) ? random.upTo(5000) : random.upTo(10)
      if (slow > 10) this.disturbed()
      this.#world.schedule(slow, () => {
        if (
          !this.#engine.up ||
          this.#world.now < this.#engine.electsUntil ||
          (connection !== this.#connection && random.chance(0.5))
        ) {
          this.#world.schedule(random.upTo(500), lost, this.#machine)
          return
        }
        const value = answer()
        this.#world.schedule(random.upTo(10), () => {
          if (connection === this.#connection && !random.chance(0.03)) {
            settle(() => {
              resolve(value)
            })
          } else lost()
        }, this.#machine)
      })
    })
  }

  async subscribe (topic: string, listener: (frame: Uint8Array) => void): Promise<void> {
    this.#subscriptions.set(topic, listener)
  }

  async unsubscribe (topic: string): Promise<void> {
    this.#subscriptions.delete(topic)
  }

  has (topic: string): boolean {
    return this.#connected && this.#subscriptions.has(topic)
  }

  probe (topic: string): Promise<boolean | undefined> {
    return this.#ask(() => [...this.#engine.clients].some((client) => client.has(topic)))
  }

  get (key: string): Promise<RegisterEntry | undefined> {
    return this.#ask(() => this.#engine.get(key))
  }

  cas (key: string, value: Uint8Array | undefined, revision: number): Promise<number> {
    return this.#ask(() => this.#engine.cas(key, value, revision))
  }
}
