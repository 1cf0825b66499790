// `register`, `lookup` and `unregister` in a cluster whose engine works.
import t from 'tap'
import { TestCluster } from '../support.js'
import { timings } from '../../../lib/cluster/timing.js'
import type { NodeNames } from '../../../lib/cluster/names/names.js'
import type { Pid } from '../../../types/pid.js'

t.test('gives a name to one process at a time, until it ends or unregisters the name', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const [one, two] = [a.here.spawn(), a.here.spawn()]
  const there = b.here.spawn()
  const { names } = a.cluster
  const first = await cluster.settle(names.register('leader', one))
  t.equal(first.pid, one)
  t.strictSame(await cluster.settle(names.register('leader', one)), first, 'again')
  await t.rejects(cluster.settle(names.register('leader', two)), {
    code: 'FST_CLUSTER_NAME_TAKEN',
    message: new RegExp(one)
  })
  await t.rejects(cluster.register(b, 'leader', there), {
    code: 'FST_CLUSTER_NAME_TAKEN',
    message: new RegExp(one)
  })
  t.strictSame(await cluster.lookup(b, 'leader'), first)
  t.strictSame((names as NodeNames).holder('leader'), first)
  t.equal(await cluster.settle(b.cluster.names.unregister('leader')), false)
  t.equal(await cluster.settle(names.unregister('leader')), true)
  t.equal((names as NodeNames).holder('leader'), undefined)
  t.equal(await cluster.lookup(b, 'leader'), undefined)
  const second = await cluster.register(b, 'leader', there)
  t.ok(second.fence > first.fence)
  b.here.end(there, 'done')
  await cluster.run(100)
  t.equal(await cluster.settle(names.lookup('leader')), undefined)
  await cluster.run(10_000)
  t.equal(a.cluster.size + b.cluster.size, 0)
  t.equal(a.here.processes.get(one)!.watchers.size, 0)
})

t.test('gives a name to the first of two processes of a node that register it', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const [one, two] = [a.here.spawn(), a.here.spawn()]
  const claims = Promise.allSettled([
    a.cluster.names.register('leader', one),
    a.cluster.names.register('leader', two)
  ])
  t.match(await cluster.settle(claims), [
    { status: 'fulfilled', value: { pid: one } },
    { status: 'rejected', reason: { code: 'FST_CLUSTER_NAME_TAKEN' } }
  ])
})

t.test('refuses an invalid name, and a PID that is no live process of this node', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const { names } = a.cluster
  await t.rejects(names.register('@no/name', a.here.spawn()), { code: 'FST_PROCESS_INVALID_NAME' })
  await t.rejects(names.lookup(''), { code: 'FST_PROCESS_INVALID_NAME' })
  await t.rejects(names.unregister('1@node.x'), { code: 'FST_PROCESS_INVALID_NAME' })
  for (const pid of ['x', 5]) {
    await t.rejects(names.register('leader', pid as Pid), { code: 'FST_PROCESS_INVALID_PID' })
  }
  for (const pid of [b.here.spawn(), `99${a.here.suffix}`]) {
    await t.rejects(names.register('leader', pid as Pid), { code: 'FST_PROCESS_NOT_ALIVE' })
  }
  const pid = a.here.spawn()
  const claim = names.register('leader', pid)
  a.here.end(pid, 'done')
  await t.rejects(
    cluster.settle(claim),
    { code: 'FST_PROCESS_NOT_ALIVE' },
    'it ended while it was asked for'
  )
  await cluster.run(10_000)
  t.equal(a.cluster.size, 0)
  t.equal(await cluster.settle(names.lookup('leader')), undefined)
})

t.test(
  'logs no lost lease and counts no fence when a node tries to get a taken name',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const pid = a.here.spawn()
    await cluster.register(a, 'leader', pid)
    for (let i = 0; i < 3; i++) {
      await t.rejects(cluster.register(b, 'leader'), {
        code: 'FST_CLUSTER_NAME_TAKEN'
      })
      await cluster.run(timings.default.lease + 100)
    }
    t.equal(b.cluster.stats().fences, 0)
    t.strictSame(
      b.logged.filter(({ level }) => level !== 'info'),
      []
    )
  }
)

t.test('releases its names when it leaves', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const pid = a.here.spawn()
  await cluster.register(a, 'leader', pid)
  await cluster.settle(a.cluster.close())
  t.equal(a.machine.timers, 0)
  t.equal(a.here.processes.get(pid)!.watchers.size, 0)
  t.strictSame(a.reported, [])
  await t.rejects(a.cluster.names.register('leader', pid), { code: 'FST_CLUSTER_UNAVAILABLE' })
  await t.rejects(a.cluster.names.lookup('leader'), { code: 'FST_CLUSTER_UNAVAILABLE' })
  const [c] = await cluster.start('c')
  t.ok(await cluster.register(c, 'leader'), 'at once')
})
