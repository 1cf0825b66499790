import t from 'tap'
import { once } from 'node:events'
import WebSocket from 'ws'
import { connect } from '../../../lib/client/index.js'
import { recordEvents } from '../../events.js'
import { answer, build, frame, handshake, listen, open, raw, record } from '../../helpers.js'
import { deferred } from '../../process/helpers.js'
import { WireClient } from '../resume/wire-client.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Recorder } from '../../helpers.js'
import type { WsRelayOptions } from '../../../types/relay.js'

async function server (t: Test, options: WsRelayOptions = {}): Promise<{
  app: FastifyInstance, target: Recorder, port: number, url: string
}> {
  const app = await build(t, { resume: true, ...options })
  const target = record(app)
  app.get('/ws', (_, reply) => { reply.relay(target.pid).send() })
  app.get('/ready', async () => app.processes.health())
  const port = await listen(app)
  return { app, target, port, url: `ws://127.0.0.1:${port}/ws` }
}

/** The code and the reason of the close frame. */
async function closeOf (client: WebSocket): Promise<string> {
  const [code, reason] = await once(client, 'close')
  return `${code} ${String(reason)}`
}

const shutdown = '1001 server shutting down'

t.test('closes all clients while plain HTTP is served, and refuses new ones', async (t) => {
  const { app, target, port, url } = await server(t, { closeTimeout: 1000 })
  const bare = await Promise.all(Array.from({ length: 20 }, () => open(t, url)))
  const closes = bare.map(closeOf)
  await Promise.all(Array.from({ length: 20 }, async () => {
    const client = connect(url, { WebSocket: WebSocket as never })
    t.teardown(() => { client.close() })
    await new Promise<void>((resolve) => {
      client.on('message', () => { resolve() })
      client.send('hello')
    })
  }))
  const drained = app.processes.drain({ over: 500 })
  const response = await fetch(`http://127.0.0.1:${port}/ready`)
  t.equal(response.status, 200)
  t.strictSame(await response.json(), { ready: false, problem: 'draining' })
  const late = await answer(t, port, handshake('/ws'))
  t.match(late, /^HTTP\/1\.1 503 [^]*FST_WS_RELAY_CLOSING/)
  t.match(late, /^retry-after: 5\r$/m)
  await drained
  t.strictSame(new Set(await Promise.all(closes)), new Set([shutdown]))
  t.equal(target.received.filter(({ topic }) => topic === 'ws.leave').length, 40)
})

t.test('resumes a session until its turn, and after that answers 503', async (t) => {
  const { app, port, target } = await server(t, { closeTimeout: '1h' })
  const client = new WireClient(t, { port })
  await client.connect()
  client.ack()
  const drained = app.processes.drain({ over: '24h' })
  t.match(await answer(t, port, handshake('/ws')), /^HTTP\/1\.1 503 /)
  await client.cut()
  await client.connect()
  t.match(client.hellos[1], { resumed: true })
  // The end of the time brings its turn.
  const { wire } = client
  const closed = app.close()
  await wire.closed()
  t.match(wire.close, { code: 1001, reason: 'server shutting down' })
  await closed
  await drained
  t.equal(target.received.filter(({ topic }) => topic === 'ws.leave').length, 1)
})

t.test('refuses to resume a session whose client was advised', async (t) => {
  const { app, port } = await server(t, { closeTimeout: '1h' })
  const client = new WireClient(t, { port })
  const wire = await client.connect()
  client.ack()
  client.send('hello')
  await client.until(() => client.received.length === 1)
  const drained = app.processes.drain({ over: 0 })
  await wire.until(() => wire.advice !== undefined)
  t.match(wire.advice, { after: 0 })
  t.strictSame(wire.acks, [1], 'it knows what was received')
  const refused = await client.connect()
  t.equal(refused.status, 503)
  t.equal(refused.header('retry-after'), '5')
  t.ok(wire.isOpen)
  wire.socket.end()
  await app.close()
  await drained
})

