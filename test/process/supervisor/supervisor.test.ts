import t from 'tap'
import { build, deferred, drain, probe, recordingLogger, settle } from '../helpers.js'
import { strategies } from '../../../lib/process/supervisor/supervisor.js'
import { family, pidOf, restarted, supervise } from './family.js'

t.test('starts children in order and stops them in reverse', async (t) => {
  const processes = build(t)
  const { log, child } = family()
  const supervisor = await supervise(processes, {
    name: 'family',
    children: [child('a', { name: 'first' }), child('b'), child('c')]
  })
  t.match(processes.info('family'), { kind: 'supervisor', label: 'family', pid: supervisor.pid })
  t.equal(processes.info(processes.supervise({}).pid)?.label, 'supervisor')
  t.equal(processes.names.lookup('first'), pidOf(supervisor, 'a'))
  processes.cancel(supervisor.pid)
  t.match(await processes.exited(supervisor.pid), { reason: 'shutdown' })
  t.strictSame(log, ['+a', '+b', '+c', '-c', '-b', '-a'])
  t.strictSame(supervisor.children(), [])
})

t.test('restarts the children that the strategy selects', async (t) => {
  const expected = {
    one_for_one: ['+b'],
    one_for_all: ['-c', '-a', '+a', '+b', '+c'],
    rest_for_one: ['-c', '+b', '+c']
  } as const
  for (const strategy of ['one_for_one', 'one_for_all', 'rest_for_one'] as const) {
    const processes = build(t)
    const { log, child } = family()
    const supervisor = await supervise(processes, {
      strategy,
      children: [child('a'), child('b', { name: 'b' }), child('c')]
    })
    log.length = 0
    const before = pidOf(supervisor, 'b')
    processes.exit('b', 'boom')
    t.not(await restarted(supervisor, 'b', before), before)
    await settle()
    t.strictSame(log, expected[strategy], strategy)
    t.equal(processes.names.lookup('b'), pidOf(supervisor, 'b'), 'under its name')
    t.strictSame(
      supervisor.children().map(({ restarts }) => restarts),
      strategy === 'one_for_one' ? [0, 1, 0] : strategy === 'one_for_all' ? [1, 1, 1] : [0, 1, 1]
    )
  }
})

t.test(
  'restarts permanent children always, transient ones after failures, temporary ones never',
  async (t) => {
    const processes = build(t)
    const { child } = family()
    const supervisor = await supervise(processes, {
      maxRestarts: 10,
      children: [
        child('p'),
        child('t', { restart: 'transient' }),
        child('n', { restart: 'temporary' })
      ]
    })
    for (const reason of ['normal', 'shutdown', 'boom']) {
      const before = pidOf(supervisor, 'p')
      processes.exit(before, reason)
      await restarted(supervisor, 'p', before)
    }
    const before = pidOf(supervisor, 't')
    processes.exit(before, 'boom')
    processes.exit(await restarted(supervisor, 't', before), 'shutdown')
    processes.exit(pidOf(supervisor, 'n'), 'boom')
    await settle()
    t.match(supervisor.children(), [
      { id: 'p', restarts: 3 },
      { id: 't', pid: undefined, restarts: 1 }
    ])
    t.equal(supervisor.children().length, 2, 'a temporary child is forgotten')
  }
)

t.test(
  'restarts an ended transient child with its siblings, but no temporary one, as OTP does',
  async (t) => {
    const processes = build(t)
    const { log, child } = family()
    const supervisor = await supervise(processes, {
      strategy: 'one_for_all',
      children: [
        child('t', { restart: 'transient' }),
        child('n', { restart: 'temporary' }),
        child('p')
      ]
    })
    processes.exit(pidOf(supervisor, 't'), 'normal')
    await settle()
    log.length = 0
    const before = pidOf(supervisor, 'p')
    processes.exit(before, 'boom')
    await restarted(supervisor, 'p', before)
    await settle()
    t.strictSame(log, ['-n', '+t', '+p'])
    t.strictSame(
      supervisor.children().map(({ id }) => id),
      ['t', 'p']
    )
  }
)

t.test(
  'ends the children and the supervisor with restart_intensity after too many restarts',
  async (t) => {
    const { logger, lines } = recordingLogger()
    const processes = build(t, { logger })
    const { log, child } = family()
    const watcher = probe(processes)
    const supervisor = processes.supervise({
      maxRestarts: 2,
      children: [
        child('a'),
        {
          id: 'crash',
          start: () => {
            throw new Error('broken')
          }
        }
      ]
    })
    const exit = await processes.exited(supervisor.pid)
    t.equal(exit.reason, 'restart_intensity')
    t.match(lines.at(-2), {
      level: 'error',
      args: [{ child: 'crash' }, 'too many restarts: the supervisor gives up']
    })
    t.strictSame(log, ['+a', '-a'])
    t.equal(processes.stats().exited.error, 3)
    t.throws(() => supervisor.startChild(child('late')), { code: 'FST_PROCESS_NOT_ALIVE' })
    await t.rejects(supervisor.stopChild('a'), { code: 'FST_PROCESS_NOT_ALIVE' })
    t.strictSame(processes.list(), [watcher.pid])
  }
)

