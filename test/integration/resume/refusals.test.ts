// Offers that are not accepted, and what the client is told.
import t from 'tap'
import { serialOf } from '../../../lib/cluster/context.js'
import { build, listen, record, until } from '../../helpers.js'
import { frameOf } from '../../client-frames.js'
import { WireClient, openWire } from './wire-client.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Recorder } from '../../helpers.js'
import type { Pid } from '../../../types/pid.js'
import type { WsRelayOptions } from '../../../types/relay.js'

interface Setting {
  app: FastifyInstance
  target: Recorder
  client: WireClient
  pid: Pid
  port: number
}

/** A client whose message `a` the target has. */
async function connected (
  t: Test, options: WsRelayOptions = {}, headers: Record<string, string> = {}
): Promise<Setting> {
  const app = await build(t, { resume: true, allowedOrigins: '*', ...options })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  app.get('/ws2', (request, reply) => { reply.relay(target.pid).send() })
  const port = await listen(app)
  const client = new WireClient(t, { port, headers })
  await client.connect()
  const { client_pid: pid } = await target.next('ws.join')
  client.send('a')
  await client.until(() => client.received.length === 1)
  return { app, target, client, pid, port }
}

async function cutOff ({ client, app, pid }: Setting): Promise<void> {
  await client.cut()
  await until(() => app.processes.info(pid)?.connected !== true)
}

t.test('refuses a token that is wrong, and leaves the session unharmed', async (t) => {
  const setting = await connected(t, {}, { origin: 'https://a.example' })
  await cutOff(setting)
  const { client, target, pid, port } = setting
  await openWire(t, { port, headers: { origin: 'https://a.example' } }, [])
  const { client_pid: plain } = await target.next('ws.join')
  const token = client.token!
  const [node, incarnation, serial, mac] = token.split('.')
  const attempts: Array<[string, object, string]> = [
    ['refused', { token: [node, incarnation, serial, mac.slice(1) + 'A'].join('.') }, '/ws'],
    ['refused', { token: 'nonsense' }, '/ws'],
    ['refused', { headers: { origin: 'https://b.example' } }, '/ws'],
    ['refused', {}, '/ws2'],
    ['node', { token: ['other', incarnation, serial, mac].join('.') }, '/ws'],
    ['node', { token: [node, 'k3x', serial, mac].join('.') }, '/ws'],
    ['expired', { token: [node, incarnation, '999', mac].join('.') }, '/ws'],
    // PIDs without a session: the target, and a connection that does not count messages.
    ['expired', { token: [node, incarnation, serialOf(target.pid), mac].join('.') }, '/ws'],
    ['expired', { token: [node, incarnation, serialOf(plain), mac].join('.') }, '/ws']
  ]
  for (const [why, changes, path] of attempts) {
    const other = new WireClient(t, { port, headers: { origin: 'https://a.example' } })
    const wire = await other.connect({ token, received: 1, path, ...changes })
    t.match(wire.hello, { resumed: false, why, received: 0, from: 1 }, why)
    t.not((await target.next('ws.join')).client_pid, pid, 'the handler ran')
  }
  const wire = await client.connect({ path: '/ws?ticket=2' })
  t.match(wire.hello, { resumed: true, from: 2, received: 1 })
})

t.test('ends the session for a gap', async (t) => {
  const setting = await connected(t)
  await cutOff(setting)
  const wire = await setting.client.connect({ received: 7 })
  t.match(wire.hello, { resumed: false, why: 'gap' })
  t.match(await setting.target.next('ws.leave'), { client_pid: setting.pid, cause: 'lost' })
})

t.test('ends an open session for a gap, and closes its socket', async (t) => {
  const { client, target, pid } = await connected(t)
  const first = client.wire
  const wire = await client.connect({ received: 7 })
  t.match(wire.hello, { resumed: false, why: 'gap' })
  t.match(await target.next('ws.leave'), { client_pid: pid, cause: 'lost' })
  await first.closed()
})

