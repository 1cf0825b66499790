// Calls of a session that loses its sockets.
import t from 'tap'
import { until } from '../../helpers.js'
import { WireClient } from '../../integration/resume/wire-client.js'
import { chat, serve, spawnTarget } from './chat.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Target } from './chat.js'

interface Session {
  readonly app: FastifyInstance
  readonly target: Target
  readonly client: WireClient
  send (message: unknown): void
}

async function session (t: Test): Promise<Session> {
  const { app, port } = await serve(t, 'target', { protocol: chat })
  const target = spawnTarget(app, 'target')
  const client = new WireClient(t, { port })
  await client.connect()
  const send = (message: unknown): void => { client.send(JSON.stringify(message)) }
  send({ topic: 'any', data: 'first' })
  await until(() => target.taken.length === 1)
  return { app, target, client, send }
}

t.test('calls in both directions are answered once over 100 cuts', async (t) => {
  const { app, target, client, send } = await session(t)
  const cuts = 100
  const confirmed: Array<Promise<unknown>> = []
  for (let id = 1; id <= cuts; id++) {
    send({ topic: 'any', data: 'call', id })
    confirmed.push(app.processes.call(target.client, 'confirm', { text: '' }, { timeout: '1h' }))
    // Some cuts come before the messages, others after them; the answers come at any time.
    if (id % 3 > 0) await until(() => target.taken.length > id)
    if (id % 3 > 1) target.taken[id].reply(id)
    client.wire.socket.destroy()
    if (id % 2 > 0) await until(() => app.processes.info(target.client)?.connected === false)
    await client.connect()
    await until(() => target.taken.length > id)
    target.taken[id].reply(id)
    send({ re: id, data: id % 2 > 0 })
  }
  t.strictSame(await Promise.all(confirmed), confirmed.map((_, i) => i % 2 === 0))
  await client.until(() => client.received.length === 2 * cuts)
  const all = client.received.map((text) => JSON.parse(text) as Record<string, number>)
  const numbers = Array.from({ length: cuts }, (_, i) => i + 1)
  const sorted = (key: string): number[] =>
    all.filter((one) => key in one).map((one) => one[key]).sort((a, b) => a - b)
  t.strictSame([sorted('re'), sorted('id')], [numbers, numbers])
  t.equal(app.processes.stats().invalid, 0)
})

t.test('an answer while the client is away arrives when it is back', async (t) => {
  const { app, target, client, send } = await session(t)
  send({ topic: 'any', id: 5 })
  await until(() => target.taken.length === 2)
  client.wire.socket.destroy()
  await until(() => app.processes.info(target.client)?.connected === false)
  target.taken[1].reply('late')
  const call = app.processes.call(target.client, 'confirm', { text: 'back?' })
  await client.connect()
  await client.until(() => client.received.length === 2)
  t.strictSame(client.received, [
    '{"re":5,"data":"late"}', '{"topic":"confirm","data":{"text":"back?"},"id":1}'
  ])
  send({ re: 1, data: true })
  t.equal(await call, true)
})

t.test('the protocol is kept, and an invalid message counts as received', async (t) => {
  const { app, target, client, send } = await session(t)
  send({ topic: 'nothing' })
  send({ topic: 'any', data: 'second' })
  await until(() => target.taken.length === 2)
  client.wire.socket.destroy()
  const { hello } = await client.connect()
  t.match(hello, { resumed: true, received: 3 })
  send({ topic: 'note', data: 'no' })
  await client.until(() => client.wire.reports.length === 1)
  t.equal(app.processes.stats().invalid, 2)
})
