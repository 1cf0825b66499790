// Joins, leaves and queries of groups in a cluster.
import t from 'tap'
import { TestCluster } from '../support.js'
import { encodeFrame, encodeSource } from '../../../lib/cluster/link/codec.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { payloadsOf, roomTopic } from './support.js'
import type { TestNode } from '../support.js'
import type { Pid } from '../../../types/pid.js'

/** A batch that another node publishes to a group. */
function batch ({ here }: TestNode, ...frames: Uint8Array[]): Buffer {
  const [node, incarnation] = here.suffix.slice(1).split('.')
  return Buffer.concat([
    encodeSource({ type: 3, node, incarnation: parseInt(incarnation, 36) }),
    ...frames
  ])
}

t.test('refuses invalid names, topics and PIDs, and a sender of another node', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const { groups } = a.cluster
  const remotePid = b.here.spawn()
  const name = { code: 'FST_PROCESS_INVALID_NAME' }
  const pid = { code: 'FST_PROCESS_INVALID_PID' }
  await t.rejects(groups.join('no\nname', a.here.spawn()), name)
  await t.rejects(groups.leave('', a.here.spawn()), name)
  await t.rejects(groups.members('\ud800'), name)
  await t.rejects(groups.watch('x'.repeat(257), () => {}), name)
  await t.rejects(groups.join('room', remotePid), { code: 'FST_PROCESS_NOT_ALIVE' })
  for (const wrong of ['x', 5, undefined, `x${a.here.suffix}`]) {
    await t.rejects(groups.join('room', wrong as Pid), pid)
  }
  t.throws(() => groups.broadcast('no\nname', 'news'), name)
  for (const topic of ['', '@exit', 5, 'x'.repeat(129)]) {
    t.throws(() => groups.broadcast('room', topic as string), { code: 'FST_PROCESS_INVALID_TOPIC' })
  }
  t.throws(() => groups.broadcast('room', 'news', 1, { from: remotePid }), pid)
  t.throws(() => groups.broadcast('room', 'news', 1, { except: 'x' as Pid }), pid)
  await t.rejects(groups.join('room', `99${a.here.suffix}` as Pid), {
    code: 'FST_PROCESS_NOT_ALIVE'
  })
  await cluster.run(10_000)
  t.equal(a.cluster.size, 0)
})

t.test('counts the joins of a process, and removes it when it ends', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const { groups } = a.cluster
  const [one, two] = [a.here.spawn(), a.here.spawn()]
  for (const pid of [one, one, two]) await cluster.settle(groups.join('room', pid))
  t.strictSame(await cluster.members(b), {
    members: [one, two],
    missing: []
  })
  t.equal(await groups.leave('room', one), true)
  t.strictSame((await cluster.settle(groups.members('room'))).members, [one, two])
  t.equal(await groups.leave('room', one), true)
  t.equal(await groups.leave('room', one), false)
  t.equal(await groups.leave('other', one), false)
  t.strictSame((await cluster.settle(groups.members('room'))).members, [two])
  a.here.end(two, 'done')
  t.strictSame(await cluster.members(b), { members: [], missing: [] })
  t.equal(a.here.processes.get(one)!.watchers.size, 0)
})

t.test('stays subscribed for a grace period after the last member has left', async (t) => {
  const cluster = new TestCluster()
  const calls: string[] = []
  const a = cluster.make('a')
  const { subscribe, unsubscribe } = a.transport
  a.transport.subscribe = async (topic, listener) => {
    calls.push(`+${topic}`)
    await subscribe.call(a.transport, topic, listener)
  }
  a.transport.unsubscribe = async (topic) => {
    calls.push(`-${topic}`)
    await unsubscribe.call(a.transport, topic)
    throw new Error('it is away')
  }
  a.here.suffix = `@a.${(await cluster.settle(a.cluster.start())).toString(36)}`
  calls.length = 0
  const { groups } = a.cluster
  const pid = a.here.spawn()
  await groups.join('room', pid)
  await groups.leave('room', pid)
  await cluster.run(4000)
  await groups.join('room', pid)
  await groups.leave('room', pid)
  await cluster.run(4000)
  t.strictSame(calls, [`+${roomTopic}`])
  await cluster.run(2000)
  t.strictSame(calls, [`+${roomTopic}`, `-${roomTopic}`])
  t.equal(a.cluster.size, 0)
})

t.test('keeps nothing of a join or a watch when the engine rejects the subscription', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const { subscribe } = a.transport
  a.transport.subscribe = () => Promise.reject(new Error('it is away'))
  const { groups } = a.cluster
  const pid = a.here.spawn()
  const unavailable = { code: 'FST_CLUSTER_UNAVAILABLE', cause: { message: 'it is away' } }
  await t.rejects(groups.join('room', pid), unavailable)
  await t.rejects(groups.watch('room', () => { t.fail('it was notified') }), unavailable)
  t.strictSame((await cluster.members(b)).members, [])
  await cluster.run(6000)
  t.equal(a.cluster.size, 0)
  a.transport.subscribe = subscribe
  await groups.join('room', pid)
  t.strictSame((await cluster.members(b)).members, [pid])
  b.cluster.groups.broadcast('room', 'news', 1)
  await cluster.run(100)
  t.strictSame(payloadsOf(a), [1])
})

