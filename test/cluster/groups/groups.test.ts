import t from 'tap'
import { TestCluster } from '../support.js'
import { encodeFrame, encodeSource } from '../../../lib/cluster/link/codec.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import type { TestNode } from '../support.js'
import type { ClusterGroupChange } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

/** The payloads that the members of a node have received. */
function news ({ reported: told }: TestNode): unknown[] {
  return told.map((one) => (one as { payload: unknown }).payload)
}

/** A batch that another node publishes to a group. */
function batch ({ here }: TestNode, ...frames: Uint8Array[]): Buffer {
  const [node, incarnation] = here.suffix.slice(1).split('.')
  return Buffer.concat([
    encodeSource({ type: 3, node, incarnation: parseInt(incarnation, 36) }),
    ...frames
  ])
}

const room = `test.g.${Buffer.from('room').toString('base64url')}`

t.test('delivers a broadcast once to each member, except the excluded one', async (t) => {
  const cluster = new TestCluster()
  const [a, b, c] = await cluster.start('a', 'b', 'c')
  const [one, two, three] = [a.here.spawn(), b.here.spawn(), b.here.spawn()]
  for (const [node, pid] of [
    [a, one],
    [b, two],
    [b, three]
  ] as const) { await cluster.settle(node.cluster.groups.join('room', pid)) }
  t.ok(c.cluster.groups.broadcast('room', 'news', { n: 1 }))
  t.ok(a.cluster.groups.broadcast('room', 'news', 2, { except: three, from: one }))
  await cluster.run(100)
  t.strictSame(a.reported, [
    { members: [one], topic: 'news', payload: 2, from: one },
    { members: [one], topic: 'news', payload: { n: 1 }, from: undefined }
  ])
  t.strictSame(
    b.reported.find((told) => (told as { payload: unknown }).payload === 2),
    { members: [two], topic: 'news', payload: 2, from: one }
  )
  t.strictSame(
    b.reported.find((told) => (told as { payload: unknown }).payload !== 2),
    { members: [two, three], topic: 'news', payload: { n: 1 }, from: undefined }
  )
  t.strictSame(c.reported, [])
  t.notOk(a.cluster.groups.broadcast('room', 'news', () => {}), 'no plain data')
  t.strictSame(news(a).length, 2)
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
      await cluster.settle(node.cluster.groups.join('room', pid))
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
  const pid = b.here.spawn()
  await cluster.settle(b.cluster.groups.join('room', pid))
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
  t.strictSame(news(b), [1, 2, 3, 4])
})

t.test(
  'notifies members of a missed broadcast when the engine and the channel refuse it',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const [one, two] = [b.here.spawn(), b.here.spawn()]
    for (const pid of [one, two]) await cluster.settle(b.cluster.groups.join('room', pid))
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
    t.strictSame(news(b), [5])
  }
)

