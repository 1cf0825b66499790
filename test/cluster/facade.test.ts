// The options `node` and `cluster` of a system and of the plugin, with several real nodes.
import Fastify from 'fastify'
import t from 'tap'
import { TestCluster } from './nodes.js'
import { wsRelay } from '../../lib/index.js'
import { memory, MemoryHub } from '../../lib/cluster/engines/memory.js'
import { redis } from '../../lib/cluster/engines/redis.js'
import { createProcesses } from '../../lib/process/index.js'
import { until } from '../helpers.js'
import { modulePath, modulesLoadedBy } from '../program.js'
import { deferred, probe } from '../process/helpers.js'
import type { Pid } from '../../types/pid.js'
import type { Process, ProcessSystem } from '../../types/processes.js'

async function started (processes: ProcessSystem, options = {}): Promise<Process> {
  const self = deferred<Process>()
  processes.spawn(async (given) => {
    self.resolve(given)
    await given.receive({ topic: '@exit' })
  }, options)
  return await self.promise
}

t.test('is ready at once when there is no cluster', async (t) => {
  const processes = createProcesses()
  await processes.ready()
  t.equal(processes.cluster, undefined)
  await processes.close()
})

t.test('names an engine that does not answer, without its credentials', async (t) => {
  const url = 'redis://user:secret@127.0.0.1:1'
  const processes = createProcesses({ node: 'a', cluster: redis({ url, startTimeout: 50 }) })
  await t.rejects(processes.ready(), {
    message: 'The cluster is unavailable: ' +
      "the engine 'redis' at 127.0.0.1:1 did not answer within 50 ms"
  })
  await processes.close()
})

