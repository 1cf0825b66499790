// The start and the close of a node, and what it and others report of them.
import t from 'tap'
import { TestCluster, watcher } from '../support.js'
import { SimulatedTransport } from '../simulation/engine.js'
import type { TestNode } from '../support.js'
import type { Pid } from '../../../types/pid.js'

t.test(
  'reports other nodes as down, and then their processes, when it closes or its name is taken',
  async (t) => {
    const ways: ((cluster: TestCluster, a: TestNode) => Promise<unknown>)[] = [
      async (cluster) => {
        await cluster.settle(cluster.make('a').cluster.start())
      },
      async (cluster, a) => {
        await cluster.settle(a.cluster.close())
      }
    ]
    for (const end of ways) {
      const cluster = new TestCluster()
      const [a, b] = await cluster.start('a', 'b')
      const to = b.here.spawn()
      const order: unknown[] = []
      await cluster.join(b, to)
      await cluster.settle(
        a.cluster.groups.watch('room', ({ left }) => {
          order.push({ left })
        })
      )
      a.cluster.watchNodes((node, state) => {
        order.push([node, state, a.cluster.nodes()[0].state])
      })
      a.cluster.remote.monitor(to, {
        targetEnded ({ reason }) {
          order.push(reason)
        }
      })
      await cluster.run(100)
      await end(cluster, a)
      await cluster.run(3000)
      t.strictSame(order, [['b', 'down', 'down'], { left: [to] }, 'noconnection'])
      t.equal(a.cluster.stats().up, 0)
      t.equal(a.machine.timers, 0)
    }
  }
)

t.test('fails to start in time when the engine is away', async (t) => {
  const cluster = new TestCluster()
  cluster.engine.up = false
  const a = cluster.make('a')
  t.match(a.cluster.health(), { problem: 'starting' })
  await t.rejects(cluster.settle(a.cluster.start()), { code: 'FST_CLUSTER_UNAVAILABLE' })
  t.equal(a.machine.timers, 0)
})

t.test('marks a node and its processes as down at once when it leaves', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const order: unknown[] = []
  const end = a.cluster.watchNodes((node, state) => { order.push([node, state]) })
  const to = b.here.spawn()
  a.cluster.remote.monitor(to, { targetEnded ({ reason }) { order.push(reason) } })
  await cluster.run(100)
  await cluster.settle(b.cluster.close())
  await cluster.run(100)
  t.strictSame(order, [['b', 'down'], 'noconnection'], 'first the node, then its processes')
  end()
  t.notOk(a.cluster.remote.exit(to, 'x'))
  t.notOk(a.cluster.remote.cancel(to, 'x', undefined))
})

t.test('reports nodes, stalls, leases and the engine to the operator', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a', 'b')
  const pid = a.here.spawn()
  await cluster.register(a, 'leader', pid)
  const lines = (text: string) =>
    a.logged.filter((line) => line.text.startsWith(`cluster: ${text}`))
  t.match(lines('a node is up'), [{ level: 'info', data: { relayNode: 'b' } }])

  a.machine.frozenUntil = cluster.world.now + 3000
  await cluster.run(4000)
  const stalls = lines('the event loop stood still')
  t.match(stalls, [{ level: 'warn' }])
  const { ms } = stalls[0].data as { ms: number }
  t.ok(ms > 2500 && ms <= 3000, `about 3 s: ${ms}`)
  t.match(a.cluster.stats(), { stalls: 1, fences: 0, up: 1 })

  cluster.engine.stop(false)
  await cluster.run(12_000)
  t.match(lines('the engine is away'), [{ level: 'warn', data: { engine: 'simulation' } }])
  t.strictSame(a.cluster.health(), { ready: false, problem: 'engine away' })
  t.match(lines('this node lost its lease'), [{ level: 'warn', data: { names: 1 } }])
  t.match(lines('a name is lost'), [
    { level: 'warn', data: { relayName: 'leader', relayPid: pid } }
  ])
  t.match(lines('a node is down'), [
    { level: 'warn', data: { relayNode: 'b', why: 'it is silent' } }
  ])
  t.match(a.cluster.stats(), { fences: 1, up: 0 })

  cluster.engine.start()
  await cluster.run(5000)
  t.match(lines('the engine is back'), [{ level: 'info' }])
  t.equal(lines('a node is up').length, 2)
  t.strictSame(a.cluster.health(), { ready: true })
})

t.test(
  'rejects the start with the error of the engine, and stops, when the engine refuses',
  async (t) => {
    const cluster = new TestCluster()
    const refusal = new Error('no such account')
    const a = cluster.make('a', { open: () => Promise.reject(refusal) })
    await t.rejects(cluster.settle(a.cluster.start()), refusal)
    t.match(a.cluster.health(), { problem: 'closed' })
    t.equal(a.machine.timers, 0)
  }
)

t.test('knows no other node when it has not started', async (t) => {
  const { cluster } = new TestCluster().make('a')
  t.strictSame(cluster.nodes(), [])
  t.equal(cluster.stats().up, 0)
  const monitor = watcher()
  cluster.remote.monitor('1@b.1' as Pid, monitor)
  t.match(monitor.exits, [{ reason: 'noconnection' }])
})

t.test('ends its start at each step, unseen by others, when it is closed meanwhile', async (t) => {
  const steps: ((a: TestNode) => Partial<TestNode['transport']>)[] = [
    // While it claims its incarnation.
    ({ cluster, transport }) => ({
      async cas (key, value, revision) {
        await cluster.close()
        return await SimulatedTransport.prototype.cas.call(transport, key, value, revision)
      }
    }),
    // While it subscribes to the heartbeats, and then to its inbox.
    ({ cluster }) => ({ subscribe: () => cluster.close() }),
    ({ cluster, transport }) => ({
      subscribe: (topic, listener) =>
        topic.includes('.n.')
          ? cluster.close()
          : SimulatedTransport.prototype.subscribe.call(transport, topic, listener)
    }),
    // While it waits for the answers to its hello.
    ({ cluster, transport }) => ({
      publish (topic, frame) {
        cluster.close().catch(() => {})
        return SimulatedTransport.prototype.publish.call(transport, topic, frame)
      }
    })
  ]
  for (const change of steps) {
    const cluster = new TestCluster()
    const [b] = await cluster.start('b')
    const a = cluster.make('a')
    Object.assign(a.transport, change(a))
    await cluster.settle(a.cluster.start())
    await cluster.run(2000)
    t.match(a.cluster.health(), { problem: 'closed' })
    t.equal(a.machine.timers, 0)
    t.ok(b.cluster.nodes().every(({ state }) => state === 'down'))
  }
})

t.test('says bye when it is closed after its hello', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const seen: unknown[] = []
  a.cluster.watchNodes((node, state) => {
    seen.push([node, state])
  })
  const b = cluster.make('b')
  const starting = b.cluster.start()
  while (seen.length === 0) await cluster.run(10)
  await cluster.settle(b.cluster.close())
  await cluster.run(100)
  t.strictSame(seen, [
    ['b', 'up'],
    ['b', 'down']
  ])
  await cluster.settle(starting)
})
