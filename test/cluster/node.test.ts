import t from 'tap'
import fc from 'fast-check'
import { crash, targetOf, TestCluster, watcher } from './support.js'
import {
  batchTypes,
  encodeChannelHeader,
  encodeFrame,
  encodeNumber,
  encodeSource
} from '../../lib/cluster/link/codec.js'
import { SimulatedTransport } from './simulator.js'
import { errorCodes } from '../../lib/errors.js'
import { failure } from '../../lib/shared/result.js'
import type { TestNode } from './support.js'
import type { Pid } from '../../types/pid.js'

t.test('sees other nodes, and sends them messages', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  t.match(a.cluster.nodes(), [{ node: 'b', state: 'up' }])
  t.strictSame(a.cluster.health(), { ready: true })
  const from = a.here.spawn()
  const to = b.here.spawn()
  t.ok(a.cluster.remote.send(to, 'hello', { when: new Date(5), bytes: Buffer.from('x') }, from))
  await cluster.run(100)
  t.strictSame(b.mail, [
    { to, topic: 'hello', payload: { when: new Date(5), bytes: Buffer.from('x') }, from }
  ])
  t.notOk(a.cluster.remote.send(to, 'hello', { at: [/x/] }, from))
  t.match(
    a.logged.filter(({ level }) => level === 'warn'),
    [
      {
        text: /cannot be sent to another node/,
        data: { topic: 'hello', to, type: 'RegExp', path: 'payload.at[0]' }
      }
    ]
  )
  t.notOk(
    a.cluster.remote.send('1@nobody.abc' as Pid, 'hello', {}, from),
    'an unknown node'
  )
  t.match(a.cluster.stats(), { up: 1, garbage: 0, torn: 0, unacknowledged: 0 })
})

t.test('sends a message in fragments when it is longer than a frame of the engine', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const to = b.here.spawn()
  const long = Buffer.alloc(1_000_000, 7)
  t.ok(a.cluster.remote.send(to, 'long', long, undefined))
  t.notOk(
    a.cluster.remote.send(to, 'long', Buffer.alloc(40 * 1024 * 1024), undefined),
    'longer than the limit'
  )
  await cluster.run(500)
  t.strictSame(b.mail.map(({ payload }) => payload), [long])
})

t.test('sends each monitor one exit when the process ends, or is dead', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const living = b.here.spawn()
  const dead = b.here.spawn()
  b.here.end(dead, 'gone')
  const [one, two, three, four] = [watcher(), watcher(), watcher(), watcher()]
  a.cluster.remote.monitor(living, one)
  a.cluster.remote.monitor(living, one)
  a.cluster.remote.monitor(dead, two)
  a.cluster.remote.monitor('1@nobody.abc' as Pid, three)
  a.cluster.remote.monitor(`1@b.${(1000).toString(36)}` as Pid, four)
  await cluster.run(100)
  t.strictSame(
    [one, two, three, four].map(({ exits }) => exits.map(({ reason }) => reason)),
    [[], ['noproc'], ['noconnection'], ['noproc']]
  )
  b.here.end(living, 'done')
  await cluster.run(100)
  t.match(one.exits, [{ pid: living, reason: 'done' }])
  t.equal(a.cluster.size + b.cluster.size, 0)
})

t.test('settles a call when it is answered or refused, or its callee ends', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const to = b.here.spawn()
  const said: unknown[] = []
  const call = (payload: unknown, topic: string) => {
    const caller = {
      reply (value: unknown) { said.push(value) },
      fail (error: unknown) { said.push(error) },
      reject (error: unknown) { said.push(error) },
      targetEnded ({ reason }: { reason: string }) { said.push(reason) }
    }
    a.cluster.remote.monitor(to, caller)
    return a.cluster.remote.send(to, topic, payload, undefined, caller)
  }
  const { deliver } = b.here
  b.here.deliver = (to, topic, payload, from, answer) => {
    if (topic === 'reply') answer!.reply({ echo: payload })
    else if (topic === 'function') answer!.reply(() => {})
    else if (topic === 'fail') answer!.fail(new TypeError('no'))
    else if (topic === 'value') answer!.fail('no')
    else if (topic === 'end') b.here.end(to, 'ended')
    else return deliver(to, topic, payload, from, answer) && false
    answer!.reply('late')
    return true
  }
  for (const topic of ['reply', 'function', 'fail', 'value', 'refuse']) t.ok(call(1, topic))
  t.notOk(call(() => {}, 'reply'))
  await cluster.run(100)
  t.match(said, [
    { code: 'FST_PROCESS_REFUSED' },
    { echo: 1 },
    { code: 'FST_CLUSTER_INVALID_PAYLOAD' },
    { name: 'TypeError', message: 'no' },
    'no',
    { code: 'FST_PROCESS_REFUSED' }
  ])
  said.length = 0
  call(1, 'end')
  await cluster.run(100)
  call(1, 'reply')
  await cluster.run(100)
  t.match(said, ['ended', { code: 'FST_PROCESS_NOT_ALIVE' }])
  t.equal(a.cluster.size + b.cluster.size, 0)
})

