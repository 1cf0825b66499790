// `startChild` and `stopChild`, and starts of children that fail.
import t from 'tap'
import { build, buildRuntime, deferred, drain, held, recordingLogger, settle } from '../helpers.js'
import { family, pidOf, restarted, supervise } from './family.js'
import type { ChildSpec, Process } from '../../../types/processes.js'

t.test(
  'the id of a child that has just ended is free at once, unless it will be restarted',
  async (t) => {
    const processes = build(t)
    const ends: [ChildSpec['restart'], string, boolean][] = [
      ['temporary', 'error', true],
      ['temporary', 'normal', true],
      ['transient', 'shutdown', true],
      ['transient', 'error', false],
      ['permanent', 'normal', false]
    ]
    for (const [restart, reason, free] of ends) {
      const supervisor = processes.supervise({})
      const child: ChildSpec = {
        id: 'a',
        start: async (self) => {
          await self.receive()
        },
        restart
      }
      processes.exit(supervisor.startChild(child), reason)
      if (free) t.ok(processes.alive(supervisor.startChild(child)), `${restart}, ${reason}`)
      else {
        t.throws(
          () => supervisor.startChild(child),
          { code: 'FST_PROCESS_INVALID_SPEC' },
          `${restart}, ${reason}`
        )
      }
      await settle()
      t.equal(supervisor.children().length, 1)
      t.ok(processes.alive(pidOf(supervisor, 'a')))
    }
  }
)

t.test(
  'stopChild waits for the clean-up, ends the child after `shutdown`, and removes it',
  async (t) => {
    const processes = build(t)
    const { log, child } = family()
    const supervisor = await supervise(processes, {
      children: [
        child('a', { name: 'a' }),
        { id: 'stubborn', start: () => new Promise(() => {}), shutdown: 1 }
      ]
    })
    await Promise.all([supervisor.stopChild('a'), supervisor.stopChild('a')])
    t.strictSame(log, ['+a', '-a'])
    await supervisor.stopChild('stubborn')
    t.strictSame(supervisor.children(), [])
    await t.rejects(supervisor.stopChild('a'), { code: 'FST_PROCESS_NOT_ALIVE' })
    await t.rejects(supervisor.stopChild(undefined as never), { code: 'FST_PROCESS_NOT_ALIVE' })
    t.ok(processes.alive(supervisor.pid), 'a stop is no failure')
    t.ok(supervisor.startChild(child('a')))
  }
)

t.test(
  'keeps the id of a child that is being stopped, and restarts its siblings without it',
  async (t) => {
    const processes = build(t)
    const { log, child } = family()
    const gate = deferred()
    const slow = {
      id: 'slow',
      start: async (self: Process) => {
        await drain(self.inbox)
        await gate.promise
      }
    }
    const supervisor = await supervise(processes, {
      strategy: 'one_for_all',
      children: [child('a'), slow]
    })
    const stopped = supervisor.stopChild('slow')
    t.throws(() => supervisor.startChild(slow), { code: 'FST_PROCESS_INVALID_SPEC' })
    const before = pidOf(supervisor, 'a')
    processes.exit(before, 'boom')
    await settle()
    gate.resolve()
    await stopped
    await restarted(supervisor, 'a', before)
    t.strictSame(
      supervisor.children().map(({ id }) => id),
      ['a']
    )
    await settle()
    t.strictSame(log, ['+a', '+a'])
  }
)

t.test('leaves nothing running when a child cannot be started', async (t) => {
  const { runtime, processes } = buildRuntime()
  const { child } = family()
  const taken = processes.spawn((self) => self.receive(), { name: 'taken' })
  const before = held(runtime)
  t.throws(
    () =>
      processes.supervise({ children: [child('a'), child('b', { name: 'taken' }), child('c')] }),
    { code: 'FST_PROCESS_NAME_TAKEN' }
  )
  t.throws(
    () =>
      processes.supervise({
        children: [
          child('a'),
          { id: 'inner', start: { children: [child('b'), child('c', { name: 'taken' })] } }
        ]
      }),
    { code: 'FST_PROCESS_NAME_TAKEN' }
  )
  t.throws(() => processes.supervise({ name: 'taken', children: [child('a')] }), {
    code: 'FST_PROCESS_NAME_TAKEN'
  })
  t.strictSame(held(runtime), before)
  t.equal(runtime.supervisors.size, 0)
  processes.exit(taken)
})

t.test(
  'tries a failed restart again, counts it, and keeps the order of later children',
  async (t) => {
    for (const strategy of ['one_for_one', 'one_for_all', 'rest_for_one'] as const) {
      const { logger, lines } = recordingLogger()
      const processes = build(t, { logger })
      const { log, child } = family()
      const supervisor = await supervise(processes, {
        strategy,
        maxRestarts: 50,
        children: [child('a'), child('b', { name: 'b' }), child('c')]
      })
      log.length = 0
      const before = pidOf(supervisor, 'b')
      processes.exit(before, 'boom')
      const thief = processes.spawn(
        async (self) => {
          while (lines.length === 0) await self.receive({ timeout: 1 })
        },
        { name: 'b' }
      )
      await processes.exited(thief)
      await restarted(supervisor, 'b', before)
      await settle()
      t.match(lines[0], {
        level: 'error',
        args: [{ relayPid: supervisor.pid, err: { code: 'FST_PROCESS_NAME_TAKEN' } }]
      })
      t.strictSame(
        log.slice(strategy === 'one_for_one' ? -1 : -2),
        { one_for_one: ['+b'], one_for_all: ['+b', '+c'], rest_for_one: ['+b', '+c'] }[strategy],
        strategy
      )
      t.equal(
        log.filter((entry) => entry === '+c').length,
        strategy === 'one_for_one' ? 0 : 1,
        'not before b'
      )
    }
  }
)
