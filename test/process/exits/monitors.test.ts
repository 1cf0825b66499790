import t from 'tap'
import { buildRuntime, deferred, held, probe, settle } from '../helpers.js'
import type { AnyMessage, Loose } from '../helpers.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'

/** A process whose `self` the test uses, and the messages it has received. */
function watcher (
  processes: ReturnType<typeof buildRuntime>['processes']
): Promise<{ self: Process, seen: AnyMessage[] }> {
  const started = deferred<{ self: Process, seen: AnyMessage[] }>()
  const seen: AnyMessage[] = []
  processes.spawn(async (self) => {
    started.resolve({ self, seen })
    for await (const message of self.inbox) seen.push(message)
  })
  return started.promise
}

t.test('each monitor gives exactly one @exit', async (t) => {
  const { runtime, processes } = buildRuntime()
  const { self, seen } = await watcher(processes)
  const error = new Error('broken')
  const gate = deferred()
  const pid = processes.spawn(async () => { await gate.promise; throw error })
  const monitors = [self.monitor(pid), self.monitor(pid)]
  t.not(monitors[0], monitors[1])
  t.strictSame(processes.info(self.pid)?.monitors, [pid, pid])
  gate.resolve()
  await settle()
  t.match(
    seen,
    monitors.map((monitor) => ({
      topic: '@exit',
      from: undefined,
      payload: { pid, monitor, reason: 'error', error }
    }))
  )
  t.equal(seen.length, 2)
  t.strictSame(processes.info(self.pid)?.monitors, [])
  processes.exit(self.pid)
  t.strictSame(held(runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
})

t.test('a process that has stopped gets no @exit', async (t) => {
  const { processes } = buildRuntime()
  const watched = probe(processes)
  const cleaned = deferred()
  const pid = processes.spawn(async (self: Process<Loose>) => {
    self.monitor(watched.pid)
    await self.serve({ stop: () => { self.stop() } })
    await cleaned.promise
  })
  processes.send(pid, 'stop')
  await settle()
  processes.exit(watched.pid)
  t.match(processes.info(pid), { mailbox: 0 })
  cleaned.resolve()
  await processes.exited(pid)
  t.equal(processes.stats().deadLetters, 0)
})

t.test('an @exit carries the value of the body', async (t) => {
  const { processes } = buildRuntime()
  const { self, seen } = await watcher(processes)
  self.spawnMonitor(() => 42)
  await settle()
  t.match(seen, [{ payload: { reason: 'normal', value: 42 } }])
  processes.exit(self.pid)
})

t.test(
  'delivers noproc for a dead process at once, and noconnection for another node',
  async (t) => {
    const { processes } = buildRuntime()
    const { self, seen } = await watcher(processes)
    const dead = processes.spawn(() => {})
    await processes.exited(dead)
    const monitors = ['nobody', dead, '7@local.abc', '1@elsewhere.abc'].map((to) =>
      self.monitor(to)
    )
    t.equal(processes.info(self.pid)?.mailbox, 4)
    await settle()
    t.match(
      seen.map(({ payload }) => payload),
      [
        { pid: 'nobody', monitor: monitors[0], reason: 'noproc' },
        { pid: dead, monitor: monitors[1], reason: 'noproc' },
        { pid: '7@local.abc', reason: 'noproc' },
        { pid: '1@elsewhere.abc', reason: 'noconnection' }
      ]
    )
    processes.exit(self.pid)
  }
)

t.test('monitors a process by its name', async (t) => {
  const { processes } = buildRuntime()
  const { self, seen } = await watcher(processes)
  const pid = processes.spawn((self) => self.receive(), { name: 'worker' })
  self.monitor('worker')
  processes.exit('worker')
  await settle()
  t.match(seen, [{ payload: { pid, reason: 'shutdown' } }])
  processes.exit(self.pid)
})

t.test('demonitor removes a monitor, and a queued @exit', async (t) => {
  const { runtime, processes } = buildRuntime()
  const { self, seen } = await watcher(processes)
  const pid = processes.spawn((self) => self.receive())
  const [before, after, kept] = [self.monitor(pid), self.monitor(pid), self.monitor(pid)]
  self.demonitor(before)
  processes.exit(pid)
  t.equal(processes.info(self.pid)?.mailbox, 2)
  self.demonitor(after)
  self.demonitor(after)
  for (const wrong of [undefined, null, 'x', {}, -1]) self.demonitor(wrong as never)
  await settle()
  t.match(seen, [{ payload: { monitor: kept } }])
  t.equal(seen.length, 1)
  t.equal(runtime.relations.size, 0)
  processes.exit(self.pid)
})

t.test('gets no @exit when it monitors itself', async (t) => {
  const { runtime, processes } = buildRuntime()
  const { self, seen } = await watcher(processes)
  self.monitor(self.pid)
  processes.exit(self.pid)
  await settle()
  t.strictSame(seen, [])
  t.equal(runtime.relations.size, 0)
})

t.test('removes the monitors of a process at its end', async (t) => {
  const { runtime, processes } = buildRuntime()
  const { self } = await watcher(processes)
  const { pid } = probe(processes)
  self.monitor(pid)
  processes.exit(self.pid)
  t.equal(runtime.relations.size, 0)
  processes.exit(pid)
})

t.test('throws for anything but a PID or a name', async (t) => {
  const { processes } = buildRuntime()
  const { self } = await watcher(processes)
  for (const wrong of [
    undefined,
    null,
    5,
    {},
    '',
    'no\nname',
    '@1',
    Symbol('pid'),
    'x'.repeat(257)
  ]) {
    t.throws(() => self.monitor(wrong as Pid), { code: 'FST_PROCESS_INVALID_PID' })
  }
  processes.exit(self.pid)
})
