// The events and the counters of sessions.
import t from 'tap'
import { build, listen, record, until } from '../../helpers.js'
import { recordEvents } from '../../events.js'
import { frameOf } from '../../client-frames.js'
import { WireClient } from './wire-client.js'
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

/** A client whose message `a` the target has. Each test has a node of its own. */
async function connected (t: Test, node: string, options: WsRelayOptions = {}): Promise<Setting> {
  const app = await build(t, { node, resume: true, ...options })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const port = await listen(app)
  const client = new WireClient(t, { port })
  await client.connect()
  const { client_pid: pid } = await target.next('ws.join')
  client.send('a')
  await client.until(() => client.received.length === 1)
  return { app, target, client, pid, port }
}

async function cutOff ({ client, app, pid }: Setting): Promise<void> {
  await client.cut()
  await until(() => app.processes.info(pid)?.connected === false)
}

t.test('publishes the loss of a socket, and the return of its client', async (t) => {
  const events = recordEvents(t, 'events-1', 'upgrade', 'connection')
  const setting = await connected(t, 'events-1')
  const { app, target, client, pid } = setting
  await cutOff(setting)
  await client.connect()
  client.send('b')
  await client.until(() => client.received.length === 2)
  const next = record(app)
  await app.processes.call(pid, 'ws.control', { target_pid: next.pid })
  await client.connect()
  app.processes.send(pid, 'ws.close')
  await next.next('ws.leave')
  t.match(events, [
    { type: 'accepted', pid, target: target.pid },
    { type: 'open', pid, target: target.pid },
    { type: 'suspend', pid, target: target.pid, cause: 'lost', node: 'events-1', at: Number },
    { type: 'resume', pid, target: target.pid, away: Number, node: 'events-1', at: Number },
    { type: 'transfer', pid },
    { type: 'resume', pid, target: next.pid, away: 0 },
    { type: 'close', pid, cause: 'process' }
  ])
  t.equal(events.length, 7)
})

t.test('publishes no upgrade for a client that is told how its session ended', async (t) => {
  const events = recordEvents(t, 'events-2', 'upgrade', 'connection')
  const setting = await connected(t, 'events-2')
  await cutOff(setting)
  setting.app.processes.send(setting.pid, 'ws.close', { code: 4001 })
  const wire = await setting.client.connect()
  await wire.closed()
  const types = events.map(({ type }) => type)
  t.same(types, ['accepted', 'open', 'suspend', 'close'])
  t.match(setting.app.processes.stats().connections, { resumes: { ended: 1, resumed: 0 } })
})

t.test('counts resumes by outcome, and sessions that are suspended', async (t) => {
  const setting = await connected(t, 'events-3', { maxSuspended: 1 })
  const { app, client, pid, port } = setting
  const token = client.token!
  const [, incarnation, serial, mac] = token.split('.')
  const connections = (): any => app.processes.stats().connections

  await new WireClient(t, { port }).connect({ token: 'nonsense' })
  await new WireClient(t, { port }).connect({
    token: ['other', incarnation, serial, mac].join('.'), received: 0
  })
  await new WireClient(t, { port }).connect({
    token: ['events-3', incarnation, '999', mac].join('.'), received: 0
  })
  await client.connect()
  client.ack()
  await cutOff(setting)
  t.match(connections(), { open: 4, suspended: 1, opened: 4 })
  await client.connect({ received: 9 })
  await until(() => connections().suspended === 0)
  t.same(connections().resumes, {
    resumed: 1, ended: 0, refused: 1, node: 1, gap: 1, expired: 1, full: 0
  })

  // The session that has been away longest makes room for another one.
  const clients = [new WireClient(t, { port }), new WireClient(t, { port })]
  for (const each of clients) {
    await each.connect()
    each.send('b')
    await each.until(() => each.received.length === 1)
  }
  await clients[0].cut()
  await until(() => connections().suspended === 1)
  const { closed } = connections()
  await clients[1].cut()
  await until(() => connections().closed > closed)
  t.match((await clients[0].connect()).hello, { why: 'full' })
  t.equal(connections().suspended, 1)
  t.match(connections().resumes, { resumed: 1, full: 1 })
  t.equal(app.processes.info(pid), undefined, 'it has ended for the gap')
})

t.test('ignores and counts controls that it does not know', async (t) => {
  const { app, client, target } = await connected(t, 'events-4')
  client.wire.write(frameOf(1, '\u0000?from a later version'), frameOf(1, '\u0000'))
  client.send('b')
  await client.until(() => client.received.length === 2)
  t.equal(app.processes.stats().connections.unknownControls, 2)
  const messages = target.received.filter(({ topic }) => topic === 'ws.message')
  t.same(messages.map(({ payload }) => payload.data), ['a', 'b'])
})
