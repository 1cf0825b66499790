// Checks "Targets on other nodes" of docs/relay.md with real nodes: sockets on `a`, targets on `b`
// and `c`.
import t from 'tap'
import { TestCluster } from './nodes.js'
import { allGone, joined, Keeper, start, textOf } from '../integration/connection/support.js'
import { connectTo } from '../integration/connection/peer.js'
import { answer, handshake, until } from '../helpers.js'
import type { Test } from 'tap'
import type { Pid } from '../../types/pid.js'
import type { Rig } from '../integration/connection/support.js'
import type { ProcessSystem } from '../../types/processes.js'
import type { WsRelayOptions } from '../../types/relay.js'

async function three (
  t: Test,
  options: WsRelayOptions = {},
  mailboxLimit = 10_000
): Promise<{ cluster: TestCluster, rig: Rig, b: ProcessSystem, c: ProcessSystem }> {
  const cluster = new TestCluster(t)
  const rig = await start(t, { node: 'a', cluster: cluster.engine(), ...options })
  const b = await cluster.node('b', { mailboxLimit })
  const c = await cluster.node('c')
  await until(
    () =>
      [b, c].every((system) =>
        system.cluster!.nodes().some(({ node, state }) => node === 'a' && state === 'up')
      ) && rig.processes.cluster!.nodes().length === 2
  )
  return { cluster, rig, b, c }
}

t.test('serves a socket with a remote target when a third node controls it', async t => {
  const { rig, b, c } = await three(t)
  const metadata = { user: 'ada', roles: ['x'] }
  const { peer, pid, target } = await joined(t, rig, { metadata }, new Keeper({ processes: b }))
  peer.text('text').write(Buffer.from([0x82, 0x83, 0, 0, 0, 0, 1, 2, 255]))
  const [text, binary] = await target.until('ws.message', 2)
  t.strictSame(text, { client_pid: pid, type: 'text', data: 'text', metadata })
  t.ok(Buffer.isBuffer(binary.data))
  t.equal(binary.data.toString('hex'), '0102ff')
  t.equal(text.metadata, binary.metadata, 'the same object each time')
  t.ok(Object.isFrozen(text.metadata) && Object.isFrozen(text.metadata.roles))
  t.ok(c.send(pid as string, 'ws.send', { data: 'from c' }))
  await until(() => peer.texts.includes('from c'))
  const exited = c.exited(pid)
  const next = new Keeper({ processes: c })
  await c.call(pid, 'ws.control', { target_pid: next.pid, metadata: { moved: true } })
  peer.text('moved')
  t.match(await next.until('ws.message'), [
    { client_pid: pid, data: 'moved', metadata: { moved: true } }
  ])
  t.match(await target.until('ws.leave'), [{ cause: 'transfer', reason: 'transferred', metadata }])
  await t.rejects(c.call(pid, 'ws.control', { target_pid: '99@b.abc' }), {
    code: 'FST_WS_RELAY_TRANSFER_REFUSED'
  })
  c.send(pid as string, 'ws.close', { code: 4000, reason: 'enough' })
  t.strictSame(await peer.end(), { code: 4000, reason: 'enough' })
  t.match(await next.until('ws.leave'), [{ cause: 'process', code: 4000, reason: 'enough' }])
  t.match(await exited, { reason: 'normal', value: { cause: 'process', code: 4000 } })
  await allGone(rig)
})

t.test('pauses the socket and loses no message when its remote target is slow', async t => {
  const { rig, b } = await three(t, {}, 20)
  const target = new Keeper({ processes: b })
  const { peer, pid } = await joined(t, rig, {}, target)
  target.hold()
  let count = 0
  await until(() => {
    if (count < 20_000) peer.text(`${count++}`)
    return rig.processes.info(pid)!.paused as boolean
  })
  peer.write(...Array.from({ length: 500 }, () => textOf(`${count++}`)))
  target.release()
  await target.until('ws.message', count)
  t.strictSame(target.texts, Array.from({ length: count }, (_, i) => String(i)))
  t.equal(rig.processes.info(pid)!.paused, false)
})

