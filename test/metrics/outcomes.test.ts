// Each value that a label can have, from a history that has it once.
import t from 'tap'
import { House } from '../connection/park/house.js'
import { MemoryTransport } from '../connection/transports/memory-transport.js'
import { Rig, WebSocketClient } from '../connection/transports/clients.js'
import { answer, build, handshake, listen, open, record, until } from '../helpers.js'
import { House as Rooms } from '../process/keyed/rooms.js'
import { WireClient } from '../integration/resume/wire-client.js'
import { dead } from '../upgrade/support.js'
import { read, readCounted } from './samples.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { WsRelayOptions } from '../../types/relay.js'

t.test('counts closed connections by cause and code', async (t) => {
  const rig = new Rig({ maxBufferedAmount: 1000 })
  const { processes } = rig
  const target = rig.target()
  const join = async (to = target) => {
    const client = new WebSocketClient(rig)
    const { pid } = rig.connect(to, client.transport)
    await rig.settle()
    return { client, pid }
  }

  ;(await join()).client.close(4001, 'bye')
  const silent = new MemoryTransport(rig.clock, 50)
  rig.connect(target, silent)
  silent.leave(undefined, '')
  ;(await join()).client.vanish()
  ;(await join()).client.close(1005, 'a code that may not be sent')
  processes.send((await join()).pid, 'ws.close', { code: 4002 })
  processes.cancel((await join()).pid)
  processes.send((await join()).pid, 'ws.control', { expires_at: 1e11 })
  await rig.advance(20)
  for (const reason of ['kill', 'secret', 'normal']) processes.exit((await join()).pid, reason)
  const slow = await join()
  slow.client.stall()
  while (processes.send(slow.pid, 'ws.send', { data: 'x'.repeat(500) })) await rig.settle()
  for (const reason of ['normal', 'boom']) {
    const own = rig.target()
    await join(own)
    processes.exit(own.pid, reason)
  }
  const busy = rig.target()
  busy.hold()
  processes.send(busy.pid, 'work')
  await join(busy)
  processes.exit(busy.pid, 'normal')
  const mute = await join()
  mute.client.fallSilent()
  await rig.settle()
  while (processes.alive(mute.pid)) await rig.advance(100)
  await rig.settle()

  const closes = {
    'client 4001': 1,
    'client none': 1,
    'lost none': 1,
    'protocol 1002': 1,
    'process 4002': 1,
    'shutdown 1001': 1,
    'killed none': 1,
    'exit 1011': 1,
    'exit 1000': 1,
    'expired 1008': 1,
    'slow 1013': 1,
    'target 1000': 1,
    'target 1011': 1,
    'target 1013': 1,
    'ping_timeout none': 1
  }
  t.strictSame(await readCounted(processes, 'connections_closed_total'), closes)
  t.strictSame(await read(processes, 'connections_opened_total'), { '': 15 })
  t.match(await read(processes, 'connections'), { open: 0 })
  t.equal((await read(processes, 'connections_closed_total'))['target 1012'], 0)
})