t.test(
  'keeps a join or a watch pending in a short engine outage, and rejects it in a longer one',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const { subscribe } = a.transport
    // Like real engines, which confirm a subscription when they are back.
    let confirm = (): void => {}
    a.transport.subscribe = async (topic, listener) => {
      await new Promise<void>((resolve) => {
        confirm = resolve
      })
      await subscribe.call(a.transport, topic, listener)
    }
    const { groups } = a.cluster
    const [pid, late] = [a.here.spawn(), a.here.spawn()]
    const short = groups.join('room', pid)
    await cluster.run(7000)
    confirm()
    await cluster.settle(short)
    const unavailable = { code: 'FST_CLUSTER_UNAVAILABLE' }
    const long: Array<Promise<unknown>> = [
      groups.join('hall', pid),
      groups.join('hall', late),
      groups.watch('hall', () => {
        t.fail('it was notified')
      })
    ]
    const rejected = Promise.all(long.map((one) => t.rejects(one, unavailable)))
    await cluster.run(7900)
    t.equal(await Promise.race([...long, 'still waits']), 'still waits')
    await cluster.run(200)
    await rejected
    t.strictSame(
      (await cluster.settle(b.cluster.groups.members('hall'))).members,
      [],
      'the rejected process is no member'
    )
    const again = groups.join('hall', late)
    confirm()
    await cluster.settle(again)
    b.cluster.groups.broadcast('hall', 'news', 1)
    await cluster.run(100)
    t.strictSame(payloadsOf(a), [1], 'the same subscription, which was still wanted')
    await cluster.settle(groups.leave('room', pid))
    await cluster.settle(groups.leave('hall', late))
    await cluster.run(10_000)
    t.equal(a.cluster.size, 0)
  }
)

t.test('lists a node as missing when it does not answer or when its channel resets', async (t) => {
  const cluster = new TestCluster()
  const [a, b, c] = await cluster.start('a', 'b', 'c')
  const pid = await cluster.join(c)
  b.machine.frozenUntil = cluster.world.now + 2500
  const asked = cluster.world.now
  t.strictSame(await cluster.members(a), {
    members: [pid],
    missing: ['b']
  })
  t.ok(cluster.world.now - asked >= 2000)
  await cluster.run(5000)
  b.machine.frozenUntil = cluster.world.now + 500
  const members = a.cluster.groups.members('room')
  const { suffix } = b.here
  a.transport.receive(
    `test.n.a.${a.here.suffix.split('.')[1]}`,
    batchOf(suffix, Buffer.from('garbage'))
  )
  await cluster.run(30)
  t.strictSame(await members, { members: [pid], missing: ['b'] })
})

/** A batch with a later channel number than any of its node. */
function batchOf (suffix: string, rest: Uint8Array): Buffer {
  const [node, incarnation] = suffix.slice(1).split('.')
  const header = Buffer.alloc(14)
  header.writeUInt32BE(1_700_001_000, 0)
  return Buffer.concat([
    encodeSource({ type: 1, node, incarnation: parseInt(incarnation, 36) }),
    header,
    rest
  ])
}

t.test('rejects joins and watches after the node has left', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const pid = a.here.spawn()
  await cluster.settle(a.cluster.close())
  await t.rejects(a.cluster.groups.join('room', pid), { code: 'FST_CLUSTER_UNAVAILABLE' })
  await t.rejects(a.cluster.groups.watch('room', () => {}), { code: 'FST_CLUSTER_UNAVAILABLE' })
  t.equal(a.cluster.size, 0)
})

t.test('counts malformed frames in a group, and skips frames of later versions', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const pid = await cluster.join(a)
  const receive = async (bytes: Uint8Array): Promise<number> => {
    const { garbage } = a.cluster.stats()
    a.transport.receive(roomTopic, bytes)
    await cluster.run(500)
    return a.cluster.stats().garbage - garbage
  }
  t.equal(await receive(Buffer.from('x')), 1)
  t.equal(
    await receive(Buffer.concat([encodeSource({ type: 1, node: 'b', incarnation: 1 })])),
    1,
    'no broadcast'
  )
  t.equal(await receive(batch(b, Buffer.from('xx'))), 1)
  const missed: unknown[] = []
  a.here.missed = (...args) => { missed.push(args) }
  t.equal(
    await receive(
      batch(
        b,
        encodeFrame(
          { type: frameTypes.broadcast, text: 'news', kind: 3, body: Buffer.from([0xc1]) },
          0
        )
      )
    ),
    1
  )
  t.strictSame(missed.splice(0), [[pid, 1]], 'its members miss what cannot be decoded')
  const garbled = encodeFrame(
    { type: frameTypes.broadcast, text: 'news', kind: 3, body: Buffer.from([0xc1]) },
    0
  )
  t.equal(
    await receive(batch(b, encodeFrame({ type: frameTypes.except, text: pid }, 0), garbled)),
    1
  )
  t.strictSame(missed, [], 'the one that was left out does not')
  t.equal(
    await receive(Buffer.concat([encodeSource({ type: 3, node: 'b', incarnation: 1 })])),
    0,
    'of an incarnation that is gone'
  )
  t.equal(
    await receive(
      batch(
        b,
        encodeFrame({ type: 199 }, 0),
        encodeFrame(
          { type: frameTypes.broadcast, text: 'news', kind: 2, body: Buffer.from('hello') },
          0
        )
      )
    ),
    0
  )
  t.strictSame(payloadsOf(a), ['hello'])
})

t.test('removes its monitors when the node leaves', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const [stays, gone] = [a.here.spawn(), a.here.spawn()]
  await cluster.join(a, stays)
  await cluster.settle(a.cluster.groups.join('other', gone))
  await a.cluster.groups.leave('other', gone)
  await cluster.settle(a.cluster.close())
  t.equal(a.here.processes.get(stays)!.watchers.size, 0)
  t.equal(a.cluster.size, 0)
  t.equal(a.machine.timers, 0)
})
