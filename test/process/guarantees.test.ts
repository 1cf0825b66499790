// One test for each guarantee of the README. It fails when the code breaks the guarantee.
import { mock } from 'node:test'
import t from 'tap'
import { createServer, get } from 'node:http'
import { getEventListeners, once } from 'node:events'
import { createProcesses } from '../../lib/process/index.js'
import { build, buildRuntime, deferred, drain, held, probe, settle } from './helpers.js'
import type { AddressInfo } from 'node:net'
import type { Loose } from './helpers.js'
import type { Process } from '../../types/processes.js'

t.test('delivers messages and exits from one sender to one receiver in order', async (t) => {
  const processes = build(t)
  const receiver = probe(processes)
  const sender = processes.spawn(async (self) => {
    for (let i = 0; i < 500; i++) {
      self.send(receiver.pid, i % 2 === 0 ? 'even' : 'odd', i)
      if (i % 50 === 0) await settle()
    }
    throw new Error('and then it ended')
  }, { monitor: receiver.pid })
  const seen = await receiver.until(501)
  t.strictSame(
    seen.slice(0, 500).map(({ payload }) => payload),
    Array.from({ length: 500 }, (_, i) => i)
  )
  t.match(seen[500], { topic: '@exit', payload: { pid: sender, reason: 'error' } })
})

t.test('delivers a message at most once, and never a refused one', async (t) => {
  const processes = build(t)
  const seen: unknown[] = []
  const pid = processes.spawn(async (self) => {
    // A selective receive, two loops and handlers read from one mailbox.
    seen.push((await self.receive({ topic: '@cancel', timeout: 0 }))?.payload)
    const racing = self.receive().then(({ payload }) => { seen.push(payload) })
    let count = 0
    for await (const { payload } of self.inbox) {
      seen.push(payload)
      if (++count === 10) break
    }
    await racing
    await self.serve({}, ({ payload }) => { seen.push(payload) })
  }, { mailboxLimit: 40 })
  const accepted: unknown[] = [undefined]
  for (let i = 0; i < 60; i++) if (processes.send(pid, `topic ${i % 3}`, i)) accepted.push(i)
  t.equal(accepted.length, 41)
  while (seen.length < accepted.length) await settle()
  await settle()
  const order = (a: unknown, b: unknown): number => Number(a ?? -1) - Number(b ?? -1)
  t.strictSame(seen.sort(order), accepted.sort(order))
})

t.test('applies link, monitor and name before the body runs', async (t) => {
  const processes = build(t)
  const watcher = probe(processes, { trapLinks: true })
  const pid = processes.spawn(() => {
    t.equal(processes.names.lookup('early'), pid)
    throw new Error('in its first step')
  }, { name: 'early', link: watcher.pid, monitor: watcher.pid })
  t.match(
    (await watcher.until(2)).map(({ topic, payload }) => [topic, payload]),
    [
      ['@link_down', { pid, reason: 'error' }],
      ['@exit', { pid, reason: 'error' }]
    ]
  )
})

t.test('spawn throws and starts nothing when the name is taken', async (t) => {
  const { runtime, processes } = buildRuntime()
  const holder = processes.spawn((self) => self.receive(), { name: 'taken' })
  const before = held(runtime)
  t.throws(
    () =>
      processes.spawn(() => t.fail('started'), { name: 'taken', link: holder, monitor: holder }),
    { code: 'FST_PROCESS_NAME_TAKEN' }
  )
  t.strictSame(held(runtime), before)
  await settle()
  t.equal(processes.names.lookup('taken'), holder)
  processes.exit(holder)
})

t.test('affects no other process when a body throws, rejects or has endless mail', async (t) => {
  const processes = build(t)
  const server = createServer((_request, response) => {
    response.end('served')
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const other = processes.spawn<Loose>((self) =>
    self.serve({
      ping: (_payload, { reply }) => {
        reply('pong')
      }
    })
  )
  const again = (self: Process<Loose>) => (): void => { self.send(self.pid, 'again') }
  const endless: Array<(self: Process<Loose>) => unknown> = [
    (self) => self.serve({ again: again(self) }),
    (self) => self.serve({ again: async () => { again(self)() } }),
    async (self) => { for await (const { topic } of self.inbox) self.send(self.pid, topic) },
    async (self) => { for (;;) { await self.receive(); again(self)() } },
    () => { throw new Error('thrown') },
    async () => { throw new Error('rejected') },
    (self) => self.serve({ again () { throw new Error('handler') } })
  ]
  for (const body of endless) {
    for (let i = 0; i < 20; i++) processes.send(processes.spawn(body), 'again')
  }
  for (let i = 0; i < 5; i++) {
    const [response] = await once(get({ port, host: '127.0.0.1', agent: false }), 'response')
    t.equal(response.statusCode, 200)
    response.resume()
    t.equal(await processes.call(other, 'ping'), 'pong')
  }
  t.equal(processes.stats().exited.error, 60)
})

t.test('keeps nothing of an ended process', async (t) => {
  const { runtime, processes } = buildRuntime()
  const other = processes.spawn((self) => self.serve({ '@exit': () => {} }, () => {}))
  const signal = deferred<AbortSignal>()
  const controller = new AbortController()
  const pid = processes.spawn(async (self) => {
    self.names.register('second', self.pid)
    self.groups.join('g', self.pid)
    self.groups.watch('h', self.pid)
    self.monitor(other)
    self.link(other)
    self.sendAfter('1h', other, 'x')
    self.sendEvery('1h', other, 'x')
    self.call(other, 'x', 1, { timeout: '1h', signal: controller.signal }).catch(() => {})
    self.receive({ topic: 'never', timeout: '1h' }).catch(() => {})
    signal.resolve(self.signal)
    await self.receive({ topic: 'never' })
  }, { name: 'first', monitor: other })
  processes.send(pid, 'unread')
  await signal.promise
  t.equal(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length, 4)
  processes.exit(pid)
  t.strictSame(held(runtime), { alive: 1, relations: 0, names: 0, groups: 0 })
  t.equal(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length, 0)
  t.equal(getEventListeners(controller.signal, 'abort').length, 0)
  t.ok((await signal.promise).aborted)
  t.equal(processes.stats().deadLetters, 1)
  processes.exit(other)
})

t.test(
  'close stops supervisors first, and does not wait for code that ignores its end',
  async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] })
    t.teardown(() => {
      mock.timers.reset()
    })
    const processes = createProcesses({ closeTimeout: 20 })
    const log: string[] = []
    const body = async (self: Process, name: string): Promise<void> => {
      await drain(self.inbox)
      log.push(name)
    }
    const last = processes.exited(processes.spawn(body, { args: ['old'] }))
    processes.supervise({
      children: ['a', 'b'].map((id) => ({ id, start: body, args: [id] as const }))
    })
    processes.spawn(body, { args: ['young'] })
    const ignoring = processes.spawn(() => new Promise(() => {}))
    const exited = processes.exited(ignoring)
    await settle()
    const closed = processes.close()
    t.throws(() => processes.spawn(() => {}), { code: 'FST_PROCESS_CLOSING' })
    await last
    t.strictSame(log, ['b', 'a', 'young', 'old'])
    mock.timers.tick(20)
    await closed
    t.match(await exited, { reason: 'shutdown' })
    t.strictSame(processes.list(), [])
  }
)