t.test(
  'counts broadcasts lost with a channel as missed, but not those of an engine outage',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const pid = b.here.spawn()
    await cluster.settle(b.cluster.groups.join('room', pid))
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
    await cluster.settle(a.cluster.groups.join('room', pid))
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

t.test('refuses invalid names, topics and PIDs, and a sender of another node', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const { groups } = a.cluster
  const elsewhere = b.here.spawn()
  const name = { code: 'FST_PROCESS_INVALID_NAME' }
  const pid = { code: 'FST_PROCESS_INVALID_PID' }
  await t.rejects(groups.join('no\nname', a.here.spawn()), name)
  await t.rejects(groups.leave('', a.here.spawn()), name)
  await t.rejects(groups.members('\ud800'), name)
  await t.rejects(groups.watch('x'.repeat(257), () => {}), name)
  await t.rejects(groups.join('room', elsewhere), { code: 'FST_PROCESS_NOT_ALIVE' })
  for (const wrong of ['x', 5, undefined, `x${a.here.suffix}`]) {
    await t.rejects(groups.join('room', wrong as Pid), pid)
  }
  t.throws(() => groups.broadcast('no\nname', 'news'), name)
  for (const topic of ['', '@exit', 5, 'x'.repeat(129)]) {
    t.throws(() => groups.broadcast('room', topic as string), { code: 'FST_PROCESS_INVALID_TOPIC' })
  }
  t.throws(() => groups.broadcast('room', 'news', 1, { from: elsewhere }), pid)
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
  t.strictSame(await cluster.settle(b.cluster.groups.members('room')), {
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
  t.strictSame(await cluster.settle(b.cluster.groups.members('room')), { members: [], missing: [] })
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
  t.strictSame(calls, [`+${room}`])
  await cluster.run(2000)
  t.strictSame(calls, [`+${room}`, `-${room}`])
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
  await t.rejects(groups.watch('room', () => { t.fail('it was told') }), unavailable)
  t.strictSame((await cluster.settle(b.cluster.groups.members('room'))).members, [])
  await cluster.run(6000)
  t.equal(a.cluster.size, 0)
  a.transport.subscribe = subscribe
  await groups.join('room', pid)
  t.strictSame((await cluster.settle(b.cluster.groups.members('room'))).members, [pid])
  b.cluster.groups.broadcast('room', 'news', 1)
  await cluster.run(100)
  t.strictSame(news(a), [1])
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
        t.fail('it was told')
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
    t.strictSame(news(a), [1], 'the same subscription, which was still wanted')
    await cluster.settle(groups.leave('room', pid))
    await cluster.settle(groups.leave('hall', late))
    await cluster.run(10_000)
    t.equal(a.cluster.size, 0)
  }
)

t.test('lists a node as missing when it does not answer or when its channel resets', async (t) => {
  const cluster = new TestCluster()
  const [a, b, c] = await cluster.start('a', 'b', 'c')
  const pid = c.here.spawn()
  await cluster.settle(c.cluster.groups.join('room', pid))
  b.machine.frozenUntil = cluster.world.now + 2500
  const asked = cluster.world.now
  t.strictSame(await cluster.settle(a.cluster.groups.members('room')), {
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

t.test(
  'notifies a watcher of changes, of lost nodes, and of changes during an outage',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const [here, there, late] = [a.here.spawn(), b.here.spawn(), b.here.spawn()]
    await cluster.settle(b.cluster.groups.join('room', there))
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
    const told = (): typeof changes => changes.splice(0)
    await cluster.settle(a.cluster.groups.join('room', here))
    t.strictSame(told(), [{ joined: [here], left: [] }])
    await a.cluster.groups.leave('room', here)
    t.strictSame(told(), [{ joined: [], left: [here] }])
    // A long partition: changes on `b` are reported afterwards.
    b.transport.partitioned = true
    b.transport.cut()
    await cluster.run(10_000)
    t.strictSame(told(), [{ joined: [], left: [there] }], 'its node is down')
    await b.cluster.groups.join('room', late).catch(() => {})
    b.transport.partitioned = false
    b.transport.reconnect()
    await cluster.run(5000)
    t.strictSame(told(), [{ joined: [there, late], left: [] }], 'it is back')
    // A short outage: no node is down, and the members are read again when the engine is back.
    cluster.engine.stop(false)
    b.here.end(late, 'done')
    await cluster.run(3000)
    cluster.engine.start()
    await cluster.run(3000)
    t.strictSame(told(), [{ joined: [], left: [late] }])
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
    t.strictSame(told(), [])
    t.equal(a.cluster.size + b.cluster.size, 0)
  }
)

t.test(
  'keeps joins and leaves that arrive during a query, whatever the answer contains',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const [goes, stays, comes] = [b.here.spawn(), b.here.spawn(), b.here.spawn()]
    for (const pid of [goes, stays]) await cluster.settle(b.cluster.groups.join('room', pid))
    const changes: unknown[] = []
    // The answer is delayed. Announcements are not: they have their own topic.
    const { receive } = a.transport
    const held: Array<() => void> = []
    const hold = (): void => {
      a.transport.receive = (topic, frame) => {
        if (topic === room) receive.call(a.transport, topic, frame)
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
  const listener = (): void => { t.fail('it was told') }
  const watched = a.cluster.groups.watch('room', listener)
  await cluster.run(1)
  a.cluster.groups.unwatch('room', listener)
  await cluster.run(100)
  t.match(await watched, { missing: [] })
  await cluster.settle(b.cluster.groups.join('room', b.here.spawn()))
  await cluster.run(6000)
  t.equal(a.cluster.size, 0)
})

t.test('changes nothing when a node does not answer a refresh', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const there = b.here.spawn()
  await cluster.settle(b.cluster.groups.join('room', there))
  const changes: unknown[] = []
  await cluster.settle(a.cluster.groups.watch('room', (change) => { changes.push(change) }))
  b.machine.frozenUntil = cluster.world.now + 4000
  a.transport.cut()
  a.transport.reconnect()
  await cluster.run(8000)
  t.strictSame(changes, [])
})

t.test('delivers earlier messages of the sender before its broadcast', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const [sender, receiver] = [a.here.spawn(), b.here.spawn()]
  await cluster.settle(b.cluster.groups.join('room', receiver))
  const order: unknown[] = []
  const push = (one: unknown): number => order.push((one as { topic: string }).topic)
  Object.assign(b.mail, { push })
  Object.assign(b.reported, { push })
  a.cluster.remote.send(receiver, 'first', 1, sender)
  a.cluster.groups.broadcast('room', 'second', 2, { from: sender })
  await cluster.run(100)
  t.strictSame(order, ['first', 'second'])
})

t.test(
  'learns missed joins and leaves when a node returns after a short disconnection',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const [ends, comes] = [b.here.spawn(), b.here.spawn()]
    await cluster.settle(b.cluster.groups.join('room', ends))
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
  const pid = a.here.spawn()
  await cluster.settle(a.cluster.groups.join('room', pid))
  const receive = async (bytes: Uint8Array): Promise<number> => {
    const { garbage } = a.cluster.stats()
    a.transport.receive(room, bytes)
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
  t.strictSame(news(a), ['hello'])
})

t.test('removes its monitors when the node leaves', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const [stays, gone] = [a.here.spawn(), a.here.spawn()]
  await cluster.settle(a.cluster.groups.join('room', stays))
  await cluster.settle(a.cluster.groups.join('other', gone))
  await a.cluster.groups.leave('other', gone)
  await cluster.settle(a.cluster.close())
  t.equal(a.here.processes.get(stays)!.watchers.size, 0)
  t.equal(a.cluster.size, 0)
  t.equal(a.machine.timers, 0)
})
