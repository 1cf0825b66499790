// Names of nodes that are dead or cut off: when they are lost, and when others get them.
import t from 'tap'
import { crash, TestCluster } from '../support.js'
import { timings } from '../../../lib/cluster/timing.js'
import type { NodeNames } from '../../../lib/cluster/names/names.js'
import type { ClusterName } from '../../../types/cluster.js'

t.test('gets the name of a dead node when its lease was not renewed for long enough', async (t) => {
  for (let phase = 0; phase < 2000; phase += 250) {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const { fence } = await cluster.register(a, 'leader')
    await cluster.run(phase)
    const pid = b.here.spawn()
    const died = cluster.world.now
    await crash(a)
    let taken: { readonly fence: number } | undefined
    while (taken === undefined) {
      taken = await cluster.register(b, 'leader', pid).catch(async () => {
        await cluster.run(200)
        return undefined
      })
    }
    const took = cluster.world.now - died
    const { breakLease, renew } = timings.default
    t.ok(took > breakLease - renew && took < breakLease + 500, `after ${took} ms`)
    t.ok(taken.fence > fence)
  }
})

t.test(
  'loses its names when it is cut off for a lease, before another node has them',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const pid = a.here.spawn()
    const { fence } = await cluster.register(a, 'leader', pid)
    await cluster.run(5000)
    a.transport.partitioned = true
    a.transport.cut()
    const there = b.here.spawn()
    const since = cluster.world.now
    let lostAt: number | undefined
    const state: { taken?: ClusterName } = {}
    const claim = async (): Promise<void> => {
      while (state.taken === undefined) {
        state.taken = await b.cluster.names.register('leader', there).catch(() => undefined)
        await new Promise<void>((resolve) => {
          b.machine.after(100, resolve)
        })
      }
    }
    const claiming = claim()
    while (state.taken === undefined) {
      await cluster.run(20)
      if (lostAt === undefined && a.reported.length > 0) lostAt = cluster.world.now
    }
    const took = cluster.world.now - since
    await cluster.settle(claiming)
    t.match(a.reported, [{ lost: 'leader', pid }])
    const { lease, breakLease } = timings.default
    t.ok(lostAt! - since <= lease + 200, `lost after ${lostAt! - since} ms`)
    t.ok(took > lostAt! - since && took < breakLease + 800, `taken over after ${took} ms`)
    t.ok(state.taken.fence > fence)
    a.transport.partitioned = false
    a.transport.reconnect()
    await cluster.run(15_000)
    t.match(await cluster.lookup(a, 'leader'), { pid: there })
    t.equal(a.cluster.size, 0)
  }
)

t.test(
  'frees all names of a dead node at the same time, for one node and for several',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b, c] = await cluster.start('a', 'b', 'c')
    const names = ['w', 'x', 'y', 'z']
    const before = await cluster.settle(
      Promise.all(names.map((name) => a.cluster.names.register(name, a.here.spawn())))
    )
    await crash(a)
    await cluster.run(timings.default.breakLease - 2000)
    const claims = names.map((name, i) => {
      const {
        here,
        cluster: { names }
      } = i < 2 ? b : c
      return names.register(name, here.spawn())
    })
    const after = await cluster.settle(Promise.all(claims))
    t.ok(after.every(({ fence }, i) => fence > before[i].fence))
  }
)

t.test('breaks a lease at once when its node has been down for long enough', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const { fence } = await cluster.register(a, 'leader')
  await crash(a)
  const { down, breakLease } = timings.default
  await cluster.run(down + breakLease + 500)
  const start = cluster.world.now
  const taken = await cluster.register(b, 'leader')
  t.ok(cluster.world.now - start < 100, 'at once')
  t.ok(taken.fence > fence)
})

t.test('rejects when a name does not become free in time, and does not get it later', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  await cluster.register(a, 'leader')
  await crash(a)
  await cluster.run(timings.default.gone + 1000)
  const start = cluster.world.now
  const pids = [b.here.spawn(), b.here.spawn()]
  const claims = pids.map((pid) =>
    b.cluster.names.register('leader', pid).catch((err: unknown) => err)
  )
  for (const outcome of await cluster.settle(Promise.all(claims))) {
    t.match(outcome, { code: 'FST_CLUSTER_UNAVAILABLE', message: /did not become free in time/ })
  }
  t.ok(cluster.world.now - start <= timings.default.acquire + 100)
  await cluster.run(30_000)
  t.equal(b.cluster.size, 0)
  t.equal((b.cluster.names as NodeNames).holder('leader'), undefined)
  t.match(await cluster.register(b, 'leader', pids[0]), { pid: pids[0] })
})

t.test('survives an engine that is away for as long as channels survive', async (t) => {
  for (let phase = 0; phase < 2000; phase += 400) {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const held = await cluster.register(a, 'leader')
    await cluster.run(2500 + phase)
    cluster.engine.stop(false)
    await cluster.run(timings.default.down - 500)
    cluster.engine.start()
    await cluster.run(5000)
    t.strictSame(a.reported, [])
    t.strictSame((a.cluster.names as NodeNames).holder('leader'), held)
    for (const { logged } of [a, b]) {
      t.notOk(
        logged.some(({ text }) => text.includes('a node is down')),
        'and no node is down'
      )
    }
  }
})
