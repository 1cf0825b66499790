// The process of the clients. Some stay for a phase, others only for a visit.
import { answer } from '../rig/methods.js'
import { until } from '../rig/until.js'
import { Crowd, type CrowdSpec, type CrowdTotals } from './crowd.js'
import type { Departure } from './client.js'

let crowd = new Crowd()

const methods = {
  /** Opens connections, and drops the earlier ones from the counts. */
  async open (spec: CrowdSpec): Promise<void> {
    crowd = new Crowd()
    await crowd.open(spec)
  },
  talk (depth: number): void {
    crowd.talk(depth)
  },
  async quiet (): Promise<void> {
    await crowd.quiet()
  },
  async exchange (count: number): Promise<void> {
    await crowd.exchange(count)
  },
  /** Each client sends `count` messages, and waits for no answer. */
  flood (count: number): void {
    for (const client of crowd.clients) for (let i = 0; i < count; i++) client.say()
  },
  stopReading (): void {
    for (const client of crowd.clients) {
      client.expectsEnd()
      client.stopReading()
    }
  },
  readOn (): void {
    for (const client of crowd.clients) client.readOn()
  },
  expectEnds (): void {
    for (const client of crowd.clients) client.expectsEnd()
  },
  /** Resolves when each client has read `count` messages in all, or after a timeout. */
  async reads (messages: number): Promise<boolean> {
    return await crowd.reads(messages)
  },
  async leave (departures: readonly Departure[]): Promise<void> {
    await crowd.leave(departures)
  },
  /** Resolves when all connections have ended. */
  async over (): Promise<boolean> {
    return await until(() => crowd.clients.every(({ code }) => code !== undefined))
  },
  /** The number of messages that each client has read. */
  eachRead (): Record<string, number> {
    return Object.fromEntries(crowd.clients.map(({ id, reading }) => [id, reading.read]))
  },
  totals (): CrowdTotals {
    return crowd.totals
  },
  /** More clients connect, exchange some messages, and leave. */
  async visit (
    spec: CrowdSpec,
    messages: number,
    departures: readonly Departure[]
  ): Promise<CrowdTotals> {
    const visitors = new Crowd()
    await visitors.open(spec)
    await visitors.exchange(messages)
    await visitors.leave(departures)
    return visitors.totals
  }
}

export type ClientMethods = typeof methods

process.on('disconnect', () => { process.exit() })
answer(methods)
