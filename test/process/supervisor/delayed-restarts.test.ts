// Restarts that wait for a backoff, or that are tried again after a failed start.
import t from 'tap'
import { mock } from 'node:test'
import { build, buildRuntime, held, recordingLogger, settle } from '../helpers.js'
import { ManualClock, ticks } from '../../properties/clock.js'
import { family, pidOf, restarted, supervise } from './family.js'

/** Mocks the timers: a backoff is over when the test ticks. */
function stopClock (t: { teardown (task: () => void): void }): void {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
}

t.test(
  'a backoff delays restarts, longer each time, and does not count as running time',
  async (t) => {
    const clock = new ManualClock()
    const { runtime, processes } = buildRuntime({ clock })
    t.teardown(() => runtime.shutdown.close(0))
    const starts: number[] = []
    const supervisor = processes.supervise({
      maxRestarts: 3,
      period: 300,
      backoff: { initial: 60, max: 1000, factor: 2, jitter: 0 },
      children: [
        {
          id: 'crash',
          start: () => {
            starts.push(clock.time)
            throw new Error('broken')
          }
        }
      ]
    })
    const exited = processes.exited(supervisor.pid)
    for (let ms = 0; ms < 1000; ms++) {
      do {
        clock.yieldOnce()
        clock.run()
        await ticks()
      } while (clock.busy)
      clock.advance(1)
    }
    t.match(
      await exited,
      { reason: 'restart_intensity' },
      'although the delays add up to more than the period'
    )
    t.strictSame(
      starts.slice(1).map((time, i) => time - starts[i]),
      [60, 120, 240]
    )
  }
)

t.test('keeps the id of a child in use, without a PID, while its restart is delayed', async (t) => {
  const processes = build(t)
  const { child } = family()
  const supervisor = await supervise(processes, {
    backoff: { initial: '1h', max: '1h' },
    children: [child('a'), child('b')]
  })
  processes.exit(pidOf(supervisor, 'a'), 'boom')
  await settle()
  t.match(supervisor.children(), [
    { id: 'a', pid: undefined, restarts: 0 },
    { id: 'b', restarts: 0 }
  ])
  t.throws(() => supervisor.startChild(child('a')), {
    code: 'FST_PROCESS_INVALID_SPEC',
    message: /in use/
  })
  await supervisor.stopChild('a')
  t.ok(processes.alive(supervisor.startChild(child('a'))))
})

t.test('restarts the other children when one that waits for a restart is stopped', async (t) => {
  stopClock(t)
  const processes = build(t)
  const { log, child } = family()
  const supervisor = await supervise(processes, {
    strategy: 'one_for_all',
    backoff: { initial: 5, max: 5 },
    children: [child('a'), child('b'), child('c')]
  })
  const before = pidOf(supervisor, 'c')
  processes.exit(pidOf(supervisor, 'b'), 'boom')
  await settle()
  log.length = 0
  await supervisor.stopChild('b')
  mock.timers.tick(10)
  await restarted(supervisor, 'c', before)
  await settle()
  t.strictSame(log, ['+a', '+c'])
  t.strictSame(supervisor.children().map(({ id }) => id), ['a', 'c'])
})

t.test('restarts waiting children together with a sibling that fails', async (t) => {
  stopClock(t)
  const processes = build(t)
  const { log, child } = family()
  const supervisor = await supervise(processes, {
    strategy: 'rest_for_one',
    backoff: { initial: 5, max: 5 },
    children: [child('a'), child('b')]
  })
  const before = pidOf(supervisor, 'a')
  processes.exit(pidOf(supervisor, 'b'), 'boom')
  await settle()
  log.length = 0
  processes.exit(before, 'boom')
  await settle()
  t.strictSame(log, [], 'b was waiting: there is nothing to stop')
  mock.timers.tick(10)
  await restarted(supervisor, 'a', before)
  await settle()
  t.strictSame(log, ['+a', '+b'])
})

t.test('cancels a delayed restart when the supervisor is cancelled', async (t) => {
  const { runtime, processes } = buildRuntime()
  const { child } = family()
  const supervisor = processes.supervise({
    backoff: { initial: '1h', max: '1h' },
    children: [child('a')]
  })
  await settle()
  processes.exit(pidOf(supervisor, 'a'), 'boom')
  await settle()
  processes.cancel(supervisor.pid)
  await processes.exited(supervisor.pid)
  t.equal(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length, 0)
  t.strictSame(held(runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
})

t.test('startChild adds a child after the others, and throws when its id is in use', async (t) => {
  const processes = build(t)
  const { log, child } = family()
  const supervisor = await supervise(processes, {
    strategy: 'rest_for_one',
    children: [child('a')]
  })
  const pid = supervisor.startChild(child('b', { restart: 'transient', name: 'b' }))
  t.equal(pidOf(supervisor, 'b'), pid)
  t.throws(() => supervisor.startChild(child('b')), { code: 'FST_PROCESS_INVALID_SPEC' })
  t.throws(() => supervisor.startChild(child('c', { name: 'b' })), {
    code: 'FST_PROCESS_NAME_TAKEN'
  })
  t.throws(() => supervisor.startChild(null as never), { code: 'FST_PROCESS_INVALID_SPEC' })
  await settle()
  processes.exit(pid, 'normal')
  await settle()
  t.not(supervisor.startChild(child('b')), pid, 'the id of one that has ended for good is free')
  await settle()
  t.strictSame(log, ['+a', '+b', '+b'])
  t.strictSame(supervisor.children().map(({ id }) => id), ['a', 'b'])
})

t.test('ends the supervisor when the name of a child stays taken', async (t) => {
  const processes = build(t)
  const { child } = family()
  const supervisor = await supervise(processes, {
    children: [child('a'), child('b', { name: 'b' })]
  })
  const exited = processes.exited(supervisor.pid)
  processes.exit('b', 'boom')
  const thief = processes.spawn((self) => self.receive(), { name: 'b' })
  t.match(await exited, { reason: 'restart_intensity' })
  t.strictSame(processes.list(), [thief])
})

t.test('stops a child whose restart is tried again', async (t) => {
  const { logger, firstLine } = recordingLogger()
  const processes = build(t, { logger })
  const { child } = family()
  const supervisor = await supervise(processes, {
    strategy: 'one_for_all',
    children: [child('a', { name: 'a' }), child('b')]
  })
  processes.exit('a', 'boom')
  processes.spawn((self) => self.receive(), { name: 'a' })
  await firstLine
  const before = pidOf(supervisor, 'b')
  await supervisor.stopChild('a')
  await restarted(supervisor, 'b', before)
  t.strictSame(supervisor.children().map(({ id }) => id), ['b'])
})

t.test('ends all children at once when the supervisor is ended by exit', async (t) => {
  for (const [reason, expected] of [['kill', 'killed'], ['boom', 'shutdown']] as const) {
    const { runtime, processes } = buildRuntime()
    const { child } = family()
    const supervisor = processes.supervise({
      children: [
        child('a'),
        { id: 'inner', start: { children: [child('b')] } },
        { id: 'stubborn', start: () => new Promise(() => {}) }
      ]
    })
    await settle()
    const pids = processes.list().filter((pid) => pid !== supervisor.pid)
    const exits = pids.map((pid) => processes.exited(pid))
    const stopped = supervisor.stopChild('stubborn')
    processes.exit(supervisor.pid, reason)
    t.strictSame(held(runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
    t.equal(runtime.supervisors.size, 0)
    await stopped
    for (const exit of await Promise.all(exits)) t.equal(exit.reason, expected)
  }
})
