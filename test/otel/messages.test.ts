// Spans of the messages of clients, on an application whose requests have spans.
import { SpanKind, context, trace } from '@opentelemetry/api'
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace-base'
import Fastify from 'fastify'
import { channel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import t from 'tap'
import { memory, MemoryHub } from '../../lib/cluster/engines/memory.js'
import { wsRelay } from '../../lib/index.js'
import { instrument } from '../../lib/otel/index.js'
import { ProcessSpans } from '../../lib/otel/process-spans.js'
import { listen, open, record, until } from '../helpers.js'
import { WireClient } from '../integration/resume/wire-client.js'
import { Telemetry } from './telemetry.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type WebSocket from 'ws'
import type { Pid } from '../../types/pid.js'
import type { Process } from '../../types/processes.js'
import type { WsRelayOptions } from '../../types/relay.js'

/** An application with a span for each request, as `@fastify/otel` makes them. */
async function build (
  t: Test, { tracer }: Telemetry, options: WsRelayOptions = {}
): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  app.addHook('onRequest', (request, reply, done) => {
    const span = tracer.startSpan(`GET ${request.url}`)
    reply.raw.once('finish', () => { span.end() })
    context.with(trace.setSpan(context.active(), span), done)
  })
  await app.register(wsRelay, options)
  return app
}

async function echo (client: WebSocket, text: string): Promise<string> {
  const message = once(client, 'message')
  client.send(text)
  return String((await message)[0])
}

const message = { kind: 'CONSUMER', parent: undefined, error: undefined }

t.test('makes a span for each message, with a link to its upgrade', async (t) => {
  const telemetry = new Telemetry(t)
  const app = await build(t, telemetry)
  t.teardown(instrument(app.processes, telemetry.tracer))
  const roomPid = app.processes.spawn(async function room (self) {
    await self.serve({
      'ws.message': async ({ client_pid, data }) => {
        await Promise.resolve()
        const { traceId } = trace.getActiveSpan()!.spanContext()
        self.send(client_pid, 'ws.send', { data: `${String(data)} ${traceId}` })
      }
    }, () => {})
  })
  app.get('/a', (request, reply) => { reply.relay(roomPid).send() })
  app.get('/b', (request, reply) => { reply.relay(roomPid, { message_topic: 'chat' }).send() })
  const url = `ws://127.0.0.1:${await listen(app)}`
  const a = await open(t, `${url}/a`)
  const b = await open(t, `${url}/b`)
  const answers = [await echo(a, 'one'), await echo(a, 'two')]
  b.send('three')
  await until(() => telemetry.seen.length === 5)
  t.strictSame(telemetry.seen.filter(({ name }) => name.startsWith('process')), [
    { ...message, name: 'process room', topic: 'ws.message', links: ['GET /a'] },
    { ...message, name: 'process room', topic: 'ws.message', links: ['GET /a'] },
    { ...message, name: 'process room', topic: 'chat', links: ['GET /b'] }
  ])
  const spans = telemetry.spans.filter(({ name }) => name === 'process room')
  const traces = telemetry.spans.map((span) => span.spanContext().traceId)
  t.equal(new Set(traces).size, 5, 'each message is a trace of its own')
  t.strictSame(answers, ['one', 'two'].map((text, i) => `${text} ${spans[i].spanContext().traceId}`))
  const { 'ws_relay.from': from, ...attributes } = spans[0].attributes
  t.strictSame(attributes, {
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.system': 'fastify-ws-relay',
    'messaging.destination.name': 'room',
    'ws_relay.pid': roomPid,
    'ws_relay.topic': 'ws.message'
  })
  t.equal(app.processes.info(String(from))?.kind, 'ws')
})

t.test('links the messages to a target on another node to the upgrade, too', async (t) => {
  const [a, b] = [new Telemetry(t), new Telemetry(t)]
  const hub = new MemoryHub()
  const near = await build(t, a, { node: 'a', cluster: memory({ hub }) })
  const far = await build(t, b, { node: 'b', cluster: memory({ hub }) })
  await far.ready()
  const roomPid = far.processes.spawn(async function room (self) {
    await self.serve({
      'ws.message': ({ client_pid, data }) => { self.send(client_pid, 'ws.send', { data }) }
    }, () => {})
  })
  near.get('/ws', (request, reply) => { reply.relay(roomPid).send() })
  const url = `ws://127.0.0.1:${await listen(near)}/ws`
  t.teardown(instrument(near.processes, a.tracer))
  const early = await open(t, url)
  await echo(early, 'no spans are made there')
  t.teardown(instrument(far.processes, b.tracer))
  const late = await open(t, url)
  for (const client of [early, late]) await echo(client, 'hello')
  await until(() => b.spans.length === 2)
  const [, upgrade] = a.spans.map((span) => span.spanContext())
  const [without, linked] = b.spans
  t.strictSame(without.links, [], 'its context came before instrument')
  t.match(linked.links, [{ context: { ...upgrade, traceState: undefined, isRemote: true } }])
  t.equal(linked.parentSpanContext, undefined)
})