t.test('loads no file of lib/cluster when the option is absent', async (t) => {
  const script = `
    const { default: wsRelay } = await import(${JSON.stringify(modulePath('lib/index.ts'))})
    const { createProcesses } = await import(${JSON.stringify(modulePath('lib/process/index.ts'))})
    const { default: Fastify } = await import('fastify')
    const app = Fastify()
    await app.register(wsRelay)
    await app.ready()
    await app.close()
    const processes = createProcesses()
    await processes.close()
  `
  const stdout = await modulesLoadedBy(script)
  t.match(stdout, /lib\/process\/runtime\.[jt]s/, 'the trace has loaded files')
  t.notMatch(stdout, /lib\/cluster\//)
})

t.test('refuses to spawn a process when the node has not joined yet', async (t) => {
  const cluster = new TestCluster(t)
  const processes = createProcesses({ node: 'a', cluster: cluster.engine() })
  t.throws(() => processes.spawn(() => {}), { code: 'FST_CLUSTER_NOT_READY' })
  t.equal(processes.cluster, undefined)
  await processes.ready()
  t.match(processes.cluster, { node: 'a' })
  t.match(processes.spawn(() => {}), /^1@a\./)
  await processes.close()
  t.match(processes.cluster?.health(), { ready: false, problem: 'closed' })
})

t.test('has no cluster when it is closed while the engine is away', async (t) => {
  const cluster = new TestCluster(t)
  cluster.hub.stop()
  const processes = createProcesses({ node: 'a', cluster: cluster.engine() })
  const ready = processes.ready().then(() => 'joined', () => 'given up')
  await new Promise(setImmediate)
  await processes.close()
  await ready
  t.equal(processes.cluster, undefined)
})

t.test('fails with FST_CLUSTER_UNAVAILABLE when the engine does not answer in time', async (t) => {
  const cluster = new TestCluster(t)
  cluster.hub.stop()
  const engine = { ...cluster.engine(), startTimeout: 20 }
  const processes = createProcesses({ node: 'a', cluster: engine })
  await t.rejects(processes.ready(), { code: 'FST_CLUSTER_UNAVAILABLE' })
  t.throws(() => processes.spawn(() => {}), { code: 'FST_CLUSTER_NOT_READY' })
  await processes.close()
  const app = Fastify()
  t.teardown(() => app.close())
  await t.rejects(
    async () => {
      await app.register(wsRelay, { node: 'b', cluster: { ...cluster.engine(), startTimeout: 20 } })
    },
    { code: 'FST_CLUSTER_UNAVAILABLE' }
  )
})

t.test('gives the failure of the engine as the cause when the start fails', async (t) => {
  const engine = new TestCluster(t).engine()
  const cause = new Error('self-signed certificate')
  let fail!: (error: Error) => void
  Object.assign(engine.transport, {
    open: () => new Promise<void>((resolve, reject) => { fail = reject }),
    close: async () => { fail(new Error('closed', { cause })) }
  })
  const processes = createProcesses({ node: 'a', cluster: { ...engine, startTimeout: 20 } })
  await t.rejects(processes.ready(), { code: 'FST_CLUSTER_UNAVAILABLE', cause })
  await processes.close()
})

t.test('never joins when the system is closed before', async (t) => {
  const cluster = new TestCluster(t)
  const a = await cluster.node('a')
  const closing = { code: 'FST_PROCESS_CLOSING' }
  const atOnce = createProcesses({ node: 'b', cluster: cluster.engine() })
  const refused = t.rejects(atOnce.ready(), closing)
  await atOnce.close()
  await refused
  t.strictSame([a.cluster!.nodes(), atOnce.cluster], [[], undefined])
  const meanwhile = createProcesses({ node: 'c', cluster: cluster.engine() })
  const refusedToo = t.rejects(meanwhile.ready(), closing)
  await until(() => a.cluster!.nodes().length === 1)
  await meanwhile.close()
  await refusedToo
  t.equal(meanwhile.cluster, undefined)
})

t.test('loses its cluster-wide names and closes when its node name is taken', async (t) => {
  const cluster = new TestCluster(t)
  const first = await cluster.node('a')
  const holder = first.spawn((self) => self.serve({}))
  await first.cluster!.names.register('leader', holder)
  const ended = first.exited(holder)
  const second = createProcesses({ node: 'a', cluster: cluster.engine(), closeTimeout: 20 })
  t.teardown(() => second.close())
  await second.ready()
  t.match(await ended, { reason: 'name_lost' })
  t.match(first.cluster!.health(), { ready: false, problem: 'node name taken' })
  t.match(second.cluster!.health(), { ready: true })
  await until(() => first.list().length === 0)
  t.throws(() => first.spawn(() => {}), { code: 'FST_PROCESS_CLOSING' }, 'the first one has closed')
})

t.test(
  'closes the server, or stays without a cluster as configured, when its node name is taken',
  async (t) => {
    for (const whenNameTaken of ['close', 'stay'] as const) {
      const hub = new MemoryHub()
      const app = Fastify()
      t.teardown(() => app.close())
      const closed = new Promise<void>((resolve) => {
        app.addHook('onClose', async () => {
          resolve()
        })
      })
      await app.register(wsRelay, { node: 'a', cluster: memory({ hub, whenNameTaken }) })
      app.get('/', async () => 'here')
      await app.listen({ host: '127.0.0.1', port: 0 })
      const second = createProcesses({ node: 'a', cluster: memory({ hub }) })
      t.teardown(() => second.close())
      await second.ready()
      await until(() => !app.processes.cluster!.health().ready)
      t.match(app.processes.cluster!.health(), { problem: 'node name taken' })
      if (whenNameTaken === 'close') await closed
      t.equal(app.server.listening, whenNameTaken === 'stay', whenNameTaken)
      if (whenNameTaken === 'stay') t.equal((await app.inject('/')).body, 'here')
    }
  }
)

t.test('logs that the server cannot close when its node name is taken', async (t) => {
  const hub = new MemoryHub()
  const { promise: logged, resolve } = deferred<unknown>()
  const app = Fastify({
    logger: {
      level: 'error',
      stream: {
        write (line: string) {
          if (line.includes('closing failed')) resolve(JSON.parse(line))
        }
      }
    }
  })
  app.addHook('onClose', async () => { throw new Error('it will not') })
  t.teardown(() => app.close().catch(() => {}))
  await app.register(wsRelay, { node: 'a', cluster: memory({ hub }) })
  const second = createProcesses({ node: 'a', cluster: memory({ hub }) })
  t.teardown(() => second.close())
  await second.ready()
  t.match(await logged, { msg: 'cluster: closing failed', err: { message: 'it will not' } })
})

t.test('rejects options when the node name or the engine is missing', async (t) => {
  const cluster = new TestCluster(t)
  const wrong: Array<[object, RegExp]> = [
    [{ cluster: cluster.engine() }, /'cluster' needs 'node'/],
    [{ node: 'a', cluster: {} }, /must be an engine/],
    [{ node: 'a', cluster: 'nats' }, /must be an engine/]
  ]
  for (const [options, message] of wrong) {
    t.throws(() => createProcesses(options as never), {
      code: 'FST_PROCESS_INVALID_OPTIONS',
      message
    })
    const app = Fastify()
    t.teardown(() => app.close())
    await t.rejects(
      async () => {
        await app.register(wsRelay, options as never)
      },
      { code: 'FST_WS_RELAY_INVALID_OPTIONS', message }
    )
  }
})

t.test('has a higher incarnation when the node is restarted', async (t) => {
  const cluster = new TestCluster(t)
  const first = await cluster.node('a')
  const before = first.spawn(() => {})
  await first.close()
  const second = createProcesses({ node: 'a', cluster: cluster.engine() })
  t.teardown(() => second.close())
  await second.ready()
  const after = second.spawn(() => {})
  const incarnation = (pid: string): number => parseInt(pid.split('.')[1], 36)
  t.ok(incarnation(after) > incarnation(before))
  t.match(await second.exited(before), { reason: 'noproc' })
})

t.test('delivers messages, calls, exits, monitors and links between nodes', async (t) => {
  const cluster = new TestCluster(t)
  const a = await cluster.node('a')
  const b = await cluster.node('b')
  const there = probe(b, { trapLinks: true })
  for (let i = 0; i < 100; i++) t.ok(a.send(there.pid, 'x', i))
  t.strictSame(
    (await there.until(100)).map(({ payload }) => payload),
    Array.from({ length: 100 }, (_, i) => i)
  )
  t.notOk(a.alive(there.pid))
  t.equal(a.info(there.pid), undefined)

  const double = b.spawn(async (self) => {
    await self.serve({
      double: (n: number, { reply }: any) => {
        reply(n * 2)
      },
      no: (_: unknown, { fail }: any) => {
        fail(new Error('no'))
      },
      end: () => {
        self.stop('gone')
      }
    } as never)
  }) as string
  t.equal(await a.call(double, 'double', 21), 42)
  await t.rejects(a.call(double, 'no'), {
    code: 'FST_PROCESS_CALL_FAILED',
    cause: { message: 'no' }
  })
  const exited = a.exited(double)
  await t.rejects(a.call(double, 'end'), { code: 'FST_PROCESS_CALL_FAILED' })
  t.match(await exited, { pid: double, reason: 'gone' })
  await t.rejects(a.call(double, 'double', 1), { code: 'FST_PROCESS_NOT_ALIVE' })
  t.match(await a.exited(double), { reason: 'noproc' })

  const peer = await started(a)
  peer.link(there.pid)
  await until(() => b.info(there.pid)?.links.length === 1)
  a.exit(peer.pid, 'boom')
  t.match((await there.until(101))[100], {
    topic: '@link_down',
    payload: { pid: peer.pid, reason: 'boom' }
  })
  const cancelled = a.exited(there.pid)
  t.ok(a.cancel(there.pid))
  t.match(await cancelled, { reason: 'shutdown' })
})

t.test('finds a cluster-wide name on every node, and no local name', async (t) => {
  const cluster = new TestCluster(t)
  const a = await cluster.node('a')
  const b = await cluster.node('b')
  const { pid } = await started(a)
  const held = await a.cluster!.names.register('leader', pid)
  t.match(await b.cluster!.names.lookup('leader'), { pid, fence: held.fence })
  const other = await started(b)
  await t.rejects(b.cluster!.names.register('leader', other.pid), {
    code: 'FST_CLUSTER_NAME_TAKEN'
  })
  t.equal(b.names.lookup('leader'), undefined, 'local names are separate')
})

t.test('delivers a broadcast to the members of a group on every node', async (t) => {
  const cluster = new TestCluster(t)
  const a = await cluster.node('a')
  const b = await cluster.node('b')
  const members = [probe(a), probe(b), probe(b)]
  await a.cluster!.groups.join('room', members[0].pid)
  await b.cluster!.groups.join('room', members[1].pid)
  await b.cluster!.groups.join('room', members[2].pid)
  t.strictSame(
    new Set((await a.cluster!.groups.members('room')).members),
    new Set(members.map(({ pid }) => pid))
  )
  t.ok(a.cluster!.groups.broadcast('room', 'news', { text: 'hello' }))
  for (const member of members) {
    t.match(await member.until(1), [{ topic: 'news', payload: { text: 'hello' } }])
  }
})

t.test('tells a process when a watched node comes up or goes down', async (t) => {
  const cluster = new TestCluster(t)
  const a = await cluster.node('a')
  const watcher = probe(a)
  const both = probe(a)
  t.strictSame(a.cluster!.watch(watcher.pid), [])
  a.cluster!.watch(watcher.pid)
  a.cluster!.watch(both.pid)
  a.cluster!.unwatch(both.pid)
  a.cluster!.unwatch(both.pid)
  const b = await cluster.node('b')
  t.match(await watcher.until(1), [
    { topic: '@node', payload: { node: 'b', state: 'up' }, from: undefined }
  ])
  const target = await started(b)
  const monitor = a.spawn(async (self) => {
    self.monitor(target.pid)
    await self.receive({ topic: '@exit' })
  })
  const gone = a.exited(monitor)
  await b.close()
  t.match((await watcher.until(2))[1], { topic: '@node', payload: { node: 'b', state: 'down' } })
  await gone
  t.strictSame(both.seen, [])
  a.exit(watcher.pid)
  t.throws(() => a.cluster!.watch(watcher.pid), { code: 'FST_PROCESS_NOT_ALIVE' })
  t.throws(() => a.cluster!.watch('@no pid'), { code: 'FST_PROCESS_INVALID_PID' })
  t.match(a.cluster!.stats(), { up: 0 })
  t.strictSame(a.cluster!.health(), { ready: true })
})

t.test('refuses a PID that is not local as holder of a name or member of a group', async (t) => {
  const cluster = new TestCluster(t)
  const a = await cluster.node('a')
  const b = await cluster.node('b')
  const { pid } = probe(b)
  for (const [to, code] of [
    [pid, 'FST_PROCESS_NOT_ALIVE'],
    ['1@a.abc' as Pid, 'FST_PROCESS_NOT_ALIVE'],
    ['{no pid}' as Pid, 'FST_PROCESS_INVALID_PID']
  ] as const) {
    await t.rejects(a.cluster!.names.register('name', to), { code })
    await t.rejects(a.cluster!.groups.join('group', to), { code })
  }
  b.exit(pid)
})

t.test('joins before the plugin is ready, and leaves when all processes have ended', async (t) => {
  const cluster = new TestCluster(t)
  const b = await cluster.node('b')
  const app = Fastify()
  await app.register(wsRelay, { node: 'a', cluster: cluster.engine(), closeTimeout: 20 })
  t.equal(app.processes.cluster?.node, 'a')
  const there = probe(b)
  const dying = app.processes.spawn(async function last (self) {
    await self.serve({})
    self.send(there.pid as string, 'goodbye')
  })
  await until(() => app.processes.info(dying)?.status === 'waiting')
  const exited = b.exited(dying)
  await until(() => b.cluster!.nodes().some(({ node, state }) => node === 'a' && state === 'up'))
  await app.close()
  t.match(await there.until(1), [{ topic: 'goodbye', from: dying as Pid }])
  t.match(await exited, { pid: dying })
})
