import t from 'tap'
import { build, buildRuntime, held, probe, settle } from '../helpers.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'

const wait = (self: Process): Promise<unknown> => self.receive({ topic: '@exit' })
const garbage = [undefined, null, 5, {}, '', 'no\nname', Symbol('x'), 'x'.repeat(257)]

t.test('accepts a name wherever a PID is accepted', async (t) => {
  const processes = build(t)
  const pid = processes.spawn(
    (self) =>
      self.serve({}, ({ reply }) => {
        reply('hello')
      }),
    { name: 'greeter' }
  )
  t.equal(processes.names.lookup('greeter'), pid)
  t.ok(processes.alive('greeter'))
  t.ok(processes.send('greeter', 'x'))
  t.equal(await processes.call('greeter', 'x'), 'hello')
  t.match(processes.info('greeter'), { pid, names: ['greeter'] })
  processes.names.register('alias', 'greeter')
  processes.groups.join('greeters', 'alias')
  t.strictSame(processes.groups.members('greeters'), [pid])
  t.ok(processes.groups.leave('greeters', 'greeter'))
  const exited = processes.exited('alias')
  t.ok(processes.cancel('alias'))
  t.match(await exited, { pid, reason: 'shutdown' })
  for (const name of ['greeter', 'alias']) {
    t.equal(processes.names.lookup(name), undefined)
    t.notOk(processes.alive(name))
    t.notOk(processes.send(name, 'x'))
    t.notOk(processes.exit(name))
    t.notOk(processes.cancel(name))
    t.equal(processes.info(name), undefined)
    t.match(await processes.exited(name), { pid: name, reason: 'noproc' })
  }
})

t.test('registers live processes only, and each name once', async (t) => {
  const processes = build(t)
  const pid = processes.spawn(wait)
  processes.names.register('one', pid)
  t.throws(() => processes.names.register('one', pid), { code: 'FST_PROCESS_NAME_TAKEN' })
  t.throws(() => processes.names.register('two', '7@local.abc'), { code: 'FST_PROCESS_NOT_ALIVE' })
  t.throws(() => processes.names.register('two', 'nobody'), { code: 'FST_PROCESS_NOT_ALIVE' })
  t.ok(processes.names.unregister('one'))
  t.notOk(processes.names.unregister('one'))
  for (const wrong of garbage) {
    t.throws(() => processes.names.register(wrong as string, pid), {
      code: 'FST_PROCESS_INVALID_NAME'
    })
    t.throws(() => processes.names.register('two', wrong as string), {
      code: 'FST_PROCESS_INVALID_PID'
    })
    t.equal(processes.names.lookup(wrong as string), undefined)
    t.notOk(processes.names.unregister(wrong as string))
  }
})

t.test('adds live processes to groups, by PID or name', async (t) => {
  const processes = build(t)
  const pid = processes.spawn(wait)
  t.ok(processes.groups.join('g', pid))
  t.notOk(processes.groups.join('g', '7@local.abc'))
  t.notOk(processes.groups.leave('g', '7@local.abc'))
  t.strictSame(processes.groups.list(), ['g'])
  t.strictSame(processes.info(pid)?.groups, ['g'])
  t.throws(() => processes.groups.watch('g', '7@local.abc'), { code: 'FST_PROCESS_NOT_ALIVE' })
  processes.groups.unwatch('g', '7@local.abc')
  const { groups } = processes
  for (const wrong of garbage) {
    const code = 'FST_PROCESS_INVALID_NAME'
    for (const task of [
      () => groups.join(wrong as string, pid),
      () => groups.leave(wrong as string, pid),
      () => groups.members(wrong as string),
      () => groups.watch(wrong as string, pid),
      () => groups.unwatch(wrong as string, pid),
      () => groups.broadcast(wrong as string, 'x')
    ]) { t.throws(task, { code }) }
    for (const task of [
      () => groups.join('g', wrong as string),
      () => groups.leave('g', wrong as string),
      () => groups.watch('g', wrong as string),
      () => groups.unwatch('g', wrong as string)
    ]) { t.throws(task, { code: 'FST_PROCESS_INVALID_PID' }) }
    if (wrong !== 'no\nname') {
      t.throws(() => groups.broadcast('g', wrong as string), { code: 'FST_PROCESS_INVALID_TOPIC' })
    }
  }
})

t.test(
  'broadcasts to each member once, without the excepted one, and counts the accepted ones',
  async (t) => {
    const processes = build(t)
    const [one, two] = [probe(processes), probe(processes)]
    const full = processes.spawn(wait, { mailboxLimit: 1 })
    processes.send(full, 'x')
    for (const pid of [one.pid, one.pid, two.pid, full]) processes.groups.join('g', pid)
    const payload = {}
    t.equal(processes.groups.broadcast('g', 'news', payload), 2)
    t.equal(processes.groups.broadcast('g', 'more', payload, { except: one.pid }), 1)
    t.equal(processes.groups.broadcast('g', 'last', payload, null as never), 2)
    t.equal(processes.groups.broadcast('empty', 'news'), 0)
    const sender = processes.spawn((self) => self.groups.broadcast('g', 'from', payload))
    t.equal((await processes.exited(sender)).value, 2)
    await settle()
    t.strictSame(
      one.seen.map(({ topic }) => topic),
      ['news', 'last', 'from']
    )
    t.strictSame(
      two.seen.map(({ topic }) => topic),
      ['news', 'more', 'last', 'from']
    )
    t.equal(one.seen[0].payload, payload, 'by reference')
    t.equal(one.seen[2].from, sender)
    t.equal(one.seen[0].from, undefined)
  }
)

