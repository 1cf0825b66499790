import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t from 'tap'
import { recordEvents } from '../events.js'
import { ManualClock } from '../properties/clock.js'
import { build, buildRuntime, held } from './helpers.js'
import type { ProcessEvent } from '../../types/events.js'

t.test('tells of a process that starts and returns', async (t) => {
  const events = recordEvents(t, 'tells', 'process')
  const clock = new ManualClock()
  const { processes } = buildRuntime({ node: 'tells', clock })
  const before = Date.now()
  const pid = processes.spawn(function greeter () {}, { name: 'greeter' })
  t.equal(events.length, 1, 'before the body runs')
  processes.names.register('second', pid)
  clock.run()
  t.strictSame(events.map((event) => ({ ...event, at: 0 })), [
    { type: 'spawn', node: 'tells', at: 0, pid, kind: 'process', label: 'greeter', name: 'greeter' },
    {
      type: 'exit',
      node: 'tells',
      at: 0,
      pid,
      kind: 'process',
      label: 'greeter',
      names: ['greeter', 'second'],
      reason: 'normal',
      error: undefined,
      uptime: (events[1] as { uptime: number }).uptime
    }
  ])
  t.ok(events.every(({ at }) => at >= before && at <= Date.now()))
  t.ok((events[1] as { uptime: number }).uptime >= 0)
})

t.test('tells of a failure with its error, before the failures that follow from it', async (t) => {
  const events = recordEvents(t, 'chain', 'process')
  const clock = new ManualClock()
  const { processes } = buildRuntime({ node: 'chain', clock })
  const error = new Error('no luck')
  const third = processes.spawn((self) => self.serve({}))
  const second = processes.spawn((self) => self.serve({}), { link: third })
  const first = processes.spawn(() => { throw error }, { link: second })
  clock.run()
  const exits = events.filter((event) => event.type === 'exit')
  t.strictSame(exits.map(({ pid }) => pid), [first, second, third])
  for (const exit of exits) {
    t.equal(exit.reason, 'error')
    t.equal(exit.error, error)
  }
})

t.test('tells of a process that ends at once because its link is dead', async (t) => {
  const events = recordEvents(t, 'dead', 'process')
  const { processes } = buildRuntime({ node: 'dead' })
  processes.spawn(() => {}, { link: 'nobody' })
  t.match(events, [{ type: 'spawn' }, { type: 'exit', reason: 'noproc' }])
  t.equal(events.length, 2)
})

t.test('tells of restarts, and of a supervisor that gives up', async (t) => {
  const events = recordEvents(t, 'family', 'process')
  const processes = build(t, { node: 'family' })
  const error = new Error('at once')
  const children = [{ id: 'crashing', start: function crashing () { throw error } }]
  const { pid: supervisor } = processes.supervise({ name: 'family', maxRestarts: 1, children })
  t.match(await processes.exited(supervisor), { reason: 'restart_intensity' })
  const [started, first, firstExit, second, restart, secondExit, gaveUp, ended] = events
  t.equal(events.length, 8)
  t.match(started, { type: 'spawn', pid: supervisor, kind: 'supervisor', label: 'family' })
  t.match(first, { type: 'spawn', kind: 'process', label: 'crashing', name: undefined })
  t.match(firstExit, { type: 'exit', pid: (first as { pid: string }).pid, reason: 'error' })
  t.match(second, { type: 'spawn', label: 'crashing' })
  t.strictSame({ ...restart, at: 0 }, {
    type: 'restart',
    node: 'family',
    at: 0,
    pid: (second as { pid: string }).pid,
    previous: (first as { pid: string }).pid,
    supervisor,
    child: 'crashing',
    restarts: 1
  })
  t.match(secondExit, { type: 'exit', pid: (second as { pid: string }).pid, reason: 'error' })
  t.strictSame({ ...gaveUp, at: 0 }, {
    type: 'give-up',
    node: 'family',
    at: 0,
    pid: supervisor,
    label: 'family',
    child: 'crashing',
    reason: 'error',
    error
  })
  t.match(ended, { type: 'exit', pid: supervisor, kind: 'supervisor', reason: 'restart_intensity' })
})

t.test('leaves nothing of a process that a subscriber ends while it starts', async (t) => {
  const { runtime, processes } = buildRuntime({ node: 'ended' })
  const other = processes.spawn((self) => self.serve({}))
  const watcher = processes.spawn((self) => self.serve({}))
  const before = held(runtime)
  const end = (message: unknown): void => {
    const { type, node, pid } = message as ProcessEvent
    if (type === 'spawn' && node === 'ended') processes.exit(pid)
  }
  subscribe('fastify-ws-relay:process', end)
  const pid = processes.spawn(() => {}, { name: 'short', link: other, monitor: watcher })
  unsubscribe('fastify-ws-relay:process', end)
  t.equal(processes.alive(pid), false)
  t.strictSame(held(runtime), before)
})

t.test('publishes nothing about messages', async (t) => {
  const events = recordEvents(t, 'quiet', 'process')
  const clock = new ManualClock()
  const { processes } = buildRuntime({ node: 'quiet', clock })
  const pid = processes.spawn((self) => self.serve({ hello () {} } as object))
  clock.run()
  for (const topic of ['hello', 'unhandled']) processes.send(pid, topic)
  processes.send('nobody', 'hello')
  clock.run()
  t.match(events, [{ type: 'spawn' }])
  t.equal(events.length, 1)
})
