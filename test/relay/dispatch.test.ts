// Who routes an upgrade: somebody else on the same server, or we.
import { once } from 'node:events'
import { request as get, Agent } from 'node:http'
import t from 'tap'
import fastifyWebsocket from '@fastify/websocket'
import WebSocket, { WebSocketServer } from 'ws'
import { wsRelay } from '../../lib/index.js'
import { answer, bare, build, frame, handshake, listen, open, raw, record } from '../helpers.js'
import type { FastifyInstance } from 'fastify'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

const plain = 'GET /plain HTTP/1.1\r\nhost: relay.test\r\n\r\n'

/** Routes `/` to a recorder, and `/plain` to an answer that may have to wait. */
function routes (app: FastifyInstance, gate: Promise<void> | undefined = undefined) {
  const target = record(app)
  app.get('/', async (_, reply) => { reply.relay(target.pid) })
  app.get('/plain', async () => {
    await gate
    return 'plain'
  })
  app.get('/last', async (_, reply) => reply.header('connection', 'close').send('last'))
  return target
}

for (const native of [false, true]) {
  const beside = native ? ', beside @fastify/websocket' : ''

  t.test(`an upgrade behind other requests on the same socket${beside}`, async (t) => {
    const app = bare(t)
    if (native) await app.register(fastifyWebsocket)
    await app.register(wsRelay)
    let release: () => void
    const target = routes(app, new Promise((resolve) => { release = resolve }))
    const port = await listen(app)

    const pipelined = (await raw(t, port)).write(plain + plain + handshake())
    pipelined.write(frame('early'))
    release!()
    const text = await pipelined.until(/101 Switching/)
    t.match(text, /\r\n\r\nplainHTTP\/1\.1 200 OK[^]*\r\n\r\nplainHTTP\/1\.1 101 /, 'in the order of the requests')
    t.equal((await target.next('ws.message')).data, 'early')

    const kept = (await raw(t, port)).write(plain)
    await kept.until(/plain$/)
    await kept.write(handshake()).until(/101 Switching/)
    t.pass('on a socket that was kept alive')
  })

  t.test(`an upgrade behind an answer that closes the connection gets no answer${beside}`, async (t) => {
    const app = bare(t)
    if (native) await app.register(fastifyWebsocket)
    await app.register(wsRelay)
    routes(app)
    const text = await answer(t, await listen(app), plain.replace('plain', 'last') + handshake())
    t.match(text, /^HTTP\/1\.1 200 OK/)
    t.notMatch(text, /101/)
  })

  t.test(`a hook before ours answers 401, and the socket ends${beside}`, async (t) => {
    const app = bare(t)
    app.addHook('onRequest', async (_, reply) => reply.code(401).send('who?'))
    if (native) await app.register(fastifyWebsocket)
    await app.register(wsRelay)
    routes(app)
    t.match(await answer(t, await listen(app), handshake()), /^HTTP\/1\.1 401 [^]*who\?$/)
  })

  t.test(`what is out of the plugin's scope, and what is nowhere, ends its socket${beside}`, async (t) => {
    const app = bare(t)
    await app.register(async (scope) => {
      if (native) await scope.register(fastifyWebsocket)
      await scope.register(wsRelay)
      const target = record(scope)
      scope.get('/in', async (_, reply) => { reply.relay(target.pid) })
    })
    app.get('/out', async () => 'out')
    app.get('/slow', async () => {
      await new Promise(setImmediate)
      return 'slow'
    })
    const port = await listen(app)
    t.match(await answer(t, port, handshake('/out')), /^HTTP\/1\.1 200 [^]*\r\n\r\nout$/)
    t.match(await answer(t, port, handshake('/slow')), /^HTTP\/1\.1 200 [^]*\r\n\r\nslow$/)
    t.match(await answer(t, port, handshake('/nowhere')), /^HTTP\/1\.1 404 /)
    t.match(await answer(t, port, handshake('/in?', { 'sec-websocket-key': '' })), /^HTTP\/1\.1 400 /)
    await (await raw(t, port)).write(handshake('/in')).until(/101 Switching/)
  })
}

t.test('an agent that keeps its sockets may upgrade one of them', async (t) => {
  const app = await build(t)
  routes(app)
  const port = await listen(app)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => { agent.destroy() })
  const request = get({ port, host: '127.0.0.1', path: '/plain', agent }).end()
  const [response] = await once(request, 'response') as [IncomingMessage]
  await once(response.resume(), 'end')
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, { agent })
  t.teardown(() => { client.terminate() })
  await once(client, 'open')
  client.send('hello')
  t.equal(String((await once(client, 'message'))[0]), 'hello')
})

t.test('another upgrade listener on the same server keeps its sockets', async (t) => {
  for (const when of ['before', 'after', 'at the end'] as const) {
    await t.test(when, async (t) => {
      const app = bare(t)
      const server = new WebSocketServer({ noServer: true })
      server.on('connection', (socket) => { socket.on('message', (data) => { socket.send(`other ${data}`) }) })
      t.teardown(() => {
        for (const client of server.clients) client.terminate()
        server.close()
      })
      const listener = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        if (request.url === '/other') server.handleUpgrade(request, socket, head, (ws) => { server.emit('connection', ws, request) })
      }
      if (when === 'before') app.server.on('upgrade', listener)
      await app.register(wsRelay)
      if (when === 'after') app.server.on('upgrade', listener)
      let seen = 0
      app.addHook('onRequest', async () => { seen++ })
      routes(app)
      const port = await listen(app)
      if (when === 'at the end') app.server.on('upgrade', listener)
      const other = await open(t, `ws://127.0.0.1:${port}/other`)
      other.send('hello')
      t.equal(String((await once(other, 'message'))[0]), 'other hello')
      t.equal(seen, 0, 'Fastify knows nothing of it')
      const ours = await open(t, `ws://127.0.0.1:${port}/`)
      ours.send('hello')
      t.equal(String((await once(ours, 'message'))[0]), 'hello')
      t.equal(seen, 1)
      other.close()
      await once(other, 'close')
    })
  }
})

t.test('a socket that another listener destroys is not routed', async (t) => {
  const app = await build(t)
  app.addHook('onRequest', async () => t.fail('it is gone'))
  routes(app)
  app.server.on('upgrade', (_, socket) => { socket.destroy() })
  t.equal(await answer(t, await listen(app), handshake()), '')
})

t.test('a client that leaves before its turn is not routed', async (t) => {
  const app = await build(t)
  let release: () => void
  let upgrades = 0
  app.addHook('onRequest', async (request) => { if (request.url === '/') upgrades++ })
  const asked = new Promise<void>((resolve) => { app.server.on('upgrade', () => { resolve() }) })
  routes(app, new Promise((resolve) => { release = resolve }))
  const client = await raw(t, await listen(app))
  client.write(plain + handshake())
  await asked
  const closed = new Promise<void>((resolve) => { app.server.on('request', () => {}); client.socket.once('close', () => { resolve() }) })
  client.socket.resetAndDestroy()
  await closed
  release!()
  await new Promise(setImmediate)
  t.equal(upgrades, 0)
})