t.test(
  'closes remote clients with 1012, and sends each target a leave, when a node closes',
  async (t) => {
    const { rig, b, c } = await three(t)
    const order: string[] = []
    const target = b.spawn(async (self) => {
      for await (const { topic, payload } of self.inbox) {
        order.push(
          topic === 'ws.leave'
            ? [payload.reason, payload.code, payload.cause, payload.metadata.a].join(' ')
            : topic
        )
      }
      order.push('stopped')
    })
    const ended = rig.processes.exited(target)
    const peer = await connectTo(t, rig, { target_pid: target, metadata: { a: 1 } })
    const left = rig.processes.exited(rig.processes.list()[0])
    const staying = await joined(t, rig, { metadata: { a: 1 } }, new Keeper({ processes: c }))
    const closing = b.close()
    t.strictSame(await peer.end(), { code: 1012, reason: 'target node closing' })
    const [client, process] = await Promise.all([left, ended])
    t.match(client, {
      reason: 'target_down',
      value: { cause: 'target', code: 1012, reason: 'target node closing' }
    })
    t.match(process, { reason: 'shutdown' }, 'monitors get its own exit reason')
    t.strictSame(order, ['ws.join', 'node closing 1012 target 1', '@cancel', 'stopped'])
    await closing
    const closed = rig.app.close()
    t.match(await staying.target.until('ws.leave'), [
      { client_pid: staying.pid, cause: 'shutdown', code: 1001, metadata: { a: 1 } }
    ])
    await closed
  }
)

t.test('refuses a connection with Retry-After when the node of its target is closing', async t => {
  const { cluster, rig, b, c } = await three(t)
  const d = await cluster.node('d', { closeTimeout: 60_000 })
  await until(() => rig.processes.cluster!.nodes().length === 3)
  // This process delays the close of its node.
  let letGo!: () => void
  const held = new Promise<void>((resolve) => { letGo = resolve })
  const target = d.spawn(async (self) => {
    await self.serve({})
    await held
  })
  const { pid } = await joined(t, rig, {}, new Keeper({ processes: c }))
  const closing = d.close()
  const text = await answer(
    t,
    rig.port,
    handshake(`/?relay=${encodeURIComponent(JSON.stringify({ target_pid: target }))}`)
  )
  t.match(text, /^HTTP\/1\.1 503 .*retry-after: \d+.*FST_WS_RELAY_TARGET_NOT_ALIVE/is)
  await t.rejects(b.call(pid, 'ws.control', { target_pid: target }), {
    code: 'FST_WS_RELAY_TRANSFER_REFUSED',
    message: /its node is closing/
  })
  letGo()
  await closing
})

t.test(
  'closes no client with 1000 or 1011 when three nodes are restarted one after the other',
  async (t) => {
    const cluster = new TestCluster(t)
    const nodes = new Map<string, { rig: Rig, room: Pid }>()
    const boot = async (node: string): Promise<void> => {
      const rig = await start(t, { node, cluster: cluster.engine(), closeTimeout: '1s' })
      const room = rig.processes.spawn(async (self) => {
        await self.serve({})
      })
      nodes.set(node, { rig, room })
      const rigs = [...nodes.values()].map(({ rig }) => rig)
      await until(() =>
        rigs.every(({ processes }) => processes.cluster!.stats().up === rigs.length - 1)
      )
    }
    for (const node of ['a', 'b', 'c']) await boot(node)
    const seen: Record<string, number> = {}
    for (const name of ['a', 'b', 'c']) {
      const clients = await Promise.all(
        [...nodes].flatMap(([at, { rig }]) =>
          [...nodes].map(async ([room, { room: target }]) => {
            return { at, room, peer: await connectTo(t, rig, { target_pid: target }) }
          })
        )
      )
      await nodes.get(name)!.rig.app.close()
      for (const { at, room, peer } of clients) {
        if (at === name || room === name) {
          const { code, reason } = await peer.end()
          const what = `${code} ${reason}`
          seen[what] = (seen[what] ?? 0) + 1
        } else t.notOk(peer.gone, `a client of ${at} with its room on ${room} stays`)
      }
      for (const { peer } of clients) peer.socket.destroy()
      await boot(name)
    }
    t.strictSame(seen, { '1001 server shutting down': 9, '1012 target node closing': 6 })
  }
)

t.test('sends the client 1012 and the target `node lost` when a node is cut off', async t => {
  const cluster = new TestCluster(t)
  const engine = cluster.engine()
  const rig = await start(t, { node: 'a', cluster: cluster.engine() })
  const b = await cluster.node('b', {}, engine)
  await until(() => b.cluster!.nodes().length === 1 && rig.processes.cluster!.nodes().length === 1)
  const { peer, pid, target } = await joined(
    t,
    rig,
    { metadata: { a: 1 } },
    new Keeper({ processes: b })
  )
  cluster.hub.cut(engine.transport)
  t.strictSame(await peer.end(), { code: 1012, reason: 'target node lost' })
  t.match(await target.until('ws.leave'), [
    { client_pid: pid, reason: 'node lost', code: undefined, cause: 'lost', metadata: { a: 1 } }
  ])
  cluster.hub.mend(engine.transport)
  await allGone(rig)
})

