// Watchers of a group: changes, outages, and nodes that are asked for their members.
import t from 'tap'
import { TestCluster } from '../support.js'
import { roomTopic } from './support.js'
import type { ClusterGroupChange } from '../../../types/cluster.js'

t.test(
  'sends joins and leaves to watchers through the channel when the engine refuses them',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b, c] = await cluster.start('a', 'b', 'c')
    const changes: ClusterGroupChange[] = []
    await cluster.settle(
      b.cluster.groups.watch('room', (change) => {
        changes.push(change)
      })
    )
    const pid = a.here.spawn()
    const { publish } = a.transport
    a.transport.publish = (topic, frame) =>
      !topic.includes('.g.') && publish.call(a.transport, topic, frame)
    await cluster.join(a, pid)
    await cluster.run(100)
    await a.cluster.groups.leave('room', pid)
    await cluster.run(100)
    t.match(changes, [
      { joined: [pid], left: [] },
      { joined: [], left: [pid] }
    ])
    t.equal(c.cluster.size, 0)
  }
)

t.test(
  'notifies a watcher of changes, of lost nodes, and of changes during an outage',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const [here, there, late] = [a.here.spawn(), b.here.spawn(), b.here.spawn()]
    await cluster.join(b, there)
    const changes: Omit<ClusterGroupChange, 'group'>[] = []
    const listener = ({ joined, left }: ClusterGroupChange): void => {
      changes.push({ joined, left })
    }
    const clumsy = (): void => {
      throw new Error('a listener failed')
    }
    t.strictSame(await cluster.settle(a.cluster.groups.watch('room', clumsy)), {
      members: [there],
      missing: []
    })
    t.strictSame(await cluster.settle(a.cluster.groups.watch('room', listener)), {
      members: [there],
      missing: []
    })
    const newChanges = (): typeof changes => changes.splice(0)
    await cluster.join(a, here)
    t.strictSame(newChanges(), [{ joined: [here], left: [] }])
    await a.cluster.groups.leave('room', here)
    t.strictSame(newChanges(), [{ joined: [], left: [here] }])
    // A long partition: changes on `b` are reported afterwards.
    b.transport.partitioned = true
    b.transport.cut()
    await cluster.run(10_000)
    t.strictSame(newChanges(), [{ joined: [], left: [there] }], 'its node is down')
    await b.cluster.groups.join('room', late).catch(() => {})
    b.transport.partitioned = false
    b.transport.reconnect()
    await cluster.run(5000)
    t.strictSame(newChanges(), [{ joined: [there, late], left: [] }], 'it is back')
    // A short outage: no node is down, and the members are read again when the engine is back.
    cluster.engine.stop(false)
    b.here.end(late, 'done')
    await cluster.run(3000)
    cluster.engine.start()
    await cluster.run(3000)
    t.strictSame(newChanges(), [{ joined: [], left: [late] }])
    t.ok(
      a.logged.some(({ text }) => text.includes('a listener failed')),
      'the error of one is logged, and the others are called'
    )
    a.cluster.groups.unwatch('room', listener)
    a.cluster.groups.unwatch('room', listener)
    a.cluster.groups.unwatch('room', clumsy)
    a.cluster.groups.unwatch('other', clumsy)
    b.here.end(there, 'done')
    await cluster.run(10_000)
    t.strictSame(newChanges(), [])
    t.equal(a.cluster.size + b.cluster.size, 0)
  }
)

t.test(
  'keeps joins and leaves that arrive during a query, whatever the answer contains',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const [goes, stays, comes] = [b.here.spawn(), b.here.spawn(), b.here.spawn()]
    for (const pid of [goes, stays]) await cluster.join(b, pid)
    const changes: unknown[] = []
    // The answer is delayed. Announcements are not: they have their own topic.
    const { receive } = a.transport
    const held: Array<() => void> = []
    const hold = (): void => {
      a.transport.receive = (topic, frame) => {
        if (topic === roomTopic) receive.call(a.transport, topic, frame)
        else {
          held.push(() => {
            receive.call(a.transport, topic, frame)
          })
        }
      }
    }
    const letThrough = async (): Promise<void> => {
      a.transport.receive = receive
      for (const one of held.splice(0)) one()
      await cluster.run(100)
    }
    hold()
    const watched = a.cluster.groups.watch('room', ({ joined, left }) => {
      changes.push({ joined, left })
    })
    await cluster.run(100)
    await b.cluster.groups.leave('room', goes)
    await cluster.run(100)
    await letThrough()
    t.strictSame(await watched, { members: [stays], missing: [] })
    t.strictSame(changes, [], 'no change is reported before the members')
    hold()
    a.transport.cut()
    a.transport.reconnect()
    await cluster.run(500)
    await b.cluster.groups.join('room', comes)
    await b.cluster.groups.leave('room', stays)
    await cluster.run(100)
    await letThrough()
    t.strictSame(
      changes,
      [
        { joined: [comes], left: [] },
        { joined: [], left: [stays] }
      ],
      'the answer was older than the updates'
    )
  }
)

t.test('does not notify a watcher that unwatches while the nodes are being asked', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const listener = (): void => { t.fail('it was notified') }
  const watched = a.cluster.groups.watch('room', listener)
  await cluster.run(1)
  a.cluster.groups.unwatch('room', listener)
  await cluster.run(100)
  t.match(await watched, { missing: [] })
  await cluster.join(b)
  await cluster.run(6000)
  t.equal(a.cluster.size, 0)
})

t.test('changes nothing when a node does not answer a refresh', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  await cluster.join(b)
  const changes: unknown[] = []
  await cluster.settle(a.cluster.groups.watch('room', (change) => { changes.push(change) }))
  b.machine.frozenUntil = cluster.world.now + 4000
  a.transport.cut()
  a.transport.reconnect()
  await cluster.run(8000)
  t.strictSame(changes, [])
})

t.test(
  'learns missed joins and leaves when a node returns after a short disconnection',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const [ends, comes] = [b.here.spawn(), b.here.spawn()]
    await cluster.join(b, ends)
    const changes: unknown[] = []
    await cluster.settle(
      a.cluster.groups.watch('room', ({ joined, left }) => {
        changes.push({ joined, left })
      })
    )
    b.transport.partitioned = true
    b.transport.cut()
    await cluster.run(500)
    b.here.end(ends, 'done')
    b.cluster.groups.join('room', comes).catch(t.fail)
    await cluster.run(500)
    b.transport.partitioned = false
    b.transport.reconnect()
    await cluster.run(2000)
    t.equal(a.cluster.nodes()[0].state, 'up')
    t.strictSame(changes, [{ joined: [comes], left: [ends] }])
  }
)
