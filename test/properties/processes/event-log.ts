import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { equal } from '../suite.js'
import type { ProcessEvent } from '../../../types/events.js'
import type { Pid } from '../../../types/pid.js'

const channel = 'fastify-ws-relay:process'

/** The events of all processes of one history. */
export class EventLog {
  readonly events: ProcessEvent[] = []
  readonly #started = new Set<Pid>()
  readonly #reasons = new Map<Pid, string>()

  readonly #listener = (message: unknown): void => { this.events.push(message as ProcessEvent) }

  /** Runs a history, and then checks its events. */
  async during (history: () => Promise<void>): Promise<void> {
    subscribe(channel, this.#listener)
    try {
      await history()
    } finally {
      unsubscribe(channel, this.#listener)
    }
    for (const event of this.events) this.#judge(event)
  }

  /** Each process starts and ends once. A restart follows an end and a start. */
  #judge (event: ProcessEvent): void {
    const { type, pid } = event
    equal(this.#started.has(pid), type !== 'spawn', `the start of a process before its ${type}`)
    if (type === 'restart') {
      equal(this.#reasons.has(event.previous), true, 'the end of the process before')
      equal(this.#started.has(event.supervisor), true, 'the supervisor')
    } else if (type === 'spawn') this.#started.add(pid)
    else {
      equal(this.#reasons.has(pid), false, `a ${type} after the end`)
      if (type === 'exit') this.#reasons.set(pid, event.reason)
    }
  }

  /** The exit reason of a process, as its event tells it. */
  reasonOf (pid: Pid): string | undefined {
    return this.#reasons.get(pid)
  }
}
