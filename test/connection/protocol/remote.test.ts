// A protocol of connections on node `a` whose target is a process of node `b`.
import t from 'tap'
import { TestCluster } from '../../cluster/nodes.js'
import { until } from '../../helpers.js'
import { chat, connect, serve, spawnTarget } from './chat.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { ProcessSystem } from '../../../types/processes.js'
import type { WireSocket } from '../../integration/resume/wire-client.js'
import type { Target } from './chat.js'

interface Far {
  readonly app: FastifyInstance
  readonly b: ProcessSystem
  readonly cluster: TestCluster
  readonly target: Target
  readonly client: WireSocket
  readonly lines: Array<Record<string, any>>
  send (message: unknown): void
}

async function far (t: Test, mailboxLimit = 10_000): Promise<Far> {
  const cluster = new TestCluster(t)
  const b = await cluster.node('b', { mailboxLimit })
  const target = spawnTarget({ processes: b })
  const config = { protocol: chat, metadata: { user: 'ada' } }
  const server = await serve(t, target.pid, config, { node: 'a', cluster: cluster.engine() })
  await until(() => server.app.processes.cluster!.nodes().some(({ state }) => state === 'up') &&
    b.cluster!.nodes().some(({ state }) => state === 'up'))
  const client = await connect(t, server.port, true)
  await until(() => target.client !== '')
  const send = (message: unknown): void => { client.writeText(JSON.stringify(message)) }
  return { ...server, b, cluster, target, client, send }
}

const say = { topic: 'say', data: { text: 'hi' } }
const exited = { code: 'TARGET_EXITED', message: 'the target has ended' }

function answers (data: readonly string[]): unknown[] {
  return data.map((text) => JSON.parse(text))
}

t.test('the target gets checked messages in order, with frozen metadata', async (t) => {
  const { target, client, send } = await far(t)
  send(say)
  send({ topic: 'say', data: 'no' })
  send({ topic: 'typing', data: true })
  send({ ...say, id: 1 })
  send({ topic: 'any' })
  await until(() => target.taken.length === 4)
  const rest = { client_pid: target.client, type: 'json', metadata: { user: 'ada' } }
  t.strictSame(target.taken.map(({ topic, payload }) => [topic, payload]), [
    ['ws.message', { ...rest, ...say }],
    ['ws.message', { ...rest, topic: 'typing', data: true }],
    ['ws.message', { ...rest, ...say }],
    ['ws.message', { ...rest, topic: 'any', data: undefined }]
  ])
  t.equal(new Set(target.taken.map(({ payload }) => payload.metadata)).size, 1)
  t.ok(Object.isFrozen(target.taken[0].payload.metadata))
  await client.until(() => client.reports.length === 1)
  t.strictSame(client.reports, [{ topic: 'say', path: '' }])
})

t.test('calls are answered in both directions', async (t) => {
  const { b, target, client, send } = await far(t)
  for (const id of [1, 2, 3]) send({ ...say, id })
  await until(() => target.taken.length === 3)
  target.taken[2].reply({ id: 3 })
  target.taken[1].fail({ code: 'FULL', message: 'the room is full' })
  target.taken[0].fail(new Error('SELECT secret'))
  await client.until(() => client.data.length === 3)
  t.strictSame(answers(client.data), [
    { re: 3, data: { id: 3 } },
    { re: 2, error: { code: 'FULL', message: 'the room is full' } },
    { re: 1, error: { code: 'CALL_FAILED', message: 'the call failed' } }
  ])
  const calls = [1, 2, 3].map((n) => b.call(target.client as string, 'confirm', { text: `${n}` })
    .catch((err: unknown) => ({ err })))
  await client.until(() => client.data.length === 6)
  t.strictSame(answers(client.data.slice(3)), [1, 2, 3].map((id) => {
    return { topic: 'confirm', data: { text: `${id}` }, id }
  }))
  send({ re: 2, data: 'not a boolean' })
  send({ re: 3, error: { code: 'UNKNOWN_TOPIC', message: 'nobody listens' } })
  send({ re: 1, data: true })
  const [yes, invalid, unknown] = await Promise.all(calls) as [unknown, any, any]
  t.equal(yes, true)
  t.match(invalid.err, { code: 'FST_PROCESS_CALL_FAILED', cause: { name: 'TypeError' } })
  t.strictSame(unknown.err.cause, { code: 'UNKNOWN_TOPIC', message: 'nobody listens' })
})