t.test('counts upgrades by the reason of their refusal', async (t) => {
  const prepare = async (options: WsRelayOptions): Promise<[FastifyInstance, number]> => {
    const app = await build(t, { closeTimeout: 20, ...options })
    const { pid } = record(app)
    app.get('/', (request, reply) => { reply.relay(pid).send() })
    app.get('/application', async (request, reply) => reply.code(401).send())
    app.get('/config', async (request, reply) => {
      return reply.header('x-ws-relay', { target_pid: 5 }).send()
    })
    app.get('/target', (request, reply) => { reply.relay(dead).send() })
    app.get('/timeout', () => {})
    app.get('/closing', () => { app.close().catch(() => {}) })
    return [app, await listen(app)]
  }

  const [{ processes }, port] = await prepare({ maxConnections: 1 })
  for (const request of [
    handshake('/application'),
    handshake('/config'),
    handshake('/target'),
    handshake('/', { 'sec-websocket-key': 'short' }),
    handshake('/', { upgrade: 'h2c' }),
    handshake('/', { origin: 'https://evil.example' })
  ]) await answer(t, port, request)
  await open(t, `ws://127.0.0.1:${port}/`)
  await answer(t, port, handshake())
  t.strictSame(await read(processes, 'upgrades_refused_total'), {
    application: 1,
    config: 1,
    target: 1,
    handshake: 1,
    protocol: 1,
    origin: 1,
    overloaded: 1,
    closing: 0,
    timeout: 0
  })

  const [slow, slowPort] = await prepare({ upgradeTimeout: 20 })
  await answer(t, slowPort, handshake('/timeout'))
  t.strictSame(await readCounted(slow.processes, 'upgrades_refused_total'), { timeout: 1 })
  const [closing, closingPort] = await prepare({})
  await answer(t, closingPort, handshake('/closing'))
  t.strictSame(await readCounted(closing.processes, 'upgrades_refused_total'), { closing: 1 })
})

t.test('counts refused messages by the reason', async (t) => {
  const rig = new Rig({ maxBufferedAmount: 1000, overflow: 'drop' })
  const { processes } = rig
  const client = new WebSocketClient(rig)
  const connection = rig.connect(rig.target(), client.transport)
  const { pid } = connection
  await rig.settle()

  const full = processes.spawn((self) => self.receive({ topic: 'never' }), { mailboxLimit: 1 })
  processes.send(full, 'first')
  t.notOk(processes.send(full, 'second'))
  processes.spawn((self) => {
    processes.exit(self.pid)
    t.notOk(self.send(full, 'too late'))
  })
  const stopping = processes.spawn(async () => { await new Promise(() => {}) })
  await rig.settle()
  processes.cancel(stopping)
  t.notOk(processes.send(stopping, 'too late'))
  t.notOk(processes.send(pid, 'ws.send', { data: 5 as never }))
  processes.call(pid, 'ws.send', { data: 'a', ack: true }).catch(() => {})
  t.notOk(processes.send(pid, 'ws.control', { target_pid: dead as never }))
  connection.missed(1)
  client.stall()
  while (processes.send(pid, 'ws.send', { data: 'x'.repeat(500) })) await rig.settle()
  await rig.settle()
  t.strictSame(await read(processes, 'refused_total'), {
    full: 1,
    ended: 1,
    stopping: 1,
    payload: 1,
    topic: 1,
    control: 1,
    missed: 1,
    slow: 1,
    remote: 0
  })
})

t.test('counts dead letters by the reason', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  processes.send('nobody', 'hello')
  const pid = processes.spawn((self) => self.serve({}))
  processes.send(pid, 'unknown')
  await rig.settle()
  processes.send(pid, 'left over')
  processes.exit(pid, 'over')
  t.strictSame(await read(processes, 'dead_letters_total'), { none: 1, unhandled: 1, ended: 1 })
})

t.test('counts clients that come back by the answer', async (t) => {
  const begin = async (t: Test, options: WsRelayOptions = {}) => {
    const app = await build(t, { resume: true, ...options })
    const target = record(app)
    app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
    const port = await listen(app)
    const away = async () => {
      const client = new WireClient(t, { port })
      await client.connect()
      client.send('a')
      const { client_pid: pid } = await target.next('ws.message')
      await client.until(() => client.received.length === 1)
      await client.cut()
      await until(() => app.processes.info(pid)?.connected === false)
      return { client, pid }
    }
    return { app, port, away }
  }

  const { app: { processes }, port, away } = await begin(t)
  await (await away()).client.connect()
  const ended = await away()
  processes.send(ended.pid, 'ws.close')
  await until(() => !processes.alive(ended.pid))
  await ended.client.connect()
  await (await away()).client.connect({ received: 7 })
  const { client } = await away()
  const [node, incarnation, , mac] = client.token!.split('.')
  for (const token of [
    'nonsense', `other.${incarnation}.1.${mac}`, `${node}.${incarnation}.999.${mac}`
  ]) await new WireClient(t, { port }).connect({ token, received: 1 })
  t.strictSame(await read(processes, 'resumes_total'), {
    resumed: 1, ended: 1, refused: 1, node: 1, gap: 1, expired: 1, full: 0
  })

  const small = await begin(t, { maxBufferedAmount: 10, resume: { buffer: 10 } })
  const flooded = await small.away()
  for (const data of ['x'.repeat(500_000), 'x']) {
    small.app.processes.send(flooded.pid, 'ws.send', { data })
  }
  await flooded.client.connect()
  t.strictSame(await readCounted(small.app.processes, 'resumes_total'), { full: 1 })
})