t.test(
  'binds a connection to a remote process: text, bytes, metadata, backpressure, exit',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const client = a.here.spawn()
    const to = b.here.spawn()
    const told = watcher()
    t.strictSame(
      await cluster.settle(a.cluster.remote.bind('9@c.zzz' as Pid, told)),
      failure('its node cannot be reached')
    )
    t.strictSame(
      await cluster.settle(a.cluster.remote.bind(`99${b.here.suffix}` as Pid, told)),
      failure('it is not alive')
    )
    const target = targetOf(await cluster.settle(a.cluster.remote.bind(to, told)))
    const metadata = Object.freeze({ user: 'ada', tags: ['x'] })
    const waits: (() => void)[] = []
    b.here.subscribeToDrain = (pid, feeder) => {
      waits.push(() => {
        feeder.resume()
      })
    }
    target.accept('ws.join', { client_pid: client, metadata }, client, 0)
    target.accept(
      'ws.message',
      { client_pid: client, type: 'text', data: 'hé', metadata },
      client,
      3
    )
    target.accept(
      'full',
      { client_pid: client, type: 'binary', data: Buffer.from([1, 2]), metadata },
      client,
      2
    )
    t.ok(
      target.deliver(
        'ws.heartbeat',
        { client_pid: client, uptime: 1, message_count: 2, metadata },
        client
      )
    )
    t.ok(target.deliver('other', 1, undefined))
    await cluster.run(100)
    t.strictSame(
      b.mail.map(({ payload }) => payload),
      [
        { client_pid: client, metadata },
        { client_pid: client, type: 'text', data: 'hé', metadata },
        { client_pid: client, type: 'binary', data: Buffer.from([1, 2]), metadata },
        { client_pid: client, uptime: 1, message_count: 2, metadata },
        1
      ]
    )
    const [first, second] = b.mail.map(({ payload }) => (payload as { metadata: object }).metadata)
    t.equal(first, second, 'the same object in all messages')
    t.ok(Object.isFrozen(first))
    t.ok(target.congested)
    let resumed = 0
    target.subscribeToDrain({
      resume () {
        resumed++
      }
    })
    target.unsubscribeFromDrain({ resume () {} })
    waits[0]()
    await cluster.run(100)
    t.equal(resumed, 1)
    t.notOk(target.congested)
    b.here.end(to, 'done')
    await cluster.run(100)
    t.match(told.exits, [{ pid: to, reason: 'done' }])
    t.ok(target.stopping)
    t.notOk(target.deliver('late', 1, client))
    target.accept('late', { client_pid: client, metadata }, client, 0)
    target.subscribeToDrain({ resume () {} })
    t.equal(a.cluster.size + b.cluster.size, 0)
  }
)

t.test('refuses a send, and makes connections wait, when the window is full', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const to = b.here.spawn()
  const client = a.here.spawn()
  const target = targetOf(await cluster.settle(a.cluster.remote.bind(to, watcher())))
  let taken = 0
  while (a.cluster.remote.send(to, 'flood', taken, undefined)) taken++
  t.equal(taken, 4096)
  t.ok(target.congested)
  let resumed = 0
  target.subscribeToDrain({ resume () { resumed++ } })
  target.accept(
    'ws.message',
    { client_pid: client, type: 'text', data: 'never refused', metadata: {} },
    client,
    13
  )
  await cluster.run(2000)
  t.equal(resumed, 1)
  t.strictSame(b.mail.slice(0, taken).map(({ payload }) => payload), [...Array(taken).keys()])
  t.equal(b.mail.length, taken + 1)
})

t.test('delivers pending messages at once when the connection of a node is back', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const to = b.here.spawn()
  b.transport.partitioned = true
  b.transport.cut()
  await cluster.run(1000)
  for (let n = 0; n < 10; n++) a.cluster.remote.send(to, 'quiet', n, undefined)
  await cluster.run(1000)
  t.strictSame(b.mail, [])
  b.transport.partitioned = false
  b.transport.reconnect()
  await cluster.run(500)
  t.strictSame(b.mail.map(({ payload }) => payload), [...Array(10).keys()])
})

