import t from 'tap'
import { mock } from 'node:test'
import {
  build,
  buildRuntime,
  deferred,
  drain,
  held,
  probe,
  recordingLogger,
  settle
} from '../helpers.js'
import { ManualClock, ticks } from '../../properties/clock.js'
import { strategies } from '../../../lib/process/supervisor/supervisor.js'
import type { Pid } from '../../../types/pid.js'
import type {
  ChildSpec,
  Process,
  ProcessSystem,
  Supervisor,
  SupervisorSpec
} from '../../../types/processes.js'

/** Children that log their start (`+id`) and their `@cancel` (`-id`). */
function family (): { log: string[], child (id: string, options?: Partial<ChildSpec>): ChildSpec } {
  const log: string[] = []
  const body = async (self: Process, id: string): Promise<void> => {
    log.push(`+${id}`)
    for await (const { topic } of self.inbox) if (topic === '@cancel') log.push(`-${id}`)
  }
  return { log, child: (id, options) => ({ id, start: body, args: [id], ...options } as ChildSpec) }
}

const pidOf = (supervisor: Supervisor, id: string): Pid =>
  supervisor.children().find((child) => child.id === id)?.pid ?? ('0' as Pid)

/** Waits until a child has been restarted. */
async function restarted (supervisor: Supervisor, id: string, before: Pid): Promise<Pid> {
  for (let lap = 0; lap < 10_000; lap++) {
    if (![before, '0'].includes(pidOf(supervisor, id))) return pidOf(supervisor, id)
    await new Promise(setImmediate)
  }
  throw new Error(`'${id}' was not restarted`)
}

async function supervise (processes: ProcessSystem, spec: SupervisorSpec): Promise<Supervisor> {
  const supervisor = processes.supervise(spec)
  await settle()
  return supervisor
}

/** Mocks the timers: a backoff is over when the test ticks. */
function stopClock (t: { teardown (task: () => void): void }): void {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
}

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
    t.match(lines.at(-1), {
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

t.test(
  'a backoff delays restarts, longer each time, and does not count as running time',
  async (t) => {
    const clock = new ManualClock()
    const { runtime, processes } = buildRuntime({ clock })
    t.teardown(() => runtime.close(0))
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