t.test('shows how many connections are paused and parked', async (t) => {
  const house = new House()
  const { processes } = house
  const room = await house.room('room')
  const guests = [house.guest('room'), house.guest('room')]
  await house.rig.settle()
  await house.crash(room)
  t.match(await read(processes, 'connections'), { open: 2, parked: 2, paused: 0, suspended: 0 })
  const busy = house.rig.target()
  busy.hold()
  const client = new WebSocketClient(house.rig)
  house.rig.connect(busy, client.transport)
  for (let i = 0; i < 9; i++) client.send('x')
  await house.rig.settle()
  t.match(await read(processes, 'connections'), { open: 3, parked: 2, paused: 1 })
  await house.room('room')
  guests[0].transport.vanish()
  busy.release()
  await house.rig.settle()
  t.match(await read(processes, 'connections'), { open: 2, parked: 0, paused: 0 })
})

t.test('counts processes with keys by kind', async (t) => {
  const house = new Rooms({ max: 1 })
  const { processes } = house
  house.send('hello')
  await house.settle()
  house.send('hello', 'b')
  house.send('crash')
  await house.settle()
  house.send('hello')
  await house.settle()
  t.strictSame(await read(processes, 'keyed_processes'), { room: 1 })
  t.strictSame(await read(processes, 'keyed_started_total'), { room: 2 })
  t.strictSame(await read(processes, 'keyed_crashed_total'), { room: 1 })
  t.strictSame(await read(processes, 'keyed_refused_total'), { room: 1 })
})

t.test('is ready until it drains', async (t) => {
  const app = await build(t)
  t.strictSame(await read(app.processes, 'ready'), { '': 1 })
  const drained = app.processes.drain()
  t.strictSame(await read(app.processes, 'ready'), { '': 0 })
  await drained
})

t.test('counts processes by kind, ends by reason, and messages by direction', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  const target = rig.target()
  const client = new WebSocketClient(rig)
  const { pid } = rig.connect(target, client.transport)
  processes.supervise({ children: [{ id: 'child', start: (self) => self.serve({}) }] })
  processes.exit(processes.spawn((self) => self.serve({})), 'boom')
  for (const text of ['a', 'b', 'c']) client.send(text)
  for (const data of ['d', 'e']) processes.send(pid, 'ws.send', { data })
  await rig.settle()
  t.strictSame(await read(processes, 'processes'), { process: 2, supervisor: 1, ws: 1 })
  t.strictSame(await read(processes, 'process_exits_total'), { boom: 1 })
  processes.send(pid, 'ws.control', { target_pid: rig.target().pid })
  await rig.settle()
  t.strictSame(await read(processes, 'connections_transferred_total'), { '': 1 })
  t.strictSame(await read(processes, 'connections_limited_total'), { '': 0 })
  processes.send(pid, 'ws.control', { limit: { messages: '1/s' } })
  client.send('f')
  client.send('g')
  await rig.settle()
  t.strictSame(await read(processes, 'connections_limited_total'), { '': 1 })
  t.strictSame(await read(processes, 'messages_total'), { in: 4, out: 2 })
  // Four masked frames of 7 bytes, two frames of 3 bytes.
  t.strictSame(await read(processes, 'bytes_total'), { in: 28, out: 6 })
})
