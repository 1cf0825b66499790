// Broadcasts to the members of a group on all nodes, and missed ones.
import t from 'tap'
import { TestCluster } from '../support.js'
import { payloadsOf } from './support.js'

t.test('delivers a broadcast once to each member, except the excluded one', async (t) => {
  const cluster = new TestCluster()
  const [a, b, c] = await cluster.start('a', 'b', 'c')
  const [one, two, three] = [a.here.spawn(), b.here.spawn(), b.here.spawn()]
  for (const [node, pid] of [
    [a, one],
    [b, two],
    [b, three]
  ] as const) { await cluster.join(node, pid) }
  t.ok(c.cluster.groups.broadcast('room', 'news', { n: 1 }))
  t.ok(a.cluster.groups.broadcast('room', 'news', 2, { except: three, from: one }))
  await cluster.run(100)
  t.strictSame(a.reported, [
    { members: [one], topic: 'news', payload: 2, from: one },
    { members: [one], topic: 'news', payload: { n: 1 }, from: undefined }
  ])
  t.strictSame(
    b.reported.find((report) => (report as { payload: unknown }).payload === 2),
    { members: [two], topic: 'news', payload: 2, from: one }
  )
  t.strictSame(
    b.reported.find((report) => (report as { payload: unknown }).payload !== 2),
    { members: [two, three], topic: 'news', payload: { n: 1 }, from: undefined }
  )
  t.strictSame(c.reported, [])
  t.notOk(a.cluster.groups.broadcast('room', 'news', () => {}), 'no plain data')
  t.strictSame(payloadsOf(a).length, 2)
})

t.test(
  'splits a broadcast that is too long for the engine, and refuses one over the limit',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b, c] = await cluster.start('a', 'b', 'c')
    const [one, two, three] = [a.here.spawn(), b.here.spawn(), b.here.spawn()]
    for (const [node, pid] of [
      [a, one],
      [b, two],
      [b, three]
    ] as const) {
      await cluster.join(node, pid)
    }
    t.ok(
      a.cluster.groups.broadcast('room', 'news', Buffer.alloc(100_000), { from: one, except: two })
    )
    t.ok(a.cluster.groups.broadcast('room', 'news', 'after it'))
    t.notOk(a.cluster.groups.broadcast('room', 'news', Buffer.alloc(33 * 1024 * 1024)))
    await cluster.run(100)
    t.strictSame(b.reported, [
      { members: [three], topic: 'news', payload: Buffer.alloc(100_000), from: one },
      { members: [two, three], topic: 'news', payload: 'after it', from: undefined }
    ])
    t.equal(a.reported.length, 2)
    t.strictSame(c.reported, [])
  }
)

t.test('sends a broadcast to each node in order when the engine refuses it', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  await cluster.join(b)
  const { publish } = a.transport
  a.transport.publish = () => false
  for (const n of [1, 2]) t.ok(a.cluster.groups.broadcast('room', 'news', n))
  a.transport.publish = publish
  t.ok(
    a.cluster.groups.broadcast('room', 'news', 3),
    'not published: it would overtake the others'
  )
  await cluster.run(200)
  t.ok(a.cluster.groups.broadcast('room', 'news', 4))
  await cluster.run(100)
  t.strictSame(payloadsOf(b), [1, 2, 3, 4])
})

t.test(
  'notifies members of a missed broadcast when the engine and the channel refuse it',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const [one, two] = [b.here.spawn(), b.here.spawn()]
    for (const pid of [one, two]) await cluster.join(b, pid)
    const missed: unknown[] = []
    b.here.missed = (...args) => {
      missed.push(args)
    }
    const { publish } = a.transport
    a.transport.publish = () => false
    const full = { payload: Buffer.alloc(8 * 1024 * 1024) }
    t.ok(a.cluster.remote.send(one, 'fill', full, undefined))
    t.notOk(a.cluster.groups.broadcast('room', 'news', 1))
    t.notOk(a.cluster.groups.broadcast('room', 'news', 2))
    t.notOk(a.cluster.groups.broadcast('room', 'news', 3, { except: two }))
    t.notOk(a.cluster.groups.broadcast('nobody', 'news', 4))
    t.strictSame(a.cluster.stats().refused, { b: 4 })
    a.transport.publish = publish
    await cluster.run(1000)
    t.strictSame(missed, [
      [one, 2],
      [two, 2],
      [one, 1]
    ])
    t.ok(a.cluster.groups.broadcast('room', 'news', 5))
    await cluster.run(100)
    t.strictSame(payloadsOf(b), [5])
  }
)

t.test(
  'counts broadcasts lost with a channel as missed, but not those of an engine outage',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const pid = await cluster.join(b)
    const missed: unknown[] = []
    b.here.missed = (...args) => {
      missed.push(args)
    }
    cluster.engine.stop(false)
    await cluster.run(2000)
    t.notOk(a.cluster.groups.broadcast('room', 'news', 1))
    cluster.engine.start()
    await cluster.run(2000)
    t.strictSame(missed, [])
    const { publish } = a.transport
    a.transport.publish = () => false
    t.ok(a.cluster.groups.broadcast('room', 'news', 2))
    a.transport.publish = publish
    a.transport.partitioned = true
    a.transport.cut()
    await cluster.run(12_000)
    a.transport.partitioned = false
    a.transport.reconnect()
    await cluster.run(2000)
    t.strictSame(missed, [[pid, 1]])
  }
)

t.test('delivers earlier messages of the sender before its broadcast', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const [sender, receiver] = [a.here.spawn(), b.here.spawn()]
  await cluster.join(b, receiver)
  const order: unknown[] = []
  const push = (one: unknown): number => order.push((one as { topic: string }).topic)
  Object.assign(b.mail, { push })
  Object.assign(b.reported, { push })
  a.cluster.remote.send(receiver, 'first', 1, sender)
  a.cluster.groups.broadcast('room', 'second', 2, { from: sender })
  await cluster.run(100)
  t.strictSame(order, ['first', 'second'])
})