t.test('does not resume a session that is advised while a hook runs', async (t) => {
  const app = await build(t, { resume: true, closeTimeout: '1h' })
  const target = record(app)
  const asked = deferred()
  const goesOn = deferred()
  let replies = 0
  app.get('/ws', {
    onSend: async () => {
      if (++replies === 1) return
      asked.resolve()
      await goesOn.promise
    }
  }, (_, reply) => { reply.relay(target.pid).send() })
  const client = new WireClient(t, { port: await listen(app) })
  const wire = await client.connect()
  client.ack()
  const second = client.connect()
  await asked.promise
  const drained = app.processes.drain({ over: 0 })
  await wire.until(() => wire.advice !== undefined)
  goesOn.resolve()
  t.equal((await second).status, 503)
  t.ok(wire.isOpen)
  wire.socket.end()
  await app.close()
  await drained
})

/** An application whose handler, or a hook after it, waits for `goesOn`. */
async function slowServer (t: Test, slow: 'handler' | 'hook', options: WsRelayOptions): Promise<{
  app: FastifyInstance, port: number, begun: Promise<void>, goesOn: () => void
}> {
  const app = await build(t, options)
  const target = record(app)
  const { promise: begun, resolve: begins } = deferred()
  const { promise: end, resolve: goesOn } = deferred()
  const wait = async (): Promise<void> => {
    begins()
    await end
  }
  if (slow === 'hook') app.addHook('onSend', wait)
  app.get('/ws', async (_, reply) => {
    if (slow === 'handler') await wait()
    return reply.relay(target.pid).send()
  })
  return { app, port: await listen(app), begun, goesOn }
}

t.test('gives a turn to an upgrade that is under way', async (t) => {
  const { app, port, begun, goesOn } = await slowServer(t, 'handler', { closeTimeout: '1m' })
  const client = (await raw(t, port)).write(handshake('/ws'))
  await begun
  const drained = app.processes.drain({ over: 0 })
  goesOn()
  await client.until(/\x88/)
  t.match(client.text, /^HTTP\/1\.1 101 [^]*server shutting down/)
  client.write(frame(Buffer.from([0x03, 0xe9]), 8))
  await drained
})

t.test('refuses an upgrade that is not ready when all are closed', async (t) => {
  for (const slow of ['handler', 'hook'] as const) {
    const { app, port, begun, goesOn } = await slowServer(t, slow, { closeTimeout: 50 })
    const client = (await raw(t, port)).write(handshake('/ws'))
    await begun
    await app.processes.drain({ over: 0 })
    t.match(await client.end(), /^HTTP\/1\.1 503 [^]*FST_WS_RELAY_CLOSING/)
    goesOn()
  }
})

t.test('ends a drain early when the server closes', async (t) => {
  for (const delay of ['0s', '24h']) {
    const { app, url } = await server(t)
    const closes = (await Promise.all([open(t, url), open(t, url)])).map(closeOf)
    const drained = app.processes.drain({ delay, over: '24h' })
    await app.close()
    await drained
    t.strictSame(await Promise.all(closes), [shutdown, shutdown])
    t.strictSame(app.processes.health(), { ready: false, problem: 'closing' })
  }
})

t.test('spreads the closes of app.close() with the option drain', async (t) => {
  const { app, port, url } = await server(t, { drain: 400 })
  const events = recordEvents(t, app.processes.node, 'drain')
  const clients = await Promise.all([1, 2, 3, 4].map(() => open(t, url)))
  const order: number[] = []
  clients.forEach((client, i) => { client.once('close', () => order.push(i)) })
  const kept = await raw(t, port)
  const first = Promise.race(clients.map(closeOf))
  const closed = app.close()
  const refused = kept.write(handshake('/ws')).end()
  t.equal(await first, shutdown)
  t.ok(order.length < 4, 'others are open')
  t.strictSame(app.processes.health(), { ready: false, problem: 'closing' })
  t.match(await refused, /^HTTP\/1\.1 503 [^]*FST_WS_RELAY_CLOSING/)
  await closed
  t.match(events, [
    { type: 'started', connections: 4, delay: 0, over: 400 }, { type: 'finished', left: 0 }
  ])
})

t.test('closes the rest of a drain within the time of the option drain', async (t) => {
  const { app, url } = await server(t, { drain: 100 })
  const closes = (await Promise.all([open(t, url), open(t, url)])).map(closeOf)
  const drained = app.processes.drain({ over: '24h' })
  await app.close()
  await drained
  t.strictSame(await Promise.all(closes), [shutdown, shutdown])
})

t.test('resolves at once when nothing is open', async (t) => {
  const { app } = await server(t, { drain: '1h' })
  await app.processes.drain({ over: '24h' })
  await app.close()
})
