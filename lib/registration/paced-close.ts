import type { OpenConnection } from '../connection/relay-server.js'
import type { DrainTerms } from '../process/drain.js'
import type { ClockTimer, Clock } from '../shared/clock.js'

/** The server, as far as its paced close uses it. Times are in milliseconds. */
export interface PacedServer {
  readonly clock: Clock
  readonly closeTimeout: number
  /** The connections whose transport is not closed yet. */
  readonly connections: ReadonlySet<OpenConnection>
  /** Upgrades whose handler is running. Each of them may become a connection. */
  readonly pendingUpgrades: number
  refusePendingUpgrades (): void
}

/** Milliseconds between two steps. */
const stepTime = 100
/** Most turns in that time: more closes would delay everything else that the server does. */
const turnsPerStep = 1000

/** A client that was advised to leave. */
interface Advised {
  readonly connection: OpenConnection
  /** When it is closed. */
  readonly until: number
}

/**
 * Closes the connections of a server in random order, evenly over a time: each has its turn. A
 * client that can be advised to open another socket has `closeTimeout` from its turn on. Clients
 * that are away at their turn come last.
 *
 * | state    | event                                  | new state | action                      |
 * |----------|----------------------------------------|-----------|-----------------------------|
 * | delayed  | the delay is over, `finishWithin`      | pacing    | give each connection a turn |
 * | pacing   | a connection is opened                 | pacing    | give it a turn              |
 * | pacing   | a connection is closed                 | pacing    | take its turn away          |
 * | pacing   | a step                                 | pacing    | take the turns that are due |
 * | pacing   | `closeTimeout` after the turns         | ending    | close all, refuse upgrades  |
 * | ending   | a connection is opened                 | ending    | close it                    |
 * | ending   | twice `closeTimeout` after the turns   | finished  | resolve                     |
 * | pacing, ending | nothing is open, and no upgrade is pending | finished | resolve           |
 * | finished | a connection is opened                 | finished  | close it                    |
 */
export class PacedClose {
  readonly #server: PacedServer
  /** Resolves when all connections are closed, or the time is over. */
  readonly finished: Promise<void>
  #resolve!: () => void
  #state: 'delayed' | 'pacing' | 'ending' | 'finished' = 'delayed'
  #timer: ClockTimer
  /** When the time for turns is over. It is only ever brought forward. */
  #turnsEnd: number
  /** Connections that have had no turn. */
  readonly #waiting = new Set<OpenConnection>()
  /** The same in random order, and some that are closed. The last one is the next. */
  readonly #order: OpenConnection[] = []
  /** Connections of `#waiting` whose clients were away when their turn came. */
  readonly #away: OpenConnection[] = []
  /** The oldest comes first. */
  #advised: Advised[] = []
  /** Turns that are due, with the fraction of the next one. */
  #due = 0
  /** Turns that may be taken at once. It grows with the time, up to `turnsPerStep`. */
  #allowance = turnsPerStep
  #lastStepAt = 0

