// A kind of keyed processes on a clock that only the test moves.
import { buildRuntime, deferred, recordingLogger } from '../helpers.js'
import { ManualClock, ticks } from '../../properties/clock.js'
import type { Keyed, KeyedOptions } from '../../../types/keyed.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes } from '../../../types/processes.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { AnyMessage, Loose } from '../helpers.js'

/** One process of a key, and the topics that it has taken. */
export interface Room {
  readonly pid: Pid
  readonly key: string
  readonly topics: string[]
}

export type Body = (self: Process<Loose>, key: string, room: Room) => unknown

export class House {
  /** Keeps topics. `stop` ends the process, `crash` fails, `ask` is answered. */
  static serve = async (self: Process<Loose>, key: string, room: Room): Promise<void> => {
    await self.serve({}, (message: AnyMessage) => {
      const { topic } = message
      room.topics.push(topic)
      if (topic === 'stop') self.stop()
      if (topic === 'crash') throw new Error('boom')
      if (topic === 'ask') message.reply(key)
    })
  }

  readonly clock = new ManualClock()
  readonly runtime: Runtime
  readonly processes: Processes
  readonly lines: Array<{ level: string, args: unknown[] }>
  /** All processes so far. */
  readonly rooms: Room[] = []
  readonly keyed: Keyed<Loose>
  /** The body of each process. */
  body: Body = House.serve

  constructor (options: KeyedOptions = {}, mailboxLimit?: number) {
    const { logger, lines } = recordingLogger()
    this.lines = lines
    const { runtime, processes } = buildRuntime({ clock: this.clock, logger, mailboxLimit })
    this.runtime = runtime
    this.processes = processes
    this.keyed = processes.keyed('room', {
      ...options,
      start: async (self: Process<Loose>, key: string) => {
        const room = { pid: self.pid, key, topics: [] }
        this.rooms.push(room)
        await this.body(self, key, room)
      }
    })
  }

  send (topic: string, key = 'a'): boolean {
    return this.processes.send(this.keyed.key(key), topic)
  }

  async settle (): Promise<void> {
    for (let i = 0; i < 12; i++) {
      await ticks()
      this.clock.run()
      this.clock.yieldOnce()
    }
    await ticks()
  }

  async advance (ms: number): Promise<void> {
    this.clock.advance(ms)
    await this.settle()
  }

  get stats (): object {
    return this.processes.stats().keyed.room
  }

  /** The topics of each process. */
  get topics (): string[] {
    return this.rooms.map(({ topics }) => topics.join())
  }
}

/** A body that waits for a signal before it ends, even when it has failed. */
export function slowToEnd (): { body: Body, cleanUp: () => void } {
  const { promise, resolve } = deferred()
  return {
    body: async (self, key, room) => {
      try {
        await House.serve(self, key, room)
      } finally {
        await promise
      }
    },
    cleanUp: resolve
  }
}

/** A body that waits for a signal before it asks for mail. */
export function slow (): { body: Body, go: () => void, fail: (error: Error) => void } {
  const { promise, resolve, reject } = deferred()
  promise.catch(() => {})
  return {
    body: async (self, key, room) => {
      await promise
      await House.serve(self, key, room)
    },
    go: resolve,
    fail: reject
  }
}

/** A body whose message `slow` takes until a signal. */
export function busy (): { body: Body, finish: () => void } {
  const { promise, resolve } = deferred()
  return {
    body: async (self, _key, room) => {
      await self.serve({}, async ({ topic }: AnyMessage) => {
        room.topics.push(topic)
        if (topic === 'slow') await promise
      })
    },
    finish: resolve
  }
}

/** A house whose process has failed and cleans up, and the next one has handled `next`. */
export async function cleaningHouse (): Promise<{ house: House, cleanUp: () => void }> {
  const house = new House()
  const { body, cleanUp } = slowToEnd()
  house.body = body
  for (const topic of ['crash', 'next']) {
    house.send(topic)
    await house.settle()
  }
  return { house, cleanUp }
}
