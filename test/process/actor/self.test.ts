import t from 'tap'
import {
  build,
  buildRuntime,
  deferred,
  drain,
  held,
  probe,
  recordingLogger,
  settle,
  type AnyMessage,
  type Loose
} from '../helpers.js'
import type { Process } from '../../../types/processes.js'

async function started (processes: ReturnType<typeof buildRuntime>['processes']): Promise<Process> {
  const self = deferred<Process>()
  processes.spawn(async (given) => { self.resolve(given); await drain(given.inbox) })
  return await self.promise
}

t.test('sends messages from its own PID, with the payload by reference', async (t) => {
  const processes = build(t)
  const receiver = probe(processes)
  const payload = { a: 1 }
  const pid = processes.spawn(async (self) => {
    self.send(receiver.pid, 'x', payload)
    self.cancel(receiver.pid, 'please')
  })
  const [first, second] = await receiver.until(2)
  t.equal(first.payload, payload)
  t.equal(first.from, pid)
  t.match(second, { topic: '@cancel', from: pid, payload: { from: pid, reason: 'please' } })
})

t.test('spawnLink and spawnMonitor link and monitor before the body runs', async (t) => {
  const { processes } = buildRuntime()
  const self = await started(processes)
  const linked = self.spawnLink((child) => child.receive())
  t.strictSame(processes.info(self.pid)?.links, [linked])
  const { pid, monitor } = self.spawnMonitor((child) => child.receive(), { name: 'worker' })
  t.strictSame(processes.info(self.pid)?.monitors, [pid])
  t.type(monitor, 'number')
  processes.exit(linked, 'boom')
  t.notOk(processes.alive(self.pid))
  t.ok(processes.alive(pid))
  processes.exit(pid)
})

t.test('spawnLink and spawnMonitor keep the link and the monitor of their options', async (t) => {
  const { processes } = buildRuntime()
  const self = await started(processes)
  const other = await started(processes)
  const linked = self.spawnLink((child) => child.receive(), { link: other.pid })
  t.strictSame(new Set(processes.info(linked)?.links), new Set([self.pid, other.pid]))
  const { pid } = self.spawnMonitor((child) => child.receive(), { monitor: other.pid })
  for (const watcher of [self, other]) t.strictSame(processes.info(watcher.pid)?.monitors, [pid])
  self.trapLinks = true
  t.notOk(
    processes.alive(self.spawnLink(() => {}, { link: '7@local.abc' })),
    'a dead link: it does not start'
  )
  for (const { pid } of [self, other]) processes.exit(pid)
})

