// A connection whose client is away.
import t from 'tap'
import { build, listen, record, until } from '../../helpers.js'
import { WireClient, openWire } from './wire-client.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Recorder } from '../../helpers.js'
import type { Pid } from '../../../types/pid.js'
import type { RelayConfig, WsRelayOptions } from '../../../types/relay.js'

interface Setting {
  app: FastifyInstance
  target: Recorder
  client: WireClient
  pid: Pid
}

/** A client whose socket is lost after its message `a`. */
async function suspended (
  t: Test, options: WsRelayOptions = {}, config: Partial<RelayConfig> = {}
): Promise<Setting> {
  const app = await build(t, { resume: { notify: true }, ...options })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid, config).send() })
  const client = new WireClient(t, { port: await listen(app) })
  await client.connect()
  const { client_pid: pid } = await target.next('ws.join')
  client.send('a')
  await client.until(() => client.received.length === 1)
  client.ack()
  client.ping()
  await client.wire.until(() => client.wire.acks.length > 0)
  await client.cut()
  t.match(await target.next('ws.suspend'), { client_pid: pid, cause: 'lost', metadata: {} })
  return { app, target, client, pid }
}

t.test('tells the target, and goes on with heartbeats', async (t) => {
  const { app, target, client, pid } = await suspended(t, {}, { heartbeat_interval: 100 })
  let heartbeat = await target.next('ws.heartbeat')
  while (heartbeat.connected !== false) heartbeat = await target.next('ws.heartbeat')
  await client.connect()
  const { client_pid, away } = await target.next('ws.resume')
  t.equal(client_pid, pid)
  t.ok(away > 0)
  while ('connected' in heartbeat) heartbeat = await target.next('ws.heartbeat')
  app.processes.send(pid, 'ws.close')
  await target.next('ws.leave')
  const topics = target.received.map(({ topic }) => topic).filter((one) => one !== 'ws.heartbeat')
  t.same(topics, ['ws.join', 'ws.message', 'ws.suspend', 'ws.resume', 'ws.leave'])
})

t.test('is moved to another target', async (t) => {
  const { app, target, client, pid } = await suspended(t)
  const next = record(app)
  await app.processes.call(pid, 'ws.control', { target_pid: next.pid, metadata: { desk: 2 } })
  t.match(await target.next('ws.leave'), { cause: 'transfer' })
  t.same(await next.next('ws.join'), {
    client_pid: pid, metadata: { desk: 2 }, connected: false
  })
  client.send('b')
  await client.connect()
  t.match(await next.next('ws.resume'), { client_pid: pid, metadata: { desk: 2 } })
  t.match(await next.next('ws.message'), { data: 'b' })
})

t.test('ends with its target, and tells the client', async (t) => {
  const { app, target, client, pid } = await suspended(t)
  const exited = app.processes.exited(pid)
  app.processes.exit(target.pid, 'boom')
  t.match(await exited, { reason: 'target_down', value: { cause: 'target', away: Number } })
  t.match(app.processes.explain(pid), {
    chain: [{ cause: 'target', because: target.pid, away: Number }, { reason: 'boom' }]
  })
  const wire = await client.connect()
  t.match(wire.hello, { why: 'ended' })
  await wire.closed()
  t.same(wire.close, { code: 1011, reason: 'target process exited' })
})

t.test('ends with a linked process', async (t) => {
  const { app, pid } = await suspended(t)
  const exited = app.processes.exited(pid)
  app.processes.spawn(async (self) => {
    self.link(pid)
    throw new Error('boom')
  })
  t.match(await exited, { reason: 'error', value: { cause: 'exit' } })
})

t.test('answers calls when a later socket has the message', async (t) => {
  const { app, client, pid } = await suspended(t)
  const log: string[] = []
  const sent = app.processes.call(pid, 'ws.send', { data: 'b' }).then(() => log.push('sent'))
  const had = app.processes.call(pid, 'ws.send', { data: 'c', ack: true })
    .then(() => log.push('acknowledged'))
  await client.connect()
  await sent
  t.same(log, ['sent'])
  await client.until(() => client.received.length === 3)
  client.ack()
  await had
  t.same(client.received, ['a', 'b', 'c'])
})

t.test('rejects calls when it ends', async (t) => {
  const { app, pid } = await suspended(t)
  const calls = [{ data: 'b' }, { data: 'c', ack: true }].map((payload) =>
    app.processes.call(pid, 'ws.send', payload))
  app.processes.exit(pid, 'over')
  for (const call of calls) await t.rejects(call, { code: 'FST_PROCESS_CALL_FAILED' })
})

