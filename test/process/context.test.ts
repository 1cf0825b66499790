import t from 'tap'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Context } from '../../lib/shared/context.js'
import { createProcesses } from '../../lib/process/index.js'
import { build, deferred, settle, type Loose } from './helpers.js'
import type { AddressInfo } from 'node:net'
import type { Message } from '../../types/messages.js'
import type { Process, Processes, ProcessSystem } from '../../types/processes.js'

/** The async context under test. Code without a context sees `undefined`. */
const store = new AsyncLocalStorage<string>()
type Seen = Array<string | undefined>

type Action = (processes: Processes) => unknown

/** One test case: the code of a process, and the request that wakes it. */
interface Kind {
  /** Starts the process. @returns the action of the request */
  (processes: ProcessSystem, see: () => void): Promise<Action> | Action
  /** How often the process reads the store. */
  times?: number
}

/** Spawns a process and waits until its body waits for mail. */
async function waiting (
  processes: Processes,
  body: (self: Process<Loose>) => unknown
): Promise<string> {
  const pid = processes.spawn<Loose>(body)
  await settle()
  return pid
}

const kinds: Record<string, Kind> = {
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

/** Runs a task in the context of a request, now or later. */
const ways: Record<string, (act: () => unknown) => Promise<unknown>> = {
  'at once': async (act) => {
    await store.run('request', act)
  },
  'from a microtask': async (act) => {
    await store.run('request', async () => {
      await new Promise<void>((resolve) => {
        queueMicrotask(() => {
          act()
          resolve()
        })
      })
    })
  },
  'from process.nextTick': async (act) => {
    await store.run('request', async () => {
      await new Promise<void>((resolve) => {
        process.nextTick(() => {
          act()
          resolve()
        })
      })
    })
  },
  'behind an await': async (act) => {
    await store.run('request', async () => {
      await null
      await act()
    })
  },
  'from setImmediate': async (act) => {
    await store.run('request', async () => {
      await new Promise<void>((resolve) => {
        setImmediate(() => {
          act()
          resolve()
        })
      })
    })
  },
  'from a timer': async (act) => {
    await store.run('request', async () => {
      await delay(1)
      await act()
    })
  },
  'from a socket': async (act) => {
    const server = createServer((socket) => {
      socket.end('x')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    await store.run('request', async () => {
      await new Promise<void>((resolve) => {
        connect((server.address() as AddressInfo).port, '127.0.0.1').once('data', () => {
          act()
          resolve()
        })
      })
    })
    server.close()
    await once(server, 'close')
  },
  'in a context that was entered': async (act) => {
    await store.run('before', async () => {
      store.enterWith('request')
      await act()
    })
  },
  'from a handler that has a context of its own': async (act) => {
    const inner = createProcesses()
    const pid = inner.spawn<Loose>((self) =>
      self.serve({
        act: () =>
          store.run('request', async () => {
            await act()
          })
      })
    )
    inner.send(pid, 'act')
    await settle()
    await inner.close()
  }
}

/** Starts a process in one request and wakes it in another. @returns the stores that it saw */
async function play (
  kind: Kind,
  way: (act: () => unknown) => Promise<unknown>,
  processes: ProcessSystem
): Promise<Seen> {
  const seen: Seen = []
  const times = kind.times ?? 1
  const { promise, resolve } = deferred()
  // One request starts the process, and another one wakes it.
  const act = await store.run('first request', () =>
    kind(processes, () => {
      if (seen.push(store.getStore()) === times) resolve()
    })
  )
  await way(() => act(processes))
  await promise
  return seen
}

for (const home of [undefined, 'home']) {
  t.test(`code of a process runs in the context of its runtime: ${home ?? 'none'}`, async (t) => {
    for (const [name, kind] of Object.entries(kinds)) {
      for (const [way, wake] of Object.entries(ways)) {
        const processes = home === undefined ? createProcesses() : store.run(home, createProcesses)
        const seen = await play(kind, wake, processes)
        await processes.close()
        if (!seen.every((one) => one === home)) {
          t.strictSame(
            seen,
            seen.map(() => home),
            `${name}, woken ${way}`
          )
        }
      }
      t.pass(name)
    }
  })
}

t.test('leaves the context of code outside unchanged', async (t) => {
  const processes = store.run('home', () => build(t))
  const callee = await waiting(processes, (self) =>
    self.serve({
      ask: (_, { reply }: Message<Loose>) => {
        store.run('callee', reply)
      }
    })
  )
  await store.run('request', async () => {
    await processes.call(callee, 'ask')
    t.equal(store.getStore(), 'request', 'after a call')
    const ended = processes.exited(callee)
    store.run('another', () => { processes.exit(callee) })
    await ended
    t.equal(store.getStore(), 'request', 'after an exit')
  })
})

t.test('leaves a store that a process enters at the end of its turn', async (t) => {
  const processes = build(t)
  const seen: Seen = []
  const pid = await waiting(processes, (self) => self.serve({
    enter: () => { store.enterWith('entered') },
    look: () => { seen.push(store.getStore()) }
  }))
  const stopped = await waiting(processes, (self) => {
    self.signal.addEventListener('abort', () => { store.enterWith('entered') })
    return self.serve({})
  })
  processes.send(pid, 'enter')
  await settle()
  processes.send(pid, 'look')
  await settle()
  processes.exit(stopped)
  seen.push(store.getStore())
  processes.send(pid, 'look')
  await settle()
  t.strictSame(seen, [undefined, undefined, undefined])
})

t.test('runs callbacks in the context in which they were started', async (t) => {
  const context = store.run('home', () => new Context())
  const seen: Seen = []
  await store.run('request', async () => {
    await new Promise<void>((resolve) => {
      context.start(setImmediate, () => {
        seen.push(store.getStore())
        resolve()
      })
    })
    context.run(() => { seen.push(store.getStore()) })
    seen.push(store.getStore())
  })
  t.strictSame(seen, ['home', 'home', 'request'])
  t.throws(() => { context.run(() => { throw new Error('fault') }) }, { message: 'fault' })
})
