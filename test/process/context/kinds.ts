// Each kind of user code that runs in a process, as an action that records its context.
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { deferred, settle, type Loose } from '../helpers.js'
import type { Message } from '../../../types/messages.js'
import type { Process, Processes, ProcessSystem } from '../../../types/processes.js'

/** The async context under test. Code without a context sees `undefined`. */
export const store = new AsyncLocalStorage<string>()
export type Seen = Array<string | undefined>

type Action = (processes: Processes) => unknown

/** One test case: the code of a process, and the request that wakes it. */
export interface Kind {
  /** Starts the process. @returns the action of the request */
  (processes: ProcessSystem, see: () => void): Promise<Action> | Action
  /** How often the process reads the store. */
  times?: number
}

/** Spawns a process and waits until its body waits for mail. */
export async function waiting (
  processes: Processes,
  body: (self: Process<Loose>) => unknown
): Promise<string> {
  const pid = processes.spawn<Loose>(body)
  await settle()
  return pid
}

export const kinds: Record<string, Kind> = {
  'a body that starts': (_, see) => (processes) => {
    processes.spawn(() => {
      see()
    })
  },
  'a body that awaits': Object.assign<Kind, object>(
    (_, see) => (processes) => {
      processes.spawn(async () => {
        await delay(1)
        see()
        await null
        see()
      })
    },
    { times: 2 }
  ),
  'a handler': async (processes, see) => {
    const pid = await waiting(processes, (self) =>
      self.serve({
        tick: () => {
          see()
        }
      })
    )
    return (processes) => processes.send(pid, 'tick')
  },
  'an async handler, and the one after it': Object.assign<Kind, object>(
    async (processes: ProcessSystem, see: () => void) => {
      const pid = await waiting(processes, (self) =>
        self.serve({
          tick: async () => {
            await delay(1)
            see()
          }
        })
      )
      return (processes: Processes) => {
        processes.send(pid, 'tick')
        processes.send(pid, 'tick')
      }
    },
    { times: 2 }
  ),
  otherwise: async (processes, see) => {
    const pid = await waiting(processes, (self) => self.serve({}, see))
    return (processes) => processes.send(pid, 'tick')
  },
  'for await': async (processes, see) => {
    const pid = await waiting(processes, async (self) => {
      for await (const { topic } of self.inbox) if (topic === 'tick') see()
    })
    return (processes) => processes.send(pid, 'tick')
  },
  receive: async (processes, see) => {
    const pid = await waiting(processes, async (self) => {
      await self.receive({ topic: 'tick' })
      see()
    })
    return (processes) => processes.send(pid, 'tick')
  },
  'a receive whose time is over': (_, see) => (processes) => {
    processes.spawn(async (self) => {
      await self.receive({ timeout: 1 })
      see()
    })
  },
  'a body after its serve': async (processes, see) => {
    const pid = await waiting(processes, async (self) => {
      await self.serve({})
      see()
    })
    return (processes) => processes.cancel(pid)
  },
  'sendAfter and sendEvery': Object.assign<Kind, object>(
    (_: ProcessSystem, see: () => void) => (processes: Processes) => {
      processes.spawn<Loose>(async (self) => {
        self.sendAfter(1, self.pid, 'tick')
        self.sendEvery(1, self.pid, 'tick')
        await self.serve({
          tick: () => {
            see()
          }
        })
      })
    },
    { times: 3 }
  ),
  'a call of a process, and its callee': Object.assign<Kind, object>(
    async (processes: ProcessSystem, see: () => void) => {
      const callee = await waiting(processes, (self) =>
        self.serve({
          ask: (_, { reply }: Message<Loose>) => {
            see()
            reply(1)
          }
        })
      )
      const caller = await waiting(processes, (self) =>
        self.serve({
          tick: async () => {
            await self.call(callee, 'ask')
            see()
          }
        })
      )
      return (processes: Processes) => processes.send(caller, 'tick')
    },
    { times: 2 }
  ),
  'a call that code outside answers': async (processes, see) => {
    const answer = deferred<(value: unknown) => void>()
    const callee = await waiting(processes, (self) =>
      self.serve({
        ask: (_, { reply }: Message<Loose>) => {
          answer.resolve(reply)
        }
      })
    )
    await waiting(processes, async (self) => {
      await self.call(callee, 'ask')
      see()
    })
    const reply = await answer.promise
    return () => {
      reply(1)
    }
  },
  'exited, in a process': async (processes, see) => {
    const pid = await waiting(processes, (self) => self.serve({}))
    await waiting(processes, async () => {
      await processes.exited(pid)
      see()
    })
    return (processes) => processes.exit(pid)
  },
  '@exit': async (processes, see) => {
    const pid = await waiting(processes, (self) => self.serve({}))
    await waiting(processes, async (self) => {
      self.monitor(pid)
      await self.serve({
        '@exit': () => {
          see()
        }
      })
    })
    return (processes) => processes.exit(pid)
  },
  '@link_down': async (processes, see) => {
    const pid = await waiting(processes, (self) => self.serve({}))
    await waiting(processes, async (self) => {
      self.trapLinks = true
      self.link(pid)
      await self.serve({
        '@link_down': () => {
          see()
        }
      })
    })
    return (processes) => processes.exit(pid, 'fault')
  },
  '@group': async (processes, see) => {
    const pid = await waiting(processes, async (self) => {
      self.groups.watch('group', self.pid)
      await self.serve({
        '@group': () => {
          see()
        }
      })
    })
    return (processes) => processes.groups.join('group', pid)
  },
  'an abort listener, at a cancel': async (processes, see) => {
    const pid = await waiting(processes, (self) => {
      self.signal.addEventListener('abort', see)
      return self.serve({})
    })
    return (processes) => processes.cancel(pid)
  },
  'an abort listener, at an exit': async (processes, see) => {
    const pid = await waiting(processes, (self) => {
      self.signal.addEventListener('abort', see)
      return self.serve({})
    })
    return (processes) => processes.exit(pid)
  },
  'an abort listener, of a linked process': async (processes, see) => {
    const peer = await waiting(processes, (self) => self.serve({}))
    await waiting(processes, (self) => {
      self.link(peer)
      self.signal.addEventListener('abort', see)
      return self.serve({})
    })
    return (processes) => processes.exit(peer, 'fault')
  },
  'children of a supervisor that starts': (_, see) => (processes) => {
    processes.supervise({
      children: [
        {
          id: 'child',
          start: (self) => {
            see()
            return self.serve({})
          }
        }
      ]
    })
  },
  'startChild and stopChild': Object.assign<Kind, object>(
    (processes: ProcessSystem, see: () => void) => {
      const supervisor = processes.supervise({})
      return async () => {
        supervisor.startChild({
          id: 'child',
          start: async (self) => {
            see()
            self.signal.addEventListener('abort', see)
            await self.serve({})
            see()
          }
        })
        await settle()
        await supervisor.stopChild('child')
      }
    },
    { times: 3 }
  ),
  'a restarted child': Object.assign<Kind, object>(
    async (processes: ProcessSystem, see: () => void) => {
      processes.supervise({
        children: [
          {
            id: 'child',
            name: 'child',
            start: (self) => {
              see()
              return self.serve({
                fail: () => {
                  throw new Error('fault')
                }
              } as object)
            }
          }
        ]
      })
      await settle()
      return (processes: Processes) => processes.send('child', 'fail')
    },
    { times: 2 }
  ),
  'a child that is restarted after a backoff': Object.assign<Kind, object>(
    async (processes: ProcessSystem, see: () => void) => {
      processes.supervise({
        backoff: { initial: 1, max: 1 },
        children: [
          {
            id: 'child',
            name: 'child',
            start: (self) => {
              see()
              return self.serve({})
            }
          }
        ]
      })
      await settle()
      return (processes: Processes) => processes.exit('child', 'fault')
    },
    { times: 2 }
  )
}
