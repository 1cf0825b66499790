import t from 'tap'
import { build, buildRuntime, deferred, held, probe, settle } from './helpers.js'
import type { Pid } from '../../types/pid.js'
import type { Process } from '../../types/processes.js'
import type { SpawnOptions } from '../../types/options.js'

const wait = (self: Process): Promise<unknown> => self.receive({ topic: '@exit' })

t.test('applies the spawn options before the body runs', async (t) => {
  const processes = build(t)
  const watcher = probe(processes, { trapLinks: true })
  const seen = deferred<unknown>()
  const pid = processes.spawn(
    (self) => {
      seen.resolve([
        processes.names.lookup('worker'),
        processes.info(self.pid)?.links,
        processes.info(watcher.pid)?.monitors
      ])
    },
    { name: 'worker', link: watcher.pid, monitor: watcher.pid }
  )
  t.equal(processes.names.lookup('worker'), pid)
  t.strictSame(await seen.promise, [pid, [watcher.pid], [pid]])
})

t.test('starts nothing when spawn throws', async (t) => {
  const { runtime, processes } = buildRuntime()
  const pid = processes.spawn(wait, { name: 'taken' })
  const before = held(runtime)
  const cases: Array<[SpawnOptions<[]>, string]> = [
    [{ name: 'taken' }, 'FST_PROCESS_NAME_TAKEN'],
    [{ name: 'no\nname' }, 'FST_PROCESS_INVALID_NAME'],
    [{ name: null as never }, 'FST_PROCESS_INVALID_NAME'],
    [{ name: 'free', link: '@no pid' as Pid }, 'FST_PROCESS_INVALID_PID'],
    [{ name: 'free', link: 5 as never }, 'FST_PROCESS_INVALID_PID'],
    [{ name: 'free', link: pid, monitor: null as never }, 'FST_PROCESS_INVALID_PID'],
    [{ name: 'free', link: pid, monitor: '7@local.abc' as Pid }, 'FST_PROCESS_NOT_ALIVE'],
    [{ name: 'free', mailboxLimit: 0 }, 'FST_PROCESS_INVALID_SPEC']
  ]
  for (const [options, code] of cases) {
    t.throws(() => processes.spawn(() => t.fail('started'), options), { code })
  }
  await settle()
  t.strictSame(held(runtime), before)
  t.equal(processes.stats().spawned, 1)
  processes.exit(pid)
})

t.test('ends a process before it starts when it is linked with a dead one', async (t) => {
  const processes = build(t)
  const watcher = probe(processes)
  const pid = processes.spawn(() => t.fail('started'), {
    link: '7@local.abc' as Pid,
    monitor: watcher.pid
  })
  t.match(await watcher.until(1), [{ topic: '@exit', payload: { pid, reason: 'noproc' } }])
})

t.test(
  'send returns whether the message was accepted, and never throws for a string',
  async (t) => {
    const processes = build(t)
    const pid = processes.spawn(wait, { mailboxLimit: 1 })
    t.ok(processes.send(pid, 'x'))
    t.notOk(processes.send(pid, 'x'), 'full')
    for (const to of [
      '',
      'nobody',
      '1@',
      '@',
      '1@local',
      '7@local.abc',
      '1@elsewhere.abc',
      'x'.repeat(10_000),
      '__proto__',
      'toString',
      'a b\n',
      '\0'
    ]) { t.notOk(processes.send(to, 'x')) }
    t.match(processes.stats(), { refused: 1, deadLetters: 12 })
  }
)

t.test('throws with a code for wrong arguments', async (t) => {
  const processes = build(t)
  const pid = processes.spawn(wait)
  for (const wrong of [
    undefined,
    null,
    5,
    5n,
    true,
    {},
    [],
    () => {},
    Symbol('pid'),
    Object(pid)
  ] as unknown[] as never[]) {
    const invalid = { code: 'FST_PROCESS_INVALID_PID' }
    for (const method of ['exit', 'cancel', 'alive', 'info'] as const) {
      t.throws(() => processes[method](wrong), invalid, method)
    }
    t.throws(() => processes.send(wrong, 'x'), invalid)
    await t.rejects(processes.exited(wrong), invalid)
    if (wrong !== undefined) {
      for (const method of ['exit', 'cancel'] as const) {
        t.throws(() => processes[method](pid, wrong), { code: 'FST_PROCESS_INVALID_REASON' })
      }
    }
    t.throws(() => processes.send(pid, wrong as string), { code: 'FST_PROCESS_INVALID_TOPIC' })
  }
  for (const reason of ['', 'x'.repeat(257)]) {
    t.throws(() => processes.exit(pid, reason), { code: 'FST_PROCESS_INVALID_REASON' })
  }
  for (const topic of ['@exit', '@x', '']) {
    t.throws(() => processes.send(pid, topic), { code: 'FST_PROCESS_INVALID_TOPIC' })
  }
  t.ok(processes.alive(pid))
})

t.test('exited resolves with the exit of a process, at once for a dead one', async (t) => {
  const { runtime, processes } = buildRuntime()
  const pid = processes.spawn(() => 5)
  t.strictSame(await processes.exited(pid), { pid, reason: 'normal', value: 5 })
  t.strictSame(await processes.exited(pid), { pid, reason: 'noproc' })
  t.strictSame(await processes.exited('nobody'), { pid: 'nobody', reason: 'noproc' })
  t.match(await processes.exited('1@elsewhere.abc', null as never), { reason: 'noconnection' })
  for (const wrong of ['no\nname', '', '@1']) {
    await t.rejects(processes.exited(wrong), { code: 'FST_PROCESS_INVALID_PID' })
  }
  t.equal(runtime.relations.size, 0)
})

t.test('exited rejects when its signal aborts', async (t) => {
  const { runtime, processes } = buildRuntime()
  const pid = processes.spawn(wait)
  const controller = new AbortController()
  const { signal } = controller
  const exited = processes.exited(pid, { signal })
  controller.abort(new Error('enough'))
  await t.rejects(exited, { message: 'enough' })
  await t.rejects(processes.exited(pid, { signal }), { message: 'enough' })
  await t.rejects(processes.exited(pid, { signal: 5 as never }), {
    code: 'FST_PROCESS_INVALID_OPTIONS'
  })
  t.equal(runtime.relations.size, 0)
  const other = new AbortController()
  const ended = processes.exited(pid, { signal: other.signal })
  processes.exit(pid)
  t.match(await ended, { reason: 'shutdown' })
  other.abort()
})

t.test('info lists names, links, groups and monitors', async (t) => {
  const processes = build(t)
  const peer = processes.spawn(wait)
  const pid = processes.spawn(
    async function worker (self) {
      self.monitor(peer)
      await wait(self)
    },
    { name: 'worker', link: peer }
  )
  processes.groups.join('g', pid)
  await settle()
  t.match(processes.info(pid), {
    pid,
    kind: 'process',
    label: 'worker',
    names: ['worker'],
    status: 'waiting',
    mailbox: 0,
    links: [peer],
    monitors: [peer],
    groups: ['g']
  })
  t.type(processes.info(pid)?.uptime, 'number')
  t.equal(processes.info('7@local.abc'), undefined)
})
