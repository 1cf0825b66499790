// A server and its connections, as far as a paced close sees them.
import { PacedClose } from '../../../lib/registration/paced-close.js'
import { ManualClock } from '../clock.js'
import type { OpenConnection } from '../../../lib/connection/relay-server.js'
import type { PacedServer } from '../../../lib/registration/paced-close.js'

export const closeTimeout = 5000

export interface Changes { away?: boolean, counts?: boolean, stays?: boolean }

/** A connection as a paced close sees it. */
export class Guest implements OpenConnection {
  readonly name: number
  readonly transport: OpenConnection['transport'] & { away: number | undefined }
  isOpen = true
  /** It has been away at any time. */
  wasAway: boolean
  /** Milliseconds that it was given to leave, and when. */
  advice: number | undefined
  advisedAt = 0
  readonly counts: boolean
  readonly #server: FakeServer
  readonly #stays: boolean

  constructor (server: FakeServer, name: number, changes: Changes) {
    const { away = false, counts = false, stays = false } = changes
    this.#server = server
    this.#stays = stays
    this.name = name
    this.counts = counts
    this.wasAway = away
    this.transport = {
      away: away ? 1 : undefined,
      ...counts && { adviseReconnect: (by) => this.#advise(by) }
    }
  }

  #advise (by: number): boolean {
    if (this.transport.away !== undefined) return false
    this.#server.onTurn(this, by)
    this.advice = by
    this.advisedAt = this.#server.clock.time
    return true
  }

  lose (): void {
    this.transport.away = 1
    this.wasAway = true
  }

  end (reason: string): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#server.ended.push(`${this.name} ${reason}`)
    if (reason === 'shutdown') this.#server.onEnd(this)
    if (!this.#stays) this.leave()
  }

  leave (): void {
    this.isOpen = false
    this.#server.connections.delete(this)
    this.#server.paced?.connectionClosed(this)
  }
}

export class FakeServer implements PacedServer {
  readonly clock = new ManualClock()
  readonly closeTimeout = closeTimeout
  readonly connections = new Set<Guest>()
  readonly ended: string[] = []
  pendingUpgrades = 0
  refusals = 0
  paced: PacedClose | undefined
  isFinished = false
  #names = 0
  /** Called when a connection is advised to leave. */
  onTurn: (guest: Guest, by: number) => void = () => {}
  /** Called when a connection is closed. */
  onEnd: (guest: Guest) => void = () => {}

  add (count: number, changes: Changes = {}): Guest[] {
    return Array.from({ length: count }, () => {
      const guest = new Guest(this, this.#names++, changes)
      this.connections.add(guest)
      this.paced?.connectionOpened(guest)
      return guest
    })
  }

  start (delay: number, over: number): PacedClose {
    this.paced = new PacedClose(this, { delay, over })
    this.paced.finished.then(() => { this.isFinished = true }, () => {})
    return this.paced
  }

  refusePendingUpgrades (): void {
    this.refusals++
    this.pendingUpgrades = 0
  }

  /** Milliseconds until it has finished. */
  async timeLeft (): Promise<number> {
    const { time } = this.clock
    for (let i = 0; i < 20_000; i++) {
      await Promise.resolve()
      if (this.isFinished) return this.clock.time - time
      this.clock.advance(1)
    }
    return Infinity
  }
}
