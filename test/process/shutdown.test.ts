import { mock } from 'node:test'
import t from 'tap'
import { createProcesses } from '../../lib/process/index.js'
import { drain, settle } from './helpers.js'
import type { Process } from '../../types/processes.js'

t.test(
  'close cancels supervisors and their children in reverse order, then the others',
  async (t) => {
    const processes = createProcesses()
    const order: string[] = []
    const body = async (self: Process, name: string): Promise<void> => {
      await drain(self.inbox)
      order.push(name)
    }
    processes.spawn(body, { args: ['old'] })
    const child = (id: string): { id: string, start: typeof body, args: string[] } => ({
      id,
      start: body,
      args: [id]
    })
    processes.supervise({
      children: [
        child('a'),
        { id: 'nested', start: { children: [child('b1'), child('b2')] } },
        child('c')
      ]
    })
    processes.spawn(body, { args: ['young'] })
    await settle()
    await processes.close()
    t.strictSame(order, ['c', 'b2', 'b1', 'a', 'young', 'old'])
    t.equal(processes.stats().alive, 0)
    t.strictSame(processes.stats().exited, { shutdown: 8 })
  }
)

t.test('close cancels the youngest supervisor first', async (t) => {
  const processes = createProcesses()
  const order: string[] = []
  for (const name of ['first', 'second', 'third']) {
    processes.supervise({
      children: [
        {
          id: 'child',
          start: (self) => {
            self.signal.addEventListener('abort', () => {
              order.push(name)
            })
            return drain(self.inbox)
          }
        }
      ]
    })
  }
  await settle()
  await processes.close()
  t.strictSame(order, ['third', 'second', 'first'])
})

t.test('starts nothing after close was called, not even from abort listeners', async (t) => {
  const processes = createProcesses()
  const codes: string[] = []
  const attempt = (task: () => unknown): void => {
    try {
      task()
    } catch (err) {
      codes.push((err as { code: string }).code)
    }
  }
  let closedAgain: Promise<void> | undefined
  processes.spawn(async (self) => {
    self.signal.addEventListener('abort', () => {
      attempt(() => processes.spawn(() => {}))
      closedAgain = processes.close()
    })
    await drain(self.inbox)
    attempt(() => self.spawn(() => {}))
    attempt(() => self.supervise({}))
  })
  await settle()
  const closed = processes.close()
  attempt(() => processes.spawn(() => {}))
  await closed
  t.strictSame(codes, [
    'FST_PROCESS_CLOSING',
    'FST_PROCESS_CLOSING',
    'FST_PROCESS_CLOSING',
    'FST_PROCESS_CLOSING'
  ])
  t.equal(closedAgain, closed)
  t.equal(processes.close(), closed, 'once')
})

t.test('close lets processes clean up, and ends them after the timeout', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const processes = createProcesses({ closeTimeout: 20 })
  const patient = processes.spawn(async (self) => {
    await drain(self.inbox)
    await settle()
    return 'cleaned'
  })
  const stubborn = processes.spawn(() => new Promise(() => {}))
  const supervised = processes.supervise({
    children: [{ id: 'stubborn', start: () => new Promise(() => {}) }]
  })
  const exits = [patient, stubborn, supervised.pid].map((pid) => processes.exited(pid))
  await settle()
  const closed = processes.close()
  await settle()
  mock.timers.tick(10)
  await exits[0]
  t.equal(processes.stats().alive, 3, 'the others have the rest of the time')
  mock.timers.tick(10)
  await closed
  t.match(await Promise.all(exits), [
    { reason: 'shutdown', value: 'cleaned' },
    { reason: 'shutdown' },
    { reason: 'shutdown' }
  ])
  t.equal(processes.stats().alive, 0)
})

t.test('restarts no child during close', async (t) => {
  const processes = createProcesses()
  let starts = 0
  processes.supervise({
    children: [
      {
        id: 'failing',
        start: {
          children: [
            {
              id: 'x',
              start: async (self) => {
                starts++
                await drain(self.inbox)
              },
              name: 'x'
            }
          ]
        }
      },
      {
        id: 'slow',
        start: async (self) => {
          await drain(self.inbox)
          processes.exit('x', 'boom')
          await settle()
        }
      }
    ]
  })
  await settle()
  await processes.close()
  t.equal(starts, 1)
  t.strictSame(processes.stats().exited, { boom: 1, shutdown: 3 })
})
