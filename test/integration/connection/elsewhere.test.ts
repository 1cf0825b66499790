// docs/relay.md, "Targets on other nodes": over a wire without a cluster, so that a test decides
// when
// frames arrive. test/cluster has the same over real channels.
import t from 'tap'
import {
  Keeper,
  allGone,
  closeOf,
  connectTo,
  joined,
  mailOfTransfer,
  nothing,
  remains,
  start,
  textOf
} from './support.js'
import { wsRelay } from '../../../lib/index.js'
import { Registration } from '../../../lib/registration/registration.js'
import { answer, bare, handshake, listen, logs, raw, until } from '../../helpers.js'
import { buildRuntime, held, settle } from '../../process/helpers.js'
import { Wire } from '../../process/remote/wire.js'
import type { FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import type { Kept, Rig } from './support.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { Pid } from '../../../types/pid.js'
import type { Processes } from '../../../types/processes.js'
import type { WsRelayOptions } from '../../../types/relay.js'

interface Pair { wire: Wire, rig: Rig, other: { runtime: Runtime, processes: Processes } }

/** A server with sockets on node `a`, and another node `b`. */
async function pair (
  t: Test,
  options: WsRelayOptions = {},
  fastify: FastifyServerOptions = {},
  mailboxLimit = 10_000
): Promise<Pair> {
  const wire = new Wire()
  const rig = await start(t, { node: 'a', ...options }, fastify)
  const other = buildRuntime({ node: 'b', mailboxLimit })
  wire.join(rig.relay.runtime)
  wire.join(other.runtime)
  return { wire, rig, other }
}

const query = (target: string): string => `/?relay=${encodeURIComponent(target)}`

t.test('a remote target gets the same messages as a local one', async t => {
  const { rig, other } = await pair(t)
  const { peer, pid, target } = await joined(
    t,
    rig,
    { metadata: { a: 1 }, heartbeat_interval: 100 },
    new Keeper(other)
  )
  peer.text('hello').write(textOf('again'))
  await target.until('ws.message', 2)
  await target.until('ws.heartbeat')
  other.processes.send(pid, 'ws.send', { data: Uint8Array.of(1, 2) })
  await until(() => peer.frames.length > 0)
  t.equal(peer.frames[0].payload.toString('hex'), '0102')
  peer.close(4001, 'bye')
  const [leave] = await target.until('ws.leave')
  const mail = target.mail.filter(({ topic }) => topic !== 'ws.heartbeat' && topic !== '@exit')
  const metadata = { a: 1 }
  t.strictSame(mail, [
    { topic: 'ws.join', payload: { client_pid: pid, metadata }, from: pid },
    {
      topic: 'ws.message',
      payload: { client_pid: pid, type: 'text', data: 'hello', metadata },
      from: pid
    },
    {
      topic: 'ws.message',
      payload: { client_pid: pid, type: 'text', data: 'again', metadata },
      from: pid
    },
    { topic: 'ws.leave', payload: leave, from: pid }
  ])
  t.match(leave, { cause: 'client', code: 4001, reason: 'bye' })
  await until(() => target.topics.includes('@exit'))
  await allGone(rig)
  t.equal(other.runtime.relations.size, 1, 'but for the test that waits for its end')
})

t.test('asks a remote target before the 101', async t => {
  const { wire, rig, other } = await pair(t)
  const { pid } = new Keeper(other)
  wire.hold()
  const client = await raw(t, rig.port)
  client.write(handshake(query(pid)))
  await until(() => rig.relay.handshakes.size === 1)
  // The handler and its hooks have run when a later plain request was answered.
  await answer(t, rig.port, 'GET /up HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  t.equal(client.text, '')
  wire.release()
  t.match(await client.until(/\r\n\r\n/), /^HTTP\/1\.1 101/)
})

t.test('delivers messages that arrive while the remote target is being asked', async t => {
  const { wire, rig, other } = await pair(t)
  const target = new Keeper(other)
  wire.hold()
  const opened = connectTo(
    t,
    rig,
    { target_pid: target.pid },
    { early: Buffer.from(textOf('early')) }
  )
  await until(() => rig.relay.handshakes.size === 1)
  wire.release()
  await opened
  t.match(await target.until('ws.message'), [{ data: 'early' }])
  t.equal(target.topics[0], 'ws.join')
})

t.test('refuses a remote target that takes no connections like a local one', async t => {
  const { logger, lines } = logs('warn')
  const { wire, rig, other } = await pair(t, {}, { logger } as never)
  const stopping = other.processes.spawn(async (self) => {
    await self.serve({}, () => {})
    await new Promise(() => {})
  })
  await settle()
  other.processes.cancel(stopping)
  const table: Array<[target: string, status: number, code: string, problem: RegExp]> = [
    ['9@b.abc', 503, 'TARGET_NOT_ALIVE', /it is not alive/],
    [stopping, 503, 'TARGET_NOT_ALIVE', /it is stopping/],
    ['9@nowhere.abc', 503, 'TARGET_NOT_ALIVE', /its node cannot be reached/]
  ]
  for (const [target, status, code, problem] of table) {
    lines.length = 0
    const text = await answer(t, rig.port, handshake(query(target)))
    t.ok(text.startsWith(`HTTP/1.1 ${status}`) && text.includes(`FST_WS_RELAY_${code}`), text)
    t.ok(lines.some(({ msg }) => problem.test(msg)), String(problem))
  }
  other.processes.exit(stopping)
  await allGone(rig)
  t.equal(wire.sideOf('1@a.x')?.size, 0)
})

t.test('answers 500 when the target is a remote connection', async t => {
  const { wire, rig } = await pair(t)
  const third = await start(t, { node: 'c' })
  wire.join(third.relay.runtime)
  const { pid } = await joined(t, third)
  t.match(
    await answer(t, rig.port, handshake(query(pid))),
    /^HTTP\/1\.1 500.*FST_WS_RELAY_INVALID_CONFIG/s
  )
})

t.test('accepts an async handler that returns before the target has answered', async t => {
  const { wire, rig, other } = await pair(t)
  const target = new Keeper(other)
  const app = bare(t)
  await app.register(wsRelay, { node: 'async' })
  wire.join(Registration.of(app)!.relay.runtime)
  app.get('/nothing', async (request, reply) => { reply.relay(target.pid).send() })
  app.get('/later', async (request, reply) => {
    // From here on Fastify waits for the promise of the handler.
    await settle()
    return reply.relay(target.pid).send()
  })
  app.get('/reply', async (request, reply) => await reply.relay(target.pid).send())
  app.get('/value', async (request, reply) => {
    reply.relay(target.pid)
    return { any: 'body' }
  })
  const port = await listen(app)
  for (const path of ['/nothing', '/later', '/reply', '/value']) {
    wire.hold()
    const client = await raw(t, port)
    client.write(handshake(path))
    await until(() => Registration.of(app)!.relay.handshakes.size === 1)
    await settle()
    wire.release()
    t.match(await client.until(/\r\n\r\n/), /^HTTP\/1\.1 101/, path)
  }
  await target.until('ws.join', 4)
  t.equal(rig.relay.sockets.size, 0)
})

t.test('leaves nothing of a client that disconnects while the target is being asked', async t => {
  const { wire, rig, other } = await pair(t)
  const target = new Keeper(other)
  const relations = other.runtime.relations.size
  wire.hold()
  const client = await raw(t, rig.port)
  client.write(handshake(query(target.pid)))
  await until(() => rig.relay.handshakes.size === 1)
  client.socket.destroy()
  await until(() => rig.relay.handshakes.size === 0)
  wire.release()
  await until(() => wire.sideOf('1@a.x')?.size === 0 && other.runtime.relations.size === relations)
  await settle()
  t.strictSame(remains(rig), nothing)
  t.strictSame(target.topics, [])
  t.equal(other.runtime.relations.size, relations)
})

t.test(
  'opens no connection when the socket was destroyed without an event before the answer',
  async (t) => {
    const { wire, rig, other } = await pair(t)
    const target = new Keeper(other)
    const relations = other.runtime.relations.size
    const side = wire.sideOf('1@a.x')!
    const { bind } = side
    side.bind = async (...question) => {
      const bound = await bind.apply(side, question)
      for (const { socket } of rig.relay.handshakes) socket.destroy()
      return bound
    }
    t.equal(await answer(t, rig.port, handshake(query(target.pid))), '')
    await allGone(rig)
    await until(() => side.size === 0 && other.runtime.relations.size === relations)
    t.strictSame(target.topics, [])
  }
)

t.test('answers 503 when the target does not answer within upgradeTimeout', async t => {
  const { logger, lines } = logs('warn')
  const { wire, rig, other } = await pair(t, { upgradeTimeout: 50 }, { logger } as never)
  const target = new Keeper(other)
  wire.hold()
  const text = await answer(t, rig.port, handshake(query(target.pid)))
  t.match(text, /^HTTP\/1\.1 503.*retry-after: 5.*FST_WS_RELAY_UPGRADE_TIMEOUT/si)
  t.ok(lines.some(({ msg }) => /remote node of the target did not answer/.test(msg)))
  wire.release()
  await until(() => wire.sideOf('1@a.x')?.size === 0)
  await allGone(rig)
  t.strictSame(target.topics, [])
})

t.test('refuses pending upgrades when the server closes', async t => {
  const { wire, rig, other } = await pair(t)
  const target = new Keeper(other)
  wire.hold()
  const client = await raw(t, rig.port)
  client.write(handshake(query(target.pid)))
  await until(() => rig.relay.handshakes.size === 1)
  const closed = rig.app.close()
  t.match(await client.end(), /^HTTP\/1\.1 503.*FST_WS_RELAY_CLOSING/s)
  wire.release()
  await closed
  await until(() => wire.sideOf('1@a.x')?.size === 0)
})

t.test('asks the remote target of a reply that was not made by a handler, too', async t => {
  const { wire, rig, other } = await pair(t, {}, {})
  const target = new Keeper(other)
  const early = bare(t)
  early.addHook(
    'onRequest',
    async (request, reply) => await reply.header('x-ws-relay', target.pid).send()
  )
  await early.register(wsRelay, { node: 'early' })
  early.get('/', async () => t.fail('handled'))
  wire.join(Registration.of(early)!.relay.runtime)
  const port = await listen(early)
  const client = await raw(t, port)
  client.write(handshake('/'))
  t.match(await client.until(/\r\n\r\n/), /^HTTP\/1\.1 101/)
  await target.until('ws.join')
  t.equal(rig.relay.sockets.size, 0)
})

t.test('the exit of a remote target closes the connection like that of a local one', async t => {
  const { rig, other } = await pair(t)
  for (const [reason, code] of [['shutdown', 1000], ['boom', 1011]] as const) {
    const { peer, pid, target } = await joined(t, rig, {}, new Keeper(other))
    const exited = rig.processes.exited(pid)
    other.processes.exit(target.pid, reason)
    t.strictSame(await peer.end(), { code, reason: 'target process exited' })
    t.match(await exited, { value: { cause: 'target', code } })
  }
  await allGone(rig)
})

t.test('closes with 1013 when a remote target ends before it took the join', async t => {
  const { wire, rig, other } = await pair(t)
  const ends: Array<(target: Pid) => void> = [
    // The join waits in the mailbox of the target.
    (target) => other.processes.exit(target),
    // The join is in flight: the wire was held as soon as the client had its 101.
    (target) => { other.processes.exit(target, 'boom'); wire.release() },
    (target) => { other.processes.cancel(target); wire.release() }
  ]
  for (const [i, end] of ends.entries()) {
    const target = other.processes.spawn(async (self) => {
      await self.receive({ topic: 'never' }).catch(() => {})
      await settle()
    })
    const opened = connectTo(t, rig, { target_pid: target })
    if (i > 0) {
      await until(() => rig.processes.list().some((pid) => rig.processes.info(pid)?.kind === 'ws'))
      wire.hold()
    }
    const peer = await opened
    if (i === 0) await until(() => other.processes.info(target)!.mailbox === 1)
    end(target)
    t.strictSame(await peer.end(), { code: 1013, reason: 'target process exited' }, String(i))
  }
  await allGone(rig)
})

t.test('closes with 1012 when the node of the target is lost', async t => {
  const { wire, rig, other } = await pair(t)
  const { peer, pid } = await joined(t, rig, {}, new Keeper(other))
  const here = await joined(t, rig)
  const exited = rig.processes.exited(pid)
  wire.lose('b')
  t.strictSame(await peer.end(), { code: 1012, reason: 'target node lost' })
  t.match(await exited, {
    reason: 'target_down',
    value: { cause: 'target', code: 1012, reason: 'target node lost' }
  })
  rig.processes.exit(here.target.pid, 'noconnection')
  t.strictSame(
    await here.peer.end(),
    { code: 1011, reason: 'target process exited' },
    'a process here that ends with this reason is no lost node'
  )
  await allGone(rig)
})

t.test('pauses the socket while the remote target has no room, and loses nothing', async t => {
  const { rig, other } = await pair(t, {}, {}, 20)
  const target = new Keeper(other)
  const { peer, pid } = await joined(t, rig, {}, target)
  target.hold()
  let count = 0
  await until(() => {
    if (count < 5000) peer.text(`${count++}`)
    return rig.processes.info(pid)!.paused as boolean
  })
  const taken = rig.processes.info(pid)!.messages
  peer.write(...Array.from({ length: 1000 }, () => textOf(`${count++}`)))
  await settle()
  t.equal(rig.processes.info(pid)!.messages, taken, 'it is not read')
  target.release()
  await target.until('ws.message', count)
  t.strictSame(target.texts, Array.from({ length: count }, (_, i) => String(i)))
  await until(() => rig.processes.info(pid)!.paused === false)
})

t.test(
  'asks a remote target before a transfer, and sends frames to the old one meanwhile',
  async (t) => {
    const { wire, rig, other } = await pair(t)
    const { peer, pid, target: old } = await joined(t, rig, { metadata: { old: true } })
    const next = new Keeper(other, { monitors: false })
    wire.hold()
    const moved = rig.processes.call(pid, 'ws.control', {
      target_pid: next.pid,
      message_topic: 'chat',
      metadata: { new: true }
    })
    peer.text('1')
    await old.until('ws.message')
    t.equal(rig.processes.info(pid)!.target, old.pid)
    wire.release()
    t.equal(await moved, undefined)
    peer.text('2')
    await next.until('chat')
    t.strictSame({ old: old.mail.slice(1), next: next.mail }, mailOfTransfer(pid))
    rig.processes.exit(old.pid, 'boom')
    await rig.processes.call(pid, 'ws.control', { target_pid: next.pid, metadata: null })
    t.equal(next.of('ws.join').length, 1, 'naming the current target moves nothing')
    const back = new Keeper(rig)
    await rig.processes.call(pid, 'ws.control', { target_pid: back.pid })
    t.match(await next.until('ws.leave'), [{ cause: 'transfer', metadata: {} }])
    other.processes.exit(next.pid, 'boom')
    await settle()
    peer.text('3')
    await back.until('chat')
    peer.close()
    await allGone(rig)
    t.equal(wire.sideOf(pid)?.size, 0)
  }
)

t.test('changes nothing when a transfer to another node is refused', async t => {
  const { logger, lines } = logs('warn')
  const { wire, rig, other } = await pair(t, {}, { logger } as never)
  const { peer, pid, target } = await joined(t, rig, { metadata: { a: 1 } })
  const refused = { code: 'FST_WS_RELAY_TRANSFER_REFUSED' }
  for (const [to, problem] of [
    ['9@b.abc', /not alive/],
    ['9@nowhere.abc', /cannot be reached/]
  ] as const) {
    await t.rejects(
      rig.processes.call(pid, 'ws.control', { target_pid: to, metadata: { b: 2 } }),
      refused
    )
    t.ok(lines.some(({ err }) => problem.test(err?.message)))
  }
  const dying = new Keeper(other)
  wire.hold()
  const moved = rig.processes.call(pid, 'ws.control', { target_pid: dying.pid })
  other.processes.exit(dying.pid)
  wire.release()
  await t.rejects(moved, refused)
  peer.text('still here')
  t.match(await target.until('ws.message'), [{ data: 'still here', metadata: { a: 1 } }])
  t.equal(target.of('ws.leave').length, 0)
})

t.test('applies ws.control messages in order, also after one that asks another node', async t => {
  const { wire, rig, other } = await pair(t)
  const { peer, pid, target: a } = await joined(t, rig)
  const b = new Keeper(other)
  const c = new Keeper(rig)
  wire.hold()
  const order: number[] = []
  const controls = [
    { target_pid: b.pid },
    { message_topic: 'chat' },
    { target_pid: '9@nowhere.abc' },
    { target_pid: c.pid },
    { target_pid: b.pid, message_topic: 'last' }
  ].map((control, i) =>
    rig.processes.call(pid, 'ws.control', control).then(
      () => {
        order.push(i)
      },
      () => {
        order.push(-i)
      }
    )
  )
  await settle()
  t.strictSame(order, [])
  wire.release()
  await Promise.all(controls)
  t.strictSame(order, [0, 1, -2, 3, 4])
  peer.text('x')
  await b.until('last')
  const history = (keeper: Keeper): string[] => keeper.topics.filter((topic) => topic !== '@exit')
  t.strictSame(history(a), ['ws.join', 'ws.leave'])
  t.strictSame(history(c), ['ws.join', 'ws.leave'])
  t.strictSame(history(b), ['ws.join', 'ws.leave', 'ws.join', 'last'])
})

t.test('limits the number of waiting ws.control messages', async t => {
  const { wire, rig, other } = await pair(t)
  const { pid } = await joined(t, rig)
  const next = new Keeper(other)
  wire.hold()
  const taken = Array.from({ length: 65 }, () =>
    rig.processes.send(pid, 'ws.control', { target_pid: next.pid })
  )
  t.strictSame(taken.indexOf(false), 64)
  wire.release()
  await next.until('ws.join')
  await until(() => rig.processes.send(pid, 'ws.control', {}))
})

t.test('rejects a pending transfer when the connection ends', async t => {
  const { wire, rig, other } = await pair(t)
  const { peer, pid, target } = await joined(t, rig)
  const next = new Keeper(other)
  const relations = other.runtime.relations.size
  wire.hold()
  const moved = rig.processes.call(pid, 'ws.control', { target_pid: next.pid })
  const behind = rig.processes.call(pid, 'ws.control', { message_topic: 'chat' })
  const refused = Promise.all(
    [moved, behind].map((call) => t.rejects(call, { code: 'FST_WS_RELAY_TRANSFER_REFUSED' }))
  )
  peer.write(closeOf(1000))
  t.match(await target.until('ws.leave'), [{ cause: 'client' }])
  await refused
  wire.release()
  await until(() => wire.sideOf(pid)?.size === 0 && other.runtime.relations.size === relations)
  await settle()
  t.strictSame(next.topics, [])
  await allGone(rig)
})

t.test(
  'sends the waiting frames of a paused client to the new remote target, after its join',
  async (t) => {
    const { rig, other } = await pair(t, { mailboxLimit: 20 })
    const old = new Keeper(rig)
    const { peer, pid } = await joined(t, rig, {}, old)
    old.hold()
    const count = 3000
    peer.write(...Array.from({ length: count }, (_, i) => textOf(`${i}`)))
    await until(() => rig.processes.info(pid)!.paused as boolean)
    const next = new Keeper(other)
    await rig.processes.call(pid, 'ws.control', { target_pid: next.pid })
    await next.until('ws.message')
    t.equal(next.topics[0], 'ws.join')
    old.release()
    await old.until('ws.leave')
    const later = await next.until('ws.message', count - old.texts.length)
    t.strictSame(
      [...old.texts, ...later.map(({ data }: Kept['payload']) => data)].map(Number),
      Array.from({ length: count }, (_, i) => i)
    )
  }
)

t.test('leaves nothing on either node', async t => {
  const { wire, rig, other } = await pair(t)
  const { peer, target } = await joined(t, rig, {}, new Keeper(other))
  peer.rst()
  await target.until('ws.leave')
  await allGone(rig)
  other.processes.exit(target.pid)
  await target.exited
  await settle()
  t.strictSame(held(other.runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
  t.equal(wire.sideOf('1@a.x')?.size, 0)
})
