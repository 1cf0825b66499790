import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { equal } from '../suite.js'
import type { ConnectionEvent } from '../../../types/events.js'
import type { Pid } from '../../../types/pid.js'
import type { Modelled } from './connection-bench.js'

const channel = 'fastify-ws-relay:connection'

/** The events of all connections of one history. */
export class EventLog {
  readonly #events = new Map<Pid, ConnectionEvent[]>()

  readonly #listener = (message: unknown): void => {
    const event = message as ConnectionEvent
    const events = this.#events.get(event.pid)
    if (events === undefined) this.#events.set(event.pid, [event])
    else events.push(event)
  }

  start (): void {
    subscribe(channel, this.#listener)
  }

  stop (): void {
    unsubscribe(channel, this.#listener)
  }

  /** Checks one `open`, one `transfer` for each new target, and one `close` with the real cause. */
  judge ({ pid, target, joins, exits }: Modelled): void {
    const events = this.#events.get(pid)!
    const transfers = events.slice(1, -1)
    const types = transfers.map(({ type }) => type)
    const first = events[0]
    const last = events.at(-1)!
    equal(first.type, 'open', 'the first event')
    equal(types.every((type) => type === 'transfer'), true, 'events between open and close')
    const total = [...joins.values()].reduce((sum, times) => sum + times, 0)
    equal(transfers.length, total - 1, 'events of transfers')
    for (const [i, event] of transfers.entries()) {
      if (event.type === 'transfer') equal(event.from, events[i].target, 'the target before')
    }
    equal(last.type, 'close', 'the last event')
    equal(last.target, target.pid, 'the last target')
    if (last.type !== 'close') return
    const { cause, code } = exits[0].value
    equal(last.cause, cause, 'the cause of a close')
    equal(last.code, code, 'the code of a close')
    equal('clientReason' in last, cause === 'client', 'the reason of a client')
  }
}