t.test('closes the client with 1011 when its target exits with noconnection', async t => {
  const { rig, b } = await three(t)
  const { peer, target } = await joined(t, rig, {}, new Keeper({ processes: b }))
  b.exit(target.pid, 'noconnection')
  t.strictSame(await peer.end(), { code: 1011, reason: 'target process exited' })
})

t.test(
  'answers 503 with Retry-After before the upgrade times out when a route waits for a name',
  async (t) => {
    const cluster = new TestCluster(t)
    // A register that has lost its data grants no names for a while.
    cluster.hub.clear()
    const waiting: { target?: Pid } = {}
    const rig = await start(
      t,
      { node: 'a', cluster: cluster.engine(), upgradeTimeout: '1s' },
      {},
      (app) => {
        app.get('/room', async (_request, reply) => {
          await app.processes.cluster!.names.register('room', waiting.target!)
          return reply.relay(waiting.target!)
        })
      }
    )
    waiting.target = new Keeper(rig).pid
    const response = await answer(t, rig.port, handshake('/room'))
    t.match(
      response,
      /^HTTP\/1\.1 503 .*\r\nretry-after: 5\r\n.*FST_CLUSTER_UNAVAILABLE/s
    )
    t.match(response, /did not become free in time/)
  }
)

/** Opens sockets on a node. @returns their clients and PIDs */
async function crowd (
  t: Test,
  rig: Rig,
  target: Keeper,
  size: number
): Promise<{ peer: Awaited<ReturnType<typeof joined>>['peer'], pid: Pid }[]> {
  const clients = []
  for (let i = 0; i < size; i++) clients.push(await joined(t, rig, {}, target))
  return clients
}

t.test(
  'sends and frames a payload once when a loop sends it to many sockets of another node',
  async (t) => {
    const { rig, b } = await three(t)
    const clients = await crowd(t, rig, new Keeper({ processes: b }), 10)
    const frames = b.cluster!.stats().framesOut
    const encoded = rig.relay.flusher.encoder.encodedTexts
    const texts = Array.from({ length: 100 }, (_, n) => `message ${n}`)
    for (const data of texts) {
      for (const { pid } of clients) t.ok(b.send(pid as string, 'ws.send', { type: 'text', data }))
    }
    await until(() => clients.every(({ peer }) => peer.texts.length === texts.length))
    for (const { peer } of clients) t.strictSame(peer.texts, texts)
    t.ok(b.cluster!.stats().framesOut - frames <= texts.length + 5)
    t.ok(rig.relay.flusher.encoder.encodedTexts - encoded <= texts.length)
  }
)

t.test(
  'closes a socket with 1013, or counts the messages, when messages to it are refused',
  async (t) => {
    for (const overflow of ['close', 'drop'] as const) {
      const { rig, b, c } = await three(t, { overflow })
      const target = new Keeper({ processes: c })
      const [slow, fine] = await crowd(t, rig, target, 2)
      const exited = b.exited(slow.pid)
      let sent = 0
      while (b.send(slow.pid as string, 'ws.send', { data: `${sent}` })) sent++
      t.ok(b.send(fine.pid as string, 'ws.send', { data: '0' }), 'an open frame has the same text')
      t.notOk(b.send(slow.pid as string, 'news', 1))
      const called = b.call(fine.pid, 'ws.send', { data: 'waits' })
      t.match(b.cluster!.stats().refused, { a: 2 })
      await called
      t.strictSame(fine.peer.texts, ['0', 'waits'])
      if (overflow === 'close') {
        t.strictSame(await slow.peer.end(), { code: 1013, reason: 'messages missed' })
        t.match(await target.until('ws.leave'), [
          { client_pid: slow.pid, cause: 'slow', code: 1013, reason: 'messages missed' }
        ])
        t.match(await exited, { reason: 'slow_client', value: { cause: 'slow', code: 1013 } })
      } else {
        await until(() => rig.processes.info(slow.pid)!.dropped === 2)
        t.ok(b.send(slow.pid as string, 'ws.send', { data: 'after' }))
        await until(() => slow.peer.texts.at(-1) === 'after')
        t.equal(slow.peer.texts.length, sent + 1)
      }
      await rig.app.close()
    }
  }
)
