import t from 'tap'
import { once } from 'node:events'
import { createServer, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Context } from '../../../lib/shared/context.js'
import { createProcesses } from '../../../lib/process/index.js'
import { build, deferred, settle, type Loose } from '../helpers.js'
import { kinds, store, waiting } from './kinds.js'
import type { AddressInfo } from 'node:net'
import type { Message } from '../../../types/messages.js'
import type { ProcessSystem } from '../../../types/processes.js'
import type { Kind, Seen } from './kinds.js'

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