t.test('timers send messages until the process ends', async (t) => {
  const { runtime, processes } = buildRuntime()
  const self = await started(processes)
  const receiver = probe(processes, { name: 'receiver' })
  self.sendAfter(0, 'receiver', 'once', 1)
  self.sendAfter('1ms', receiver.pid, 'never').cancel()
  self.sendEvery(1, receiver.pid, 'again')
  await receiver.until(4)
  t.match(receiver.seen.filter(({ topic }) => topic === 'once'), [{ payload: 1, from: self.pid }])
  t.notOk(receiver.seen.some(({ topic }) => topic === 'never'))
  processes.exit(self.pid)
  const { sent } = processes.stats()
  t.equal(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length, 0)
  await settle()
  t.equal(processes.stats().sent, sent)
  processes.exit(receiver.pid)
  t.strictSame(held(runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
})

t.test('resolves the name when a timer is due', async (t) => {
  const processes = build(t)
  const self = await started(processes)
  self.sendAfter(0, 'later', 'x', 5)
  const receiver = probe(processes, { name: 'later' })
  t.match(await receiver.until(1), [{ topic: 'x', payload: 5, from: self.pid }])
})

t.test('throws for wrong timer arguments when the timer is created', async (t) => {
  const { processes } = buildRuntime()
  const self = await started(processes)
  for (const start of [self.sendAfter, self.sendEvery]) {
    for (const [args, code] of [
      [['soon', self.pid, 'x'], 'FST_PROCESS_INVALID_DURATION'],
      [[undefined, self.pid, 'x'], 'FST_PROCESS_INVALID_DURATION'],
      [[2 ** 31, self.pid, 'x'], 'FST_PROCESS_INVALID_DURATION'],
      [[1, undefined, 'x'], 'FST_PROCESS_INVALID_PID'],
      [[1, {}, 'x'], 'FST_PROCESS_INVALID_PID'],
      [[1, self.pid, '@exit'], 'FST_PROCESS_INVALID_TOPIC'],
      [[1, self.pid], 'FST_PROCESS_INVALID_TOPIC']
    ] as const) { t.throws(() => start.apply(self, args as never), { code }) }
  }
  t.throws(() => self.sendEvery(0, self.pid, 'x'), { code: 'FST_PROCESS_INVALID_DURATION' })
  self.sendAfter(0, 'anything at all', 'x')
  await new Promise((resolve) => setTimeout(resolve, 1))
  await settle()
  t.equal(processes.stats().deadLetters, 1)
  processes.exit(self.pid)
})

t.test('finds the same processes as code outside', async (t) => {
  const { processes } = buildRuntime({ node: 'here' })
  const self = await started(processes)
  const other = processes.spawn(
    function other (child) {
      return child.receive()
    },
    { name: 'other' }
  )
  t.equal(self.node, 'here')
  t.equal(self.cluster, undefined)
  t.ok(self.alive('other') && self.alive(other))
  t.notOk(self.alive('nobody'))
  t.match(self.info('other'), { pid: other, label: 'other', names: ['other'] })
  t.equal(self.info('nobody'), undefined)
  t.strictSame(self.list(), processes.list())
  const exit = self.exited('other')
  await t.rejects(self.exited(other, { signal: AbortSignal.abort(new Error('given up')) }), {
    message: 'given up'
  })
  processes.exit(other, 'done')
  t.strictSame(await exit, { pid: other, reason: 'done' })
  t.match(await self.exited(other), { reason: 'noproc' })
  processes.exit(self.pid)
})

t.test('rejects pending calls and waits when the process ends', async (t) => {
  const { runtime, processes } = buildRuntime()
  const self = await started(processes)
  const other = await started(processes)
  const before = held(runtime)
  const exit = self.exited(other.pid)
  t.equal(held(runtime).relations, before.relations + 1)
  // This promise is not awaited: it must cause no unhandled rejection.
  const forgotten = self.exited(other.pid)
  t.ok(forgotten instanceof Promise)
  processes.exit(self.pid, 'done')
  await t.rejects(exit, { code: 'FST_PROCESS_STOPPED' })
  t.equal(held(runtime).relations, before.relations)
  await t.rejects(self.exited(other.pid), { code: 'FST_PROCESS_STOPPED' })
  const controller = new AbortController()
  const outside = processes.exited(other.pid, { signal: controller.signal })
  controller.abort(new Error('given up'))
  await t.rejects(outside, { message: 'given up' })
  t.equal(held(runtime).relations, before.relations)
  processes.exit(other.pid)
})

t.test('emits no leak warning for many listeners of the signal', async (t) => {
  const warnings: Error[] = []
  const warned = (warning: Error): void => { warnings.push(warning) }
  process.on('warning', warned)
  t.teardown(() => { process.off('warning', warned) })
  const processes = build(t)
  const callee = processes.spawn<Loose>((self) =>
    self.serve({
      ask: (value: number, { reply }: AnyMessage) => {
        self.sendAfter(1, self.pid, 'answer', () => {
          reply(value)
        })
      },
      answer: (answer: () => void) => {
        answer()
      }
    })
  )
  const pid = processes.spawn<Loose>(async (self) => {
    const all = Array.from({ length: 20 }, (_, i) =>
      self.call(callee, 'ask', i, { signal: self.signal })
    )
    for (let i = 0; i < 20; i++) AbortSignal.any([self.signal])
    return await Promise.all(all)
  })
  t.match((await processes.exited(pid)).value, Array.from({ length: 20 }, (_, i) => i))
  await settle()
  t.strictSame(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning'), [])
})

t.test('creates one child of the runtime\'s logger', async (t) => {
  const { logger } = recordingLogger()
  const bindings: unknown[] = []
  const { processes } = buildRuntime({
    logger: {
      ...logger,
      child (given) {
        bindings.push(given)
        return logger
      }
    }
  })
  const self = await started(processes)
  t.equal(self.log, self.log)
  t.strictSame(bindings, [{ relayPid: self.pid }])
  processes.spawn(function room ({ log }) { log.info('here') })
  await settle()
  t.match(bindings[1], { relayPid: /@/, relayLabel: 'room' })
  processes.exit(self.pid)
})

t.test('a process supervises, exits others, and sees the same names and groups', async (t) => {
  const { processes } = buildRuntime()
  const self = await started(processes)
  const supervisor = self.supervise({ name: 'family' })
  t.equal(self.names.lookup('family'), supervisor.pid)
  t.equal(self.groups, self.groups)
  t.ok(self.exit(supervisor.pid))
  t.notOk(self.exit(supervisor.pid))
  t.notOk(self.cancel(supervisor.pid))
  t.throws(() => self.stop(''), { code: 'FST_PROCESS_INVALID_REASON' })
  processes.exit(self.pid)
})

t.test('throws for wrong arguments', async (t) => {
  const { processes } = buildRuntime()
  const self = await started(processes)
  for (const wrong of [undefined, null, 5, {}, [], Symbol('x')] as never[]) {
    const invalid = { code: 'FST_PROCESS_INVALID_PID' }
    for (const method of ['monitor', 'link', 'unlink', 'exit', 'cancel'] as const) {
      t.throws(() => self[method](wrong), invalid, method)
    }
    t.throws(() => self.send(wrong, 'x'), invalid)
    t.throws(() => self.spawn(wrong), { code: 'FST_PROCESS_INVALID_SPEC' })
    t.throws(() => self.spawnLink(wrong), { code: 'FST_PROCESS_INVALID_SPEC' })
    t.throws(() => self.spawnMonitor(wrong), { code: 'FST_PROCESS_INVALID_SPEC' })
    self.trapLinks = wrong
    t.type(self.trapLinks, 'boolean')
  }
  processes.exit(self.pid, 'kill')
})
