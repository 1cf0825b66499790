import { EventEmitter } from 'node:events'
import { processes, sleeper, Tally } from './system.js'
import { time, type TimingOptions } from './timing.js'
import type { Process } from '../../lib/process/index.js'

const messages = 1000

/** 1000 messages from `send` to the handler at once, and one call after the other. */
export async function hop (options: TimingOptions) {
  const tally = new Tally()
  const payload = { text: 'hello' }
  const emitter = new EventEmitter()
  emitter.on('tick', () => { tally.one() })
  const handlers = new Map([['tick', (_payload: object) => { tally.one() }]])

  const serving = await sleeper((self) => self.serve({ tick: () => { tally.one() } } as object))
  const looping = await sleeper(async (self) => {
    for await (const message of self.inbox as AsyncIterable<{ topic: string }>) {
      if (message.topic === 'tick') tally.one()
    }
  })
  const receiving = await sleeper(async (self) => {
    for (;;) if ((await self.receive() as { topic: string }).topic === 'tick') tally.one()
  })
  const player = (self: Process) => self.serve({
    ball: (other: string) => {
      if (tally.one()) self.send(other, 'ball', self.pid)
    }
  } as object)
  const [one, other] = [await sleeper(player), await sleeper(player)]

  const flood = (pid: string) => () => {
    const done = tally.after(messages)
    for (let i = 0; i < messages; i++) processes.send(pid, 'tick', payload)
    return done
  }
  return await time(
    [
      {
        name: 'a handler looked up in a Map and called',
        operations: messages,
        run: () => {
          for (let i = 0; i < messages; i++) handlers.get('tick')!(payload)
        }
      },
      {
        name: 'EventEmitter, emit',
        operations: messages,
        run: () => {
          for (let i = 0; i < messages; i++) emitter.emit('tick', payload)
        }
      },
      {
        name: 'await of a resolved promise',
        operations: messages,
        run: async () => {
          for (let i = 0; i < messages; i++) await Promise.resolve(payload)
        }
      },
      {
        name: 'serve',
        baseline: 'EventEmitter, emit',
        operations: messages,
        run: flood(serving.pid)
      },
      {
        name: 'for await',
        baseline: 'await of a resolved promise',
        operations: messages,
        run: flood(looping.pid)
      },
      {
        name: 'receive',
        baseline: 'await of a resolved promise',
        operations: messages,
        run: flood(receiving.pid)
      },
      {
        name: 'two processes that answer each other, serve',
        baseline: 'await of a resolved promise',
        operations: messages,
        run: () => {
          const done = tally.after(messages)
          processes.send(one.pid, 'ball', other.pid)
          return done
        }
      }
    ],
    options
  )
}