t.test('refuses calls that a plain client cannot acknowledge', async (t) => {
  const app = await build(t, { resume: true })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  await openWire(t, { port: await listen(app) }, [])
  const { client_pid: pid } = await target.next('ws.join')
  await t.rejects(app.processes.call(pid, 'ws.send', { data: 'a', ack: true }), {
    code: 'FST_PROCESS_REFUSED', message: /the client cannot acknowledge/
  })
  const hostile = { data: 'a', get ack (): boolean { throw new Error('no') } }
  await app.processes.call(pid, 'ws.send', hostile)
})

t.test('refuses a malformed call that waits for the client', async (t) => {
  const { app, pid } = await suspended(t)
  await t.rejects(app.processes.call(pid, 'ws.send', { data: 1, ack: true } as never), {
    code: 'FST_WS_RELAY_INVALID_PAYLOAD'
  })
})

t.test('ends when the server closes', async (t) => {
  const { app, target, pid } = await suspended(t)
  const exited = app.processes.exited(pid)
  await app.close()
  t.match(await exited, { reason: 'shutdown', value: { cause: 'shutdown', code: 1001 } })
  t.match(await target.next('ws.leave'), { cause: 'shutdown' })
})

t.test('has no sockets, and no connection that could be resumed by `injectWS`', async (t) => {
  const app = await build(t, { resume: true })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  await app.ready()
  const frames: string[] = []
  const client = await app.injectWS('/ws', { headers: { 'sec-websocket-protocol': 'v1.ws-relay' } },
    { onInit: (ws) => { ws.on('message', (data) => frames.push(String(data))) } })
  await target.next('ws.join')
  await until(() => frames.length > 0)
  t.match(JSON.parse(frames[0].slice(2)), { window: 0, resumed: false })
  client.terminate()
  t.match(await target.next('ws.leave'), { cause: 'lost' })
})

t.test('refuses an offer of `injectWS`', async (t) => {
  const app = await build(t, { resume: true })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const port = await listen(app)
  const client = new WireClient(t, { port })
  await client.connect()
  client.ack()
  const { client_pid: pid } = await target.next('ws.join')
  const frames: string[] = []
  const offer = `v1.ws-relay, resume.ws-relay.${client.token}.0`
  const injected = await app.injectWS('/ws', { headers: { 'sec-websocket-protocol': offer } },
    { onInit: (ws) => { ws.on('message', (data) => frames.push(String(data))) } })
  await until(() => frames.length > 0)
  t.match(JSON.parse(frames[0].slice(2)), { window: 0, resumed: false, why: 'refused' })
  injected.terminate()
  t.equal(app.processes.info(pid)?.connected, true, 'the session is unharmed')
})

t.test('resumes over sockets with and without compression', async (t) => {
  const app = await build(t, { resume: true, perMessageDeflate: { threshold: 0 } })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const port = await listen(app)
  const client = new WireClient(t, { port })
  await client.connect()
  const { client_pid: pid } = await target.next('ws.join')
  client.ack()
  await client.cut()
  await until(() => app.processes.info(pid)?.connected === false)
  app.processes.send(pid, 'ws.send', { data: 'x'.repeat(100) })
  // The socket with compression takes over the state; its hello is compressed, too.
  const headers = { 'sec-websocket-extensions': 'permessage-deflate' }
  const { token } = client
  const compressed = new WireClient(t, { port, headers })
  const offer = compressed.connect({ token, received: 0 })
  await until(() => app.processes.info(pid)?.connected === true)
  offer.catch(() => {})
  const wire = await client.connect()
  t.match(wire.hello, { resumed: true, from: 1 })
  await client.until(() => client.received.length === 1)
  t.same(client.received, ['x'.repeat(100)])
})

t.test('takes over from a half-open socket', async (t) => {
  const app = await build(t, { resume: { notify: true } })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const client = new WireClient(t, { port: await listen(app) })
  const first = await client.connect()
  const { client_pid: pid } = await target.next('ws.join')
  client.send('a')
  await client.until(() => client.received.length === 1)
  const second = await client.connect()
  await first.closed()
  t.equal(first.close, undefined, 'the old socket is cut')
  client.send('b')
  app.processes.send(pid, 'ws.send', { data: 'c' })
  await client.until(() => client.received.length === 3)
  t.same(second.data.length, 2)
  const topics = target.received.map(({ topic }) => topic)
  t.same(topics, ['ws.join', 'ws.message', 'ws.message'], 'the target notices nothing')
})