  constructor (server: PacedServer, { delay, over }: DrainTerms) {
    this.#server = server
    this.#turnsEnd = server.clock.now() + delay + over
    this.finished = new Promise((resolve) => { this.#resolve = resolve })
    this.#timer = server.clock.after(delay, () => { this.#begin() })
    // New clients are refused from this moment on.
    if (delay === 0) this.#begin()
  }

  /** Whether new clients are refused, because they would be closed soon. */
  get refusesClients (): boolean {
    return this.#state !== 'delayed'
  }

  /** Called when the server closes. Brings the end forward, and never puts it off. */
  finishWithin (over: number): void {
    this.#turnsEnd = Math.min(this.#turnsEnd, this.#server.clock.now() + over)
    if (this.#state === 'delayed') this.#begin()
    else if (this.#state === 'pacing') this.#continueAfter(0)
  }

  connectionOpened (connection: OpenConnection): void {
    if (this.#state === 'pacing') this.#enqueue(connection)
    else if (this.#state !== 'delayed') connection.end('shutdown')
  }

  connectionClosed (connection: OpenConnection): void {
    this.#waiting.delete(connection)
    this.#finishIfEmpty()
  }

  #finishIfEmpty (): void {
    if (this.#state === 'delayed') return
    const { connections, pendingUpgrades } = this.#server
    if (connections.size + pendingUpgrades === 0) this.#finish()
  }

  #begin (): void {
    this.#state = 'pacing'
    this.#lastStepAt = this.#server.clock.now()
    for (const connection of this.#server.connections) this.#enqueue(connection)
    this.#continueAfter(0)
  }

  #continueAfter (delay: number): void {
    this.#timer.cancel()
    this.#timer = this.#server.clock.after(delay, () => { this.#step() })
  }

  /** Puts it at a random place (Fisher and Yates). */
  #enqueue (connection: OpenConnection): void {
    if (!connection.isOpen) return
    this.#waiting.add(connection)
    const order = this.#order
    const place = Math.floor(Math.random() * (order.length + 1))
    order.push(order[place] ?? connection)
    order[place] = connection
  }

  #step (): void {
    const { clock, closeTimeout } = this.#server
    const now = clock.now()
    const left = this.#turnsEnd - now
    if (this.#state === 'pacing') {
      if (left <= -closeTimeout) this.#endAll()
      else this.#takeTurns(now, left)
    }
    this.#finishIfEmpty()
    if (this.#state === 'finished') return
    if (left <= -2 * closeTimeout) return this.#finish()
    const times = [left, left + closeTimeout, left + 2 * closeTimeout]
    this.#continueAfter(Math.min(stepTime, ...times.filter((time) => time > 0)))
  }

  /** @param left milliseconds until the time for turns is over */
  #takeTurns (now: number, left: number): void {
    this.#closeAdvised(now)
    const passed = now - this.#lastStepAt
    this.#lastStepAt = now
    const grown = this.#allowance + turnsPerStep * passed / stepTime
    this.#allowance = Math.min(turnsPerStep, grown)
    // Clients that come and go change the pace, and not the time.
    const { size } = this.#waiting
    const more = (size - this.#due) * passed / (left + passed)
    this.#due = left > 0 ? Math.min(size, this.#due + more) : size
    const count = Math.floor(Math.min(this.#due, this.#allowance))
    this.#due -= count
    this.#allowance -= count
    for (let taken = 0; taken < count; taken++) this.#takeTurn(now, left)
  }

  #closeAdvised (now: number): void {
    const isDue = ({ until }: Advised): boolean => until <= now
    while (this.#advised.length > 0 && isDue(this.#advised[0])) {
      this.#advised.shift()!.connection.end('shutdown')
    }
  }

  #takeTurn (now: number, left: number): void {
    const connection = this.#nextWaiting()
    if (connection === undefined) return
    this.#waiting.delete(connection)
    const { transport } = connection
    const { closeTimeout } = this.#server
    const rest = Math.min(closeTimeout, left + closeTimeout)
    // A timer that is late takes some of its time: the client need not know.
    if (rest > 0 && transport.adviseReconnect?.(closeTimeout) === true) {
      this.#advised.push({ connection, until: now + rest })
    } else connection.end('shutdown')
  }

  #nextWaiting (): OpenConnection | undefined {
    for (let next = this.#order.pop(); next !== undefined; next = this.#order.pop()) {
      if (!this.#isWaiting(next)) continue
      if (next.transport.away === undefined) return next
      this.#away.push(next)
    }
    for (let next = this.#away.pop(); next !== undefined; next = this.#away.pop()) {
      if (this.#isWaiting(next)) return next
    }
    return undefined
  }

  /** Connections that end for another reason need no turn. */
  #isWaiting (connection: OpenConnection): boolean {
    if (!connection.isOpen) this.#waiting.delete(connection)
    return this.#waiting.has(connection)
  }

  /** The time of the last advised clients is over. */
  #endAll (): void {
    this.#state = 'ending'
    this.#server.refusePendingUpgrades()
    for (const connection of [...this.#server.connections]) connection.end('shutdown')
  }

  #finish (): void {
    this.#state = 'finished'
    this.#timer.cancel()
    this.#waiting.clear()
    this.#order.length = this.#away.length = 0
    this.#advised = []
    this.#resolve()
  }
}