t.test('a call to the client that nobody waits for is forgotten', async (t) => {
  const { app, b, target, client, send } = await far(t)
  const timeout = b.call(target.client as string, 'confirm', { text: '' }, { timeout: 1 })
  await t.rejects(timeout, { code: 'FST_PROCESS_CALL_TIMEOUT' })
  await client.until(() => client.data.length === 1)
  // A later message of the same node comes after the end of the call.
  t.ok(await b.call(target.client as string, 'ws.send', { data: 'later' }) === undefined)
  send({ re: 1, data: 'not a boolean' })
  send({ topic: 'typing', data: true })
  await until(() => target.taken.length === 1)
  t.equal(app.processes.stats().invalid, 0)
})

t.test('calls end at once with their target', async (t) => {
  const { b, target, client, send } = await far(t)
  send({ ...say, id: 7 })
  await until(() => target.taken.length === 1)
  b.exit(target.pid, 'crash')
  await client.closed()
  t.strictSame(answers(client.data), [{ re: 7, error: exited }])
  t.strictSame(client.close, { code: 1011, reason: 'target process exited' })
})

t.test('calls end at once with the node of their target', async (t) => {
  const { b, target, client, send } = await far(t)
  send({ ...say, id: 7 })
  await until(() => target.taken.length === 1)
  await b.close()
  await client.closed()
  t.strictSame(answers(client.data), [{ re: 7, error: exited }])
  t.strictSame(client.close, { code: 1012, reason: 'target node closing' })
})

t.test('the old target on another node may still answer after a transfer', async (t) => {
  const { app, b, target, client, send } = await far(t)
  for (const id of [1, 2]) send({ ...say, id })
  await until(() => target.taken.length === 2)
  const local = spawnTarget(app)
  await app.processes.call(target.client, 'ws.control', { target_pid: local.pid })
  send({ ...say, id: 3 })
  await until(() => local.taken.length === 1)
  target.taken[0].reply('old')
  await client.until(() => client.data.length === 1)
  b.exit(target.pid, 'crash')
  await client.until(() => client.data.length === 2)
  local.taken[0].reply('new')
  await client.until(() => client.data.length === 3)
  t.strictSame(answers(client.data), [
    { re: 1, data: 'old' }, { re: 2, error: exited }, { re: 3, data: 'new' }
  ])
})

t.test('data that cannot cross is dropped, and the call for it fails', async (t) => {
  const { target, client, lines, send } = await far(t)
  const deep = (levels: number): unknown => levels === 0 ? 1 : [deep(levels - 1)]
  send({ topic: 'any', data: deep(70) })
  send({ topic: 'any', data: deep(70), id: 1 })
  send({ topic: 'typing', data: true })
  await until(() => target.taken.length === 1)
  t.match(target.taken, [{ payload: { topic: 'typing' } }])
  t.strictSame(answers(client.data), [
    { re: 1, error: { code: 'CALL_FAILED', message: 'the call failed' } }
  ])
  const text = 'cluster: a value cannot be sent to another node'
  t.equal(lines.filter(({ msg }) => msg === text).length, 2)
})

t.test('pauses the client while the mailbox of its target is full, calls included', async (t) => {
  const { app, b, target, client, send } = await far(t, 40)
  const gate = { open: (): void => {} }
  const closed = new Promise<void>((resolve) => { gate.open = resolve })
  const held = b.spawn((self) => self.serve({
    'ws.message': async ({ topic, data }: any, message) => {
      await closed
      if (topic === 'say') message.reply(1)
      else taken.push(data)
    }
  }))
  const taken: unknown[] = []
  await app.processes.call(target.client, 'ws.control', { target_pid: held })
  for (let id = 0; id < 60; id++) send({ ...say, id })
  let sent = 0
  await until(() => {
    if (app.processes.stats().connections.paused === 1) return true
    send({ topic: 'any', data: sent++ })
    return false
  })
  gate.open()
  await client.until(() => client.data.length === 60)
  t.strictSame(answers(client.data), Array.from({ length: 60 }, (_, re) => ({ re, data: 1 })))
  await until(() => taken.length === sent)
  t.strictSame(taken, Array.from({ length: sent }, (_, n) => n))
})