t.test(
  'broadcasts without a member that is excepted by its name, and throws for a wrong address',
  async (t) => {
    const processes = build(t)
    const [one, two] = [probe(processes, { name: 'one' }), probe(processes)]
    for (const { pid } of [one, two]) processes.groups.join('g', pid)
    t.equal(processes.groups.broadcast('g', 'named', 1, { except: 'one' }), 1)
    t.equal(processes.groups.broadcast('g', 'unset', 1, { except: undefined }), 2)
    t.equal(processes.groups.broadcast('g', 'ended', 1, { except: '7@local.abc' }), 2)
    for (const wrong of garbage.slice(1)) {
      t.throws(() => processes.groups.broadcast('g', 'wrong', 1, { except: wrong as string }), {
        code: 'FST_PROCESS_INVALID_PID'
      })
    }
    await settle()
    t.strictSame(
      one.seen.map(({ topic }) => topic),
      ['unset', 'ended']
    )
    t.strictSame(
      two.seen.map(({ topic }) => topic),
      ['named', 'unset', 'ended']
    )
  }
)

t.test('returns the members to a watcher, and sends it each change', async (t) => {
  const { runtime, processes } = buildRuntime()
  const member = processes.spawn(wait)
  const watcher = probe(processes)
  processes.groups.join('g', member)
  t.strictSame(processes.groups.watch('g', watcher.pid), [member])
  const other = processes.spawn(wait)
  processes.groups.join('g', other)
  processes.exit(member)
  processes.groups.leave('g', other)
  t.match(await watcher.until(3), [
    { topic: '@group', payload: { group: 'g', joined: [other], left: [] } },
    { topic: '@group', payload: { group: 'g', joined: [], left: [member] } },
    { topic: '@group', payload: { group: 'g', joined: [], left: [other] } }
  ])
  processes.exit(watcher.pid)
  processes.groups.join('g', other)
  processes.exit(other)
  t.strictSame(held(runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
})

t.test('removes queued updates by unwatch and by a new watch', async (t) => {
  const processes = build(t)
  const watcher = probe(processes)
  const [one, two] = [processes.spawn(wait), processes.spawn(wait)]
  const { groups } = processes
  groups.watch('g', watcher.pid)
  groups.watch('h', watcher.pid)
  groups.join('g', one)
  groups.join('g', two)
  groups.join('h', one)
  groups.unwatch('g', watcher.pid)
  groups.leave('g', one)
  t.strictSame(groups.watch('g', watcher.pid), [two])
  groups.join('g', one)
  t.strictSame(groups.watch('g', watcher.pid), [two, one])
  groups.leave('g', two)
  await settle()
  t.match(
    watcher.seen.map(({ payload }) => payload),
    [
      { group: 'h', joined: [one] },
      { group: 'g', joined: [], left: [two] }
    ]
  )
})

t.test('merges changes into the last message while the mailbox of a watcher is full', async (t) => {
  const processes = build(t)
  const watcher = probe(processes, { mailboxLimit: 2 })
  const pids: Pid[] = Array.from({ length: 20 }, () => processes.spawn(wait))
  processes.groups.watch('g', watcher.pid)
  for (const pid of pids) processes.groups.join('g', pid)
  for (const pid of pids.slice(2)) processes.groups.leave('g', pid)
  t.equal(processes.info(watcher.pid)?.mailbox, 2)
  await settle()
  t.match(
    watcher.seen.map(({ payload }) => payload),
    [
      { joined: [pids[0]], left: [] },
      { joined: [pids[1]], left: [] }
    ]
  )
  processes.groups.leave('g', pids[0])
  t.match((await watcher.until(3))[2], { payload: { joined: [], left: [pids[0]] } })
})

t.test('lets a connection watch a group', async (t) => {
  const { runtime, processes } = buildRuntime()
  const pid = runtime.pids.nextPid()
  runtime.processTable.addEntity({
    pid,
    kind: 'ws',
    trapLinks: false,
    deliver: () => true,
    notify: () => {},
    end: () => {},
    linkFailed: () => {},
    cancel: () => true,
    describe: () => ({
      kind: 'supervisor',
      label: '',
      status: 'waiting',
      mailbox: 0,
      monitors: [],
      uptime: 0
    })
  })
  t.strictSame(processes.groups.watch('g', pid), [])
  processes.groups.unwatch('g', pid)
  t.equal(runtime.groupTable.size, 0)
  t.throws(() => processes.spawn(() => {}, { monitor: pid }), { code: 'FST_PROCESS_INVALID_SPEC' })
})