t.test('keeps the link when the client comes back, until its connection closes', async (t) => {
  const telemetry = new Telemetry(t)
  const app = await build(t, telemetry, { resume: true })
  t.teardown(instrument(app.processes, telemetry.tracer))
  const { pid, next } = record(app)
  app.get('/ws', (request, reply) => { reply.relay(pid).send() })
  const client = new WireClient(t, { port: await listen(app) })
  await client.connect()
  const { client_pid: connection } = await next('ws.join')
  let messages = 0
  const linksOf = async (text: string): Promise<string[]> => {
    const ofMessages = () => telemetry.spans.filter(({ kind }) => kind === SpanKind.CONSUMER)
    client.send(text)
    await until(() => ofMessages().length > messages)
    return ofMessages()[messages++].links.map(({ context }) => context.spanId)
  }
  const first = await linksOf('a')
  t.equal(first.length, 1)
  await client.cut()
  await until(() => app.processes.info(connection)?.connected === false)
  await client.connect()
  t.strictSame(await linksOf('b'), first)
  channel('fastify-ws-relay:connection').publish({ type: 'close', pid: connection })
  t.strictSame(await linksOf('c'), [], 'nothing of a closed connection is kept')
})

t.test('ignores what another node must not send as the context of an upgrade', async (t) => {
  const telemetry = new Telemetry(t)
  const spans = new ProcessSpans(telemetry.tracer)
  const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
  const links = (metadata: unknown): number => {
    const from = '2@b.1' as Pid
    const payload = { client_pid: from, type: 'text', data: '', metadata }
    const mail = { topic: 'ws.message', payload, from, call: undefined, fail () {} }
    spans.mailTaken({ pid: '1@a.1' as Pid, label: '' }, mail)
    spans.endAll()
    return telemetry.spans.at(-1)!.links.length
  }
  for (const metadata of [{}, null, undefined, 'text']) spans.remoteUpgrade(metadata, traceparent)
  const [bad, good] = [{}, {}]
  spans.remoteUpgrade(bad, 'no context')
  spans.remoteUpgrade(good, traceparent)
  t.strictSame([bad, null, undefined, 'text', good].map(links), [0, 0, 0, 0, 1])
})

t.test('a handler calls, and an error of it is on the span', async (t) => {
  const telemetry = new Telemetry(t)
  const app = await build(t, telemetry)
  const stop = instrument(app.processes, telemetry.tracer)
  t.teardown(stop)
  const storePid = app.processes.spawn(async function store (self) {
    await self.serve({}, ({ reply }) => { reply(1) })
  })
  const bot = async (self: Process): Promise<void> => {
    await self.serve({
      'ws.message': async ({ data }) => {
        await self.call(storePid, 'save', data)
        throw new Error('no more')
      }
    }, () => {})
  }
  app.get('/bot', (request, reply) => { reply.relay(bot).send() })
  const client = await open(t, `ws://127.0.0.1:${await listen(app)}/bot`)
  const closed = once(client, 'close')
  client.send('hello')
  t.equal((await closed)[0], 1011)
  const [save, handled] = telemetry.seen.filter(({ name }) => name.startsWith('process'))
  t.match(save, { name: 'process store', parent: 'process bot', kind: 'INTERNAL' })
  t.match(handled, { name: 'process bot', links: ['GET /bot'], error: 'no more' })
})

t.test('records nothing of a message that is not sampled', async (t) => {
  const telemetry = new Telemetry(t, new AlwaysOffSampler())
  const app = await build(t, telemetry)
  t.teardown(instrument(app.processes, telemetry.tracer))
  const { pid } = record(app)
  app.get('/', (request, reply) => { reply.relay(pid).send() })
  const client = await open(t, `ws://127.0.0.1:${await listen(app)}`)
  t.equal(await echo(client, 'one'), 'one')
  t.strictSame(telemetry.spans, [])
})

t.test('makes a span without a link where the upgrade has none', async (t) => {
  const telemetry = new Telemetry(t)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(wsRelay)
  t.teardown(instrument(app.processes, telemetry.tracer))
  const { pid } = record(app)
  app.get('/', (request, reply) => { reply.relay(pid).send() })
  const client = await open(t, `ws://127.0.0.1:${await listen(app)}`)
  t.equal(await echo(client, 'one'), 'one')
  t.equal(await echo(client, 'two'), 'two')
  t.strictSame(telemetry.seen[0], {
    ...message, name: 'process recorder', topic: 'ws.message', links: []
  })
})

t.test('does not take other messages for those of a client', async (t) => {
  const telemetry = new Telemetry(t)
  const app = await build(t, telemetry)
  t.teardown(instrument(app.processes, telemetry.tracer))
  const { pid, next } = record(app)
  for (const payload of [null, 'text', {}, { client_pid: pid }, { client_pid: pid, type: 'text' }]) {
    app.processes.send(pid, 'note', payload)
    await next('note')
  }
  const other = app.processes.spawn((self) => { self.send(pid, 'note', { client_pid: pid }) })
  await next('note')
  await app.processes.exited(other)
  t.strictSame(telemetry.spans, [])
})