t.test('restarts a nested supervisor like any other child', async (t) => {
  const processes = build(t)
  const { log, child } = family()
  const supervisor = await supervise(processes, {
    children: [
      child('a'),
      {
        id: 'inner',
        name: 'inner',
        start: { maxRestarts: 0, name: 'unused', children: [child('b', { name: 'b' })] }
      }
    ]
  })
  const before = pidOf(supervisor, 'inner')
  t.equal(processes.names.lookup('inner'), before)
  processes.exit('b', 'boom')
  const after = await restarted(supervisor, 'inner', before)
  await settle()
  t.equal(processes.names.lookup('inner'), after)
  t.match(processes.info(after), { kind: 'supervisor' })
  t.strictSame(log, ['+a', '+b', '+b'])
  t.equal(processes.stats().exited.restart_intensity, 1)
})

t.test('starts no child after a cancel during a restart', async (t) => {
  const processes = build(t)
  const { log, child } = family()
  const gate = deferred()
  const supervisor = await supervise(processes, {
    strategy: 'one_for_all',
    children: [
      child('a'),
      {
        id: 'slow',
        start: async (self) => {
          await drain(self.inbox)
          await gate.promise
        }
      }
    ]
  })
  processes.exit(pidOf(supervisor, 'a'), 'boom')
  await settle()
  processes.cancel(supervisor.pid)
  t.throws(() => supervisor.startChild(child('late')), { code: 'FST_PROCESS_NOT_ALIVE' })
  gate.resolve()
  t.match(await processes.exited(supervisor.pid), { reason: 'shutdown' })
  t.strictSame(log, ['+a'])
})

t.test('restarts each child once after two failures while a slow child is stopped', async (t) => {
  const processes = build(t)
  const { log, child } = family()
  const gate = deferred()
  let slowStarts = 0
  const supervisor = await supervise(processes, {
    strategy: 'rest_for_one',
    maxRestarts: 10,
    children: [
      child('a'),
      child('b'),
      {
        id: 'slow',
        start: async (self) => {
          slowStarts++
          await drain(self.inbox)
          await gate.promise
        }
      }
    ]
  })
  const before = pidOf(supervisor, 'a')
  processes.exit(pidOf(supervisor, 'b'), 'boom')
  await settle()
  processes.exit(before, 'boom')
  gate.resolve()
  await restarted(supervisor, 'a', before)
  await settle()
  t.strictSame(log.filter((entry) => entry.endsWith('a')), ['+a', '+a'])
  t.equal(slowStarts, log.filter((entry) => entry === '+b').length)
  t.equal(processes.stats().alive, 4)
})

t.test('ignores a queued exit that an earlier restart has already handled', async (t) => {
  const { logger, firstLine } = recordingLogger()
  const processes = build(t, { logger })
  const { log, child } = family()
  const [stopping, gate] = [deferred(), deferred()]
  const supervisor = await supervise(processes, {
    strategy: 'one_for_all',
    maxRestarts: 50,
    children: [child('a'), child('b', { name: 'b' })]
  })
  processes.exit('b', 'boom')
  const thief = processes.spawn((self) => self.receive(), { name: 'b' })
  await firstLine
  supervisor.startChild({
    id: 'slow',
    start: async (self) => {
      await drain(self.inbox)
      stopping.resolve()
      await gate.promise
    }
  })
  // The next attempt has begun, and waits for the slow child.
  await stopping.promise
  log.length = 0
  processes.exit(pidOf(supervisor, 'a'), 'boom')
  processes.exit(thief)
  await settle()
  gate.resolve()
  while (processes.stats().alive < 4) await settle()
  t.strictSame(log, ['+a', '+b'])
  t.match(supervisor.children(), [{ id: 'a' }, { id: 'b' }, { id: 'slow', restarts: 1 }])
})

t.test('drops messages of other processes to a supervisor', async (t) => {
  const processes = build(t)
  const supervisor = await supervise(processes, {})
  processes.send(supervisor.pid, 'hello')
  await t.rejects(processes.call(supervisor.pid, 'hello'), { code: 'FST_PROCESS_CALL_FAILED' })
  t.ok(processes.alive(supervisor.pid))
  t.throws(() => processes.supervise(undefined as never), { code: 'FST_PROCESS_INVALID_SPEC' })
})

t.test('a process per room is a child added by name', async (t) => {
  const processes = build(t)
  const { child } = family()
  const rooms = processes.supervise({ name: 'rooms' })
  for (const id of ['lobby', 'garden']) {
    rooms.startChild(child(id, { name: `room:${id}`, restart: 'transient' }))
  }
  t.equal(processes.names.lookup('room:garden'), pidOf(rooms, 'garden'))
})

t.test('each strategy selects the children to restart', async (t) => {
  const children = ['a', 'b', 'c']
  t.strictSame(strategies.one_for_one(children, 'b'), ['b'])
  t.strictSame(strategies.one_for_all(children, 'b'), ['a', 'b', 'c'])
  t.strictSame(strategies.rest_for_one(children, 'b'), ['b', 'c'])
})
