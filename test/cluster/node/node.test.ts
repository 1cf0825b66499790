// Messages, monitors, calls, links and bindings between nodes of a simulated cluster.
import t from 'tap'
import fc from 'fast-check'
import { crash, targetOf, TestCluster, watcher } from '../support.js'
import { encodeChannelHeader, encodeFrame, encodeSource } from '../../../lib/cluster/link/codec.js'
import { failure } from '../../../lib/shared/result.js'
import type { Pid } from '../../../types/pid.js'

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
    const watching = watcher()
    t.strictSame(
      await cluster.settle(a.cluster.remote.bind('9@c.zzz' as Pid, watching)),
      failure('its node cannot be reached')
    )
    t.strictSame(
      await cluster.settle(a.cluster.remote.bind(`99${b.here.suffix}` as Pid, watching)),
      failure('it is not alive')
    )
    const target = targetOf(await cluster.settle(a.cluster.remote.bind(to, watching)))
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
    t.match(watching.exits, [{ pid: to, reason: 'done' }])
    t.ok(target.refusesMail)
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
  const watching = watcher()
  a.cluster.remote.monitor(impossible, watching)
  t.match(watching.exits, [{ reason: 'noproc' }])
  t.strictSame(await a.cluster.remote.bind(impossible, watching), failure('it is not alive'))
})
