// The incarnation that a node starts with, and later nodes of the same name.
import t from 'tap'
import { crash, TestCluster } from '../support.js'
import { batchTypes, encodeNumber, encodeSource } from '../../../lib/cluster/link/codec.js'
import { SimulatedTransport } from '../simulation/engine.js'
import { errorCodes } from '../../../lib/errors.js'
import type { TestNode } from '../support.js'

t.test('starts with the incarnation of the register when that is higher', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const before = parseInt(a.here.suffix.split('.')[1], 36)
  await cluster.settle(a.cluster.close())
  await cluster.run(2000)
  const again = cluster.make('a', {}, 1000)
  t.ok(await cluster.settle(again.cluster.start()) > before)
  t.match(a.cluster.health(), { ready: false, problem: 'closed' })
})

t.test('closes and reports it when a later node has taken its name', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const other = cluster.make('a')
  await cluster.settle(other.cluster.start())
  await cluster.run(3000)
  t.ok(a.reported[0] instanceof errorCodes.FST_CLUSTER_NODE_NAME_TAKEN)
  t.match(a.cluster.health(), { problem: 'node name taken' })
  t.strictSame(other.cluster.health(), { ready: true })
})

/**
 * A node `b` that remembers a crashed incarnation of `a`, 10 minutes ahead of the clock, and a
 * register that has lost its data.
 */
async function rememberedIncarnation (): Promise<{
  cluster: TestCluster
  b: TestNode
  known: number
}> {
  const cluster = new TestCluster()
  const [b] = await cluster.start('b')
  const known = Math.floor(cluster.world.now) + 600_000
  const first = cluster.make('a', {}, known)
  await cluster.settle(first.cluster.start())
  await cluster.run(2000)
  t.match(b.cluster.nodes(), [{ node: 'a', incarnation: known, state: 'up' }])
  await crash(first)
  cluster.loseData()
  await cluster.run(10_000)
  return { cluster, b, known }
}

t.test(
  'starts above the incarnation that others remember when its clock and the register are behind',
  async (t) => {
    const { cluster, b, known } = await rememberedIncarnation()
    const again = cluster.make('a')
    const subscribed = new Set<string>()
    const { subscribe, unsubscribe } = again.transport
    again.transport.subscribe = async (topic, listener) => {
      subscribed.add(topic)
      await subscribe.call(again.transport, topic, listener)
    }
    again.transport.unsubscribe = async (topic) => {
      subscribed.delete(topic)
      await unsubscribe.call(again.transport, topic)
    }
    const incarnation = await cluster.settle(again.cluster.start())
    t.ok(incarnation > known)
    again.here.suffix = `@a.${incarnation.toString(36)}`
    await cluster.run(1000)
    t.match(b.cluster.nodes(), [{ node: 'a', incarnation, state: 'up' }])
    t.match(again.cluster.nodes(), [{ node: 'b', state: 'up' }])
    t.strictSame(
      [...subscribed].sort(),
      ['test.hb', `test.n.a.${incarnation.toString(36)}`],
      'it has one inbox'
    )
    const pid = again.here.spawn()
    await cluster.run(10_000)
    t.match(
      await cluster.register(again, 'leader', pid),
      { pid },
      'and its names work'
    )
    t.strictSame(
      again.logged.filter(({ level }) => level === 'fatal'),
      []
    )
  }
)

/** Starts `a` while `b` is cut off, and then lets `b` send it the later incarnation. */
async function startBelowRemembered (
  changes: Partial<SimulatedTransport> = {}
): Promise<{ cluster: TestCluster, a: TestNode, b: TestNode, known: number }> {
  const { cluster, b, known } = await rememberedIncarnation()
  cutOff(b)
  await cluster.run(2000)
  const a = cluster.make('a')
  await cluster.settle(a.cluster.start())
  t.strictSame(a.cluster.health(), { ready: true })
  Object.assign(a.transport, changes)
  b.transport.partitioned = false
  b.transport.reconnect()
  await cluster.run(3000)
  t.match(a.cluster.health(), { ready: false, problem: 'node name taken' })
  t.match(a.reported, [errorCodes.FST_CLUSTER_NODE_NAME_TAKEN])
  return { cluster, a, b, known }
}

function cutOff ({ transport }: TestNode): void {
  transport.partitioned = true
  transport.cut()
}