t.test('tells a client that its session was closed while it was away', async (t) => {
  const setting = await connected(t)
  await cutOff(setting)
  const { app, client, target, pid } = setting
  app.processes.send(pid, 'ws.close', { code: 4003, reason: 'kicked' })
  const exit = await target.next('ws.leave')
  t.match(exit, { cause: 'process', code: 4003 })
  const wire = await client.connect()
  t.match(wire.hello, { resumed: false, why: 'ended', window: 0 })
  t.notOk('token' in wire.hello!)
  await wire.closed()
  t.same(wire.close, { code: 4003, reason: 'kicked' })
  t.equal(target.received.filter(({ topic }) => topic === 'ws.join').length, 1)
})

t.test('closes with 1011 for a session that was killed while its client was away', async (t) => {
  const setting = await connected(t)
  await cutOff(setting)
  setting.app.processes.exit(setting.pid, 'kill')
  const wire = await setting.client.connect()
  t.match(wire.hello, { why: 'ended' })
  await wire.closed()
  t.same(wire.close, { code: 1011, reason: 'closed by server' })
})

t.test('tells a client that too much waited for it', async (t) => {
  const setting = await connected(t, { maxBufferedAmount: 10, resume: { buffer: 10 } })
  await cutOff(setting)
  const { app, client, pid } = setting
  t.ok(app.processes.send(pid, 'ws.send', { data: 'x'.repeat(500_000) }))
  t.notOk(app.processes.send(pid, 'ws.send', { data: 'x' }))
  const wire = await client.connect()
  t.match(wire.hello, { resumed: false, why: 'full' })
})

t.test('tells a client that its window is over', async (t) => {
  const setting = await connected(t, { resume: { window: 1000 } })
  const exited = setting.app.processes.exited(setting.pid)
  await setting.client.cut()
  const { reason, value } = await exited
  t.equal(reason, 'connection_lost')
  t.match(value, { cause: 'lost', away: Number })
  t.ok((value as { away: number }).away >= 1000)
  const wire = await setting.client.connect()
  t.match(wire.hello, { resumed: false, why: 'expired' })
})

t.test('answers with 1002 to an acknowledgement that is not valid', async (t) => {
  for (const ack of ['x', '2', '12345678901234567']) {
    const { client, target, pid } = await connected(t)
    client.wire.write(frameOf(1, `\u0000a${ack}`), frameOf(1, 'dropped'))
    await client.wire.closed()
    t.same(client.wire.close, { code: 1002, reason: 'invalid acknowledgement' })
    t.match(await target.next('ws.leave'), { client_pid: pid, cause: 'protocol' })
    t.equal(target.received.filter(({ topic }) => topic === 'ws.message').length, 1)
  }
})

t.test('answers the protocol on a route that does not allow to resume', async (t) => {
  const { client, target } = await connected(t, { resume: false })
  t.match(client.hellos[0], { window: 0, resumed: false })
  t.notOk('token' in client.hellos[0])
  client.ping()
  await client.wire.until(() => client.wire.acks.length === 1)
  t.same(client.wire.acks, [1])
  client.token = 'local.k3x.1.abcdefghijklmnopqrstuv'
  t.match((await client.connect()).hello, { resumed: false, why: 'refused' })
  await target.next('ws.join')
})

t.test('has the protocol of the handler in its hello', async (t) => {
  const app = await build(t, { resume: true })
  const target = record(app)
  const offered: unknown[] = []
  app.get('/ws', (request, reply) => {
    offered.push(request.headers['sec-websocket-protocol'])
    reply.header('sec-websocket-protocol', 'chat').relay(target.pid).send()
  })
  const port = await listen(app)
  const client = new WireClient(t, { port, protocols: ['chat', 'news'] })
  const wire = await client.connect()
  t.equal(wire.header('sec-websocket-protocol'), 'v1.ws-relay')
  t.equal(wire.hello!.protocol, 'chat')
  client.ack()
  const again = await client.connect()
  t.match(again.hello, { resumed: true, protocol: 'chat' })
  t.same(offered, ['chat, news'])
  const plain = await openWire(t, { port }, ['chat'])
  t.equal(plain.header('sec-websocket-protocol'), 'chat')
})

t.test('ends with its first socket when the client has sent nothing', async (t) => {
  const app = await build(t, { resume: true })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const client = new WireClient(t, { port: await listen(app) })
  await client.connect()
  await client.cut()
  t.match(await target.next('ws.leave'), { cause: 'lost' })
  t.match((await client.connect()).hello, { resumed: false, why: 'expired' })
})
