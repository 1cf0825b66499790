import { Client, type Departure } from './client.js'
import { Problems } from '../rig/problems.js'
import { until } from '../rig/until.js'
import type { readings } from './readings.js'

/** The connections of a crowd. */
export interface CrowdSpec {
  port: number
  path: string
  /** The number of the first client. The others have the next numbers. */
  first: number
  count: number
  reading: keyof typeof readings
}

/** The counts of a crowd. */
export interface CrowdTotals {
  open: number
  sent: number
  read: number
  pings: number
  /** Clients that never received a ping. */
  unpinged: number
  /** Ended connections by close code. */
  closed: Record<string, number>
  problems: Problems
}

/** The number of concurrent handshakes. */
const mostUnfinished = 64

/** Clients with the same behaviour. */
export class Crowd {
  readonly clients: Client[] = []
  readonly #problems = new Problems()
  readonly #onRead = (client: Client): void => { if (this.#talking) client.say() }
  #talking = false

  /** Opens all connections. */
  async open ({ port, path, first, count, reading }: CrowdSpec): Promise<void> {
    let next = 0
    const one = async (): Promise<void> => {
      while (next < count) {
        const id = first + next++
        const client = new Client(
          id,
          `ws://127.0.0.1:${port}${path}?client=${id}`,
          reading,
          this.#problems,
          this.#onRead
        )
        this.clients.push(client)
        await client.opened
      }
    }
    await Promise.all(Array.from({ length: mostUnfinished }, one))
  }

  /** Each client sends `count` messages, and another one for each echo, until it is silenced. */
  talk (depth: number): void {
    this.#talking = true
    this.#each(depth)
  }

  /** Resolves when all messages are answered. */
  async quiet (): Promise<void> {
    this.#talking = false
    await this.#answered()
  }

  /** Each client sends `count` messages. Resolves when all are answered. */
  async exchange (count: number): Promise<void> {
    this.#each(count)
    await this.#answered()
  }

  /** Ends all clients, by these ways in turns. Resolves when all connections have ended. */
  async leave (departures: readonly Departure[]): Promise<void> {
    this.clients.forEach((client, i) => { client.leave(departures[i % departures.length]) })
    await Promise.all(this.clients.map(({ over }) => over))
  }

  /** Resolves when `count` clients have read something. */
  async reads (messages: number): Promise<boolean> {
    return await until(() => this.clients.every(({ reading }) => reading.read >= messages))
  }

  get totals (): CrowdTotals {
    const closed: Record<string, number> = {}
    for (const { code } of this.clients) {
      if (code !== undefined) closed[code] = (closed[code] ?? 0) + 1
    }
    const sum = (of: (client: Client) => number): number =>
      this.clients.reduce((all, client) => all + of(client), 0)
    return {
      open: sum(({ isOpen }) => isOpen ? 1 : 0),
      sent: sum(({ sent }) => sent),
      read: sum(({ reading }) => reading.read),
      pings: sum(({ pings }) => pings),
      unpinged: sum(({ pings }) => pings === 0 ? 1 : 0),
      closed,
      problems: this.#problems
    }
  }

  #each (count: number): void {
    for (const client of this.clients) for (let i = 0; i < count; i++) client.say()
  }

  async #answered (): Promise<void> {
    const unanswered = (): number =>
      this.clients.reduce((sum, { reading }) => sum + reading.unanswered, 0)
    if (!(await until(() => unanswered() === 0))) {
      this.#problems.add(`${unanswered()} messages have no answer`)
    }
  }
}