t.test('counts and drops garbage without an error', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const inbox = `test.n.a.${a.here.suffix.split('.')[1]}`
  const source = { type: 1, node: 'b', incarnation: parseInt(b.here.suffix.split('.')[1], 36) }
  // A later connection each time, because the one before has been reset.
  let src = Math.floor(cluster.world.now / 1000) + 1000
  const header = () => encodeChannelHeader({ src: ++src, dst: 0, ack: 0 })
  const hostile = [
    Buffer.alloc(0),
    Buffer.concat([
      encodeSource(source),
      encodeChannelHeader({ src: 2 ** 32 - 1, dst: 0, ack: 0 })
    ]),
    Buffer.from('GET / HTTP/1.1'),
    encodeSource(source),
    Buffer.concat([encodeSource({ ...source, type: 99 }), header()]),
    Buffer.concat([encodeSource(source), header(), Buffer.from('xx')]),
    Buffer.concat([encodeSource(source), header(), encodeFrame({ type: 99 }, 1)]),
    Buffer.concat([
      encodeSource(source),
      header(),
      encodeFrame({ type: 10, kind: 3, body: Buffer.from([0xc1]) }, 1)
    ])
  ]
  let torn = 0
  for (const bytes of hostile) {
    const { garbage } = a.cluster.stats()
    a.transport.receive(inbox, bytes)
    await cluster.run(200)
    t.ok(a.cluster.stats().garbage > garbage, bytes.toString('latin1'))
    torn = a.cluster.stats().torn
  }
  t.ok(torn > 0, 'the channel was reset')
  t.equal(
    a.logged.filter(
      ({ level, text }) => level === 'warn' && text.startsWith('cluster: a channel was torn down')
    ).length,
    torn,
    'and logged'
  )
  a.transport.receive(inbox, encodeSource({ ...source, node: 'a', incarnation: 1 }))
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 120 }), async (bytes) => {
    a.transport.receive(inbox, bytes)
    a.transport.receive('test.hb', bytes)
    a.transport.receive(inbox, Buffer.concat([encodeSource(source), header(), bytes]))
    await cluster.run(20)
  }), { numRuns: 200 })
  t.strictSame(a.logged.filter(({ level }) => level === 'error'), [])
  await cluster.run(7000)
  const to = a.here.spawn()
  t.ok(b.cluster.remote.send(to, 'hello', 1, undefined))
  await cluster.run(3000)
  t.strictSame(a.mail.at(-1)?.payload, 1, 'messages arrive afterwards')
})

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
  cluster.engine.stop(true)
  cluster.engine.start()
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
      await cluster.settle(again.cluster.names.register('leader', pid)),
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
    await cluster.settle(a.cluster.names.register('leader', pid))
    await cluster.settle(cluster.make('a').cluster.start())
    await cluster.run(3000)
    t.match(a.reported, [{ lost: 'leader', pid }, errorCodes.FST_CLUSTER_NODE_NAME_TAKEN])
    t.equal(a.machine.timers, 0)
    t.equal(a.cluster.size, 0)
  }
)

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
      await cluster.settle(b.cluster.groups.join('room', to))
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
  await cluster.settle(a.cluster.names.register('leader', pid))
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

t.test('removes the monitors of a node when it is lost', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const here = a.here.spawn()
  b.cluster.remote.monitor(here, watcher())
  await cluster.run(100)
  t.equal(a.here.processes.get(here)!.watchers.size, 1)
  await crash(b)
  await cluster.run(10_000)
  t.equal(a.here.processes.get(here)!.watchers.size, 0)
  t.equal(a.cluster.size, 0)
})

t.test(
  'ignores the exit of an old link that arrives when the process is linked again',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const here = a.here.spawn()
    const there = b.here.spawn()
    const exits: unknown[] = []
    a.here.remoteLinkEnded = (pid, { reason }) => {
      exits.push(pid, reason)
    }
    a.cluster.remote.link(here, there)
    await cluster.run(100)
    b.here.end(there, 'crashed')
    a.cluster.remote.unlink(here, there)
    a.cluster.remote.link(here, there)
    await cluster.run(500)
    t.strictSame(exits, [here, 'noproc'])
    t.equal(a.cluster.size + b.cluster.size, 0)
  }
)

t.test('treats a PID as dead when its number is impossible', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const impossible = `${'9'.repeat(16)}${b.here.suffix}` as Pid
  t.notOk(a.cluster.remote.send(impossible, 'hello', 1, undefined))
  t.notOk(a.cluster.remote.exit(impossible, 'x'))
  const told = watcher()
  a.cluster.remote.monitor(impossible, told)
  t.match(told.exits, [{ reason: 'noproc' }])
  t.strictSame(await a.cluster.remote.bind(impossible, told), failure('it is not alive'))
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
  t.equal(cluster.exitReasonFor('1@b.1' as Pid), 'noconnection')
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
