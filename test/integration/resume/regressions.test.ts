// Faults that resumable sessions of other systems had, one test each.
import t from 'tap'
import { closeCodes } from '../../../lib/connection/close-codes.js'
import { bare, build, listen, record, until } from '../../helpers.js'
import { FakeServer } from '../../session/fake-transport.js'
import { Cutter } from './cutter.js'
import { WireClient } from './wire-client.js'
import { wsRelay } from '../../../lib/index.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { FakeTransport } from '../../session/fake-transport.js'
import type { Recorder } from '../../helpers.js'
import type { Pid } from '../../../types/pid.js'
import type { WsRelayOptions } from '../../../types/relay.js'

interface Setting {
  app: FastifyInstance
  target: Recorder
  client: WireClient
  cutter: Cutter
  pid: Pid
}

/** A client, behind a proxy, that may come back. It has neither sent nor received a message. */
async function connected (t: Test, options: WsRelayOptions = {}): Promise<Setting> {
  const app = await build(t, { resume: true, ...options })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const cutter = await Cutter.to(t, await listen(app))
  const client = new WireClient(t, { port: cutter.port })
  await client.connect()
  const { client_pid: pid } = await target.next('ws.join')
  await proved(client)
  return { app, target, client, cutter, pid }
}

/** The server has a message of the client on the present socket. */
async function proved (client: WireClient): Promise<void> {
  const { wire } = client
  const { length } = wire.acks
  client.ping()
  await wire.until(() => wire.acks.length > length)
}

async function away ({ app, pid }: Setting): Promise<void> {
  await until(() => app.processes.info(pid)?.connected === false)
}

function textsOf ({ received }: Recorder): string[] {
  return received.filter(({ topic }) => topic === 'ws.message').map(({ payload }) => payload.data)
}

t.test('resumes a session that has had no message', async (t) => {
  const setting = await connected(t)
  const { client, target, pid } = setting
  await client.cut()
  await away(setting)
  t.match((await client.connect()).hello, { resumed: true, from: 1, received: 0 })
  client.send('a')
  t.match(await target.next('ws.message'), { client_pid: pid, data: 'a' })
})

t.test('resumes after 24 hours of quiet', async (t) => {
  const server = new FakeServer()
  const { socket, connection, token } = server.start()
  socket.text('a')
  connection.send('1')
  server.deadlines.advance(24 * 60 * 60 * 1000)
  t.equal(server.deadlines.size, 0, 'nothing waited')
  connection.send('2')
  socket.lose(closeCodes.pingTimeout)
  server.deadlines.advance(59_000)
  const next = server.resume(token, 0) as FakeTransport
  t.match(next.takeHello(), { resumed: true, from: 1, received: 1 })
  t.same(next.takeLog(), ['1', '2'])
  next.text('b')
  t.same(connection.takeLog(), ['a', 'suspended: ping_timeout', 'resumed after 59000', 'b'])
})

t.test('resumes 100 times in a row', async (t) => {
  const { client, target, pid } = await connected(t)
  const sent = Array.from({ length: 100 }, (_, i) => String(i))
  for (const text of sent) {
    client.send(text)
    await client.until(() => client.received.includes(text))
    await client.cut()
    t.equal((await client.connect()).hello!.resumed, true)
  }
  t.same(client.take(), sent)
  t.same(textsOf(target), sent)
  t.ok(target.received.every(({ payload }) => payload.client_pid === pid))
})

t.test('resumes while the old socket is still open', async (t) => {
  const { client, cutter, target } = await connected(t)
  const old = client.wire
  client.send('a')
  await client.until(() => client.received.length === 1)
  cutter.freeze()
  client.send('b')
  t.match((await client.connect()).hello, { resumed: true, received: 1 })
  client.send('c')
  cutter.thaw()
  await client.until(() => client.received.length === 3)
  await old.closed()
  t.same(client.received, ['a', 'b', 'c'])
  t.same(textsOf(target), ['a', 'b', 'c'], 'the server has not read the old socket')
  t.same(old.data, ['a'], 'the server has not written to the old socket')
})

t.test('resumes after messages to the client were dropped', async (t) => {
  const setting = await connected(t, { overflow: 'drop', maxBufferedAmount: 10 })
  const { app, client, pid } = setting
  await client.cut()
  await away(setting)
  const accepted: string[] = []
  const large = 'x'.repeat(300_000)
  let dropped = 0
  for (let i = 0; i < 9; i++) {
    const data = `${i} ${large}`
    if (app.processes.send(pid, 'ws.send', { data })) accepted.push(data)
    else dropped++
  }
  t.ok(dropped > 0 && accepted.length > 0)
  t.match((await client.connect()).hello, { resumed: true, from: 1 })
  client.send('a')
  await client.until(() => client.received.includes('a'))
  t.same(client.received, [...accepted, 'a'])
  client.ack()
  await client.cut()
  t.match((await client.connect()).hello, { resumed: true, from: accepted.length + 2 })
})

t.test('resumes with messages of the client in flight', async (t) => {
  const { client, cutter, target } = await connected(t)
  const sent = Array.from({ length: 20 }, (_, i) => `message ${i}`)
  // The first ones arrive, one arrives in part, and the others do not.
  cutter.cutAfter(100)
  for (const text of sent) client.send(text)
  await client.wire.closed()
  const { hello } = await client.connect()
  t.equal(hello!.resumed, true)
  t.ok(hello!.received > 0 && hello!.received < 20, `${hello!.received} had arrived`)
  await client.until(() => client.received.length === 20)
  t.same(textsOf(target), sent)
  t.same(client.received, sent)
})

t.test('gives nothing to a blocked user who comes back', async (t) => {
  const app = bare(t)
  const blocked = new Set<unknown>()
  await app.register(wsRelay, { resume: { owner: ({ headers }) => String(headers['x-user']) } })
  app.addHook('preHandler', async ({ headers }, reply) => {
    if (blocked.has(headers['x-user'])) return reply.code(403).send({ error: 'blocked' })
  })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const client = new WireClient(t, { port: await listen(app), headers: { 'x-user': 'ada' } })
  await client.connect()
  const { client_pid: pid } = await target.next('ws.join')
  await proved(client)
  await client.cut()
  await until(() => app.processes.info(pid)?.connected === false)
  blocked.add('ada')
  app.processes.send(pid, 'ws.send', { data: 'a secret' })
  const refused = await client.connect()
  t.equal(refused.status, 403)
  t.equal(refused.body, '{"error":"blocked"}')
  // As somebody else the user has a token of another owner.
  const changes = { headers: { 'x-user': 'eve' }, token: client.token!, received: 0 }
  const other = await new WireClient(t, { port: client.port }).connect(changes)
  t.match(other.hello, { resumed: false, why: 'refused' })
  t.same(other.data, [])
  t.match(app.processes.info(pid), { connected: false })
  blocked.clear()
  t.match((await client.connect()).hello, { resumed: true })
  await client.until(() => client.received.length === 1)
  t.same(client.received, ['a secret'])
})