t.test('closes when another node remembers a later incarnation after the start', async (t) => {
  const { cluster, a, b, known } = await startBelowRemembered()
  await cluster.settle(a.cluster.close())
  t.equal(a.machine.timers, 0)
  cutOff(b)
  await cluster.run(2000)
  const next = cluster.make('a')
  const incarnation = await cluster.settle(next.cluster.start())
  t.equal(incarnation, known + 1, 'the next start is above it, though nobody could say so')
})

t.test('closes for a later incarnation when the register fails, or does not answer', async (t) => {
  const registers: Partial<SimulatedTransport>[] = [
    { get: () => Promise.reject(new Error('The connection broke')) },
    { get: () => new Promise(() => {}) },
    { cas: () => Promise.reject(new Error('The connection broke')) },
    { cas: () => new Promise(() => {}) },
    { cas: () => Promise.resolve(0) }
  ]
  for (const changes of registers) {
    const { cluster, a } = await startBelowRemembered(changes)
    await cluster.settle(a.cluster.close())
    await cluster.run(3000)
    t.equal(a.machine.timers, 0)
  }
})

t.test('ends its start when it is closed while it claims a higher incarnation', async (t) => {
  const { cluster } = await rememberedIncarnation()
  const again = cluster.make('a')
  const starting = again.cluster.start()
  const { cas } = again.transport
  let claims = 0
  again.transport.cas = async (key, value, revision) => {
    if (key.startsWith('test.incarnation.') && ++claims === 2) again.cluster.close().catch(t.fail)
    return await cas.call(again.transport, key, value, revision)
  }
  await cluster.settle(starting)
  t.match(again.cluster.health(), { problem: 'closed' })
  await cluster.run(5000)
  t.equal(again.machine.timers, 0)
})

t.test('ignores a later incarnation that is malformed or not later', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const [, incarnation] = a.here.suffix.split('.')
  const say = (rest: Buffer): void => {
    b.transport.publish(
      `test.n.a.${incarnation}`,
      Buffer.concat([encodeSource({ type: batchTypes.outdated, node: 'b', incarnation: 1 }), rest])
    )
  }
  say(Buffer.alloc(3))
  await cluster.run(100)
  t.equal(a.cluster.stats().garbage, 1)
  say(encodeNumber(parseInt(incarnation, 36)))
  await cluster.run(100)
  t.equal(a.cluster.stats().garbage, 1)
  t.strictSame(a.cluster.health(), { ready: true })
})

t.test('reports once that its name is taken when it learns that while it closes', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const { flush } = a.transport
  let leave = (): void => {}
  a.transport.flush = async () => {
    await new Promise<void>((resolve) => { leave = resolve })
    a.transport.flush = flush
  }
  const closed = a.cluster.close()
  await cluster.settle(cluster.make('a').cluster.start())
  await cluster.run(5000)
  t.match(a.reported, [errorCodes.FST_CLUSTER_NODE_NAME_TAKEN])
  t.equal(a.reported.length, 1)
  leave()
  await cluster.settle(closed)
  t.match(a.cluster.health(), { problem: 'node name taken' })
  t.equal(a.machine.timers, 0)
})

t.test(
  'loses its cluster-wide names, and stops all timers, when its node name is taken',
  async (t) => {
    const cluster = new TestCluster()
    const [a] = await cluster.start('a')
    const pid = a.here.spawn()
    await cluster.register(a, 'leader', pid)
    await cluster.settle(cluster.make('a').cluster.start())
    await cluster.run(3000)
    t.match(a.reported, [{ lost: 'leader', pid }, errorCodes.FST_CLUSTER_NODE_NAME_TAKEN])
    t.equal(a.machine.timers, 0)
    t.equal(a.cluster.size, 0)
  }
)

t.test(
  'keeps its own incarnation and has no names when the engine has neither register nor probe',
  async (t) => {
    const cluster = new TestCluster()
    const caps = { name: 'plain', maxFrame: 64 * 1024, registry: false, probe: false }
    const nodes = ['a', 'b'].map((name) => cluster.make(name, { caps }, 1000))
    const [a, b] = nodes
    for (const { cluster: node } of nodes) t.equal(await cluster.settle(node.start()), 1000)
    await cluster.run(2000)
    t.match(a.cluster.nodes(), [{ node: 'b', state: 'up' }])
    await t.rejects(a.cluster.names.lookup('leader'), {
      code: 'FST_CLUSTER_NO_REGISTRY',
      message: /'plain'/
    })
    await crash(b)
    await cluster.run(10_000)
    t.match(a.cluster.nodes(), [{ node: 'b', state: 'down' }], 'its silence is enough')
  }
)
