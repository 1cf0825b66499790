// The plugin's own registration of @fastify/websocket, and other plugins that take upgrades.
import { once } from 'node:events'
import { createServer, ServerResponse } from 'node:http'
import t from 'tap'
import { WebSocketServer } from 'ws'
import fastifyWebsocket from '@fastify/websocket'
import { wsRelay } from '../../lib/index.js'
import { Registration } from '../../lib/registration/registration.js'
import { answer, bare, build, handshake, listen, open, openSockets, until } from '../helpers.js'
import { buildRuntime } from '../process/helpers.js'
import { Wire } from '../process/remote/wire.js'
import { greet, routes } from './native.js'
import type { FastifyInstance } from 'fastify'
import type { Duplex } from 'node:stream'

t.test('does not abort the request when a native connection ends', async (t) => {
  const app = await build(t)
  app.addHook('onRequestAbort', async (_request) => t.fail('it was answered'))
  routes(app)
  await greet(t, `ws://127.0.0.1:${await listen(app)}/native`)
  await until(() => openSockets(app) === 0)
})

t.test('passes its options on to @fastify/websocket', async (t) => {
  let asked = 0
  const app = await build(
    t, { websocket: { options: { verifyClient: () => { asked++; return true } } } }
  )
  routes(app)
  const port = await listen(app)
  t.equal(await greet(t, `ws://127.0.0.1:${port}/native`), 'native hello')
  t.equal(asked, 1)
  t.equal(await greet(t, `ws://127.0.0.1:${port}/relayed`), 'hello')
  t.equal(asked, 1, 'verifyClient is not called for relayed sockets')
})

t.test('accepts another server in its options', async (t) => {
  const app = await build(t, { websocket: { options: { server: createServer() } } })
  routes(app)
  t.equal(await greet(t, `ws://127.0.0.1:${await listen(app)}/relayed`), 'hello')
})

t.test('rejects invalid options of @fastify/websocket', async (t) => {
  await t.rejects(
    async () => {
      await build(t, { websocket: { errorHandler: 1 } })
    },
    { message: 'invalid errorHandler function' }
  )
})

t.test('calls its preClose once, on an instance that has websocketServer', async (t) => {
  for (const preClose of [
    function (this: FastifyInstance, done: () => void) {
      seen.push(typeof this.websocketServer)
      done()
      done()
    },
    async function (this: FastifyInstance) { seen.push(typeof this.websocketServer) }
  ]) {
    const app = await build(t, { websocket: { preClose } })
    await app.close()
  }
  t.strictSame(seen, ['object', 'object'])
  for (const preClose of [
    (done: (err: Error) => void) => { done(new Error('no')) },
    async () => { throw new Error('no') }
  ]) {
    const app = await build(t, { websocket: { preClose } })
    await app.close().catch(() => {})
  }
})

const seen: string[] = []

t.test('leaves an upgrade to another plugin when the relay is off', async (t) => {
  // @fastify/http-proxy does the same.
  const claim = Symbol('ws')
  const app = await build(t)
  const server = new WebSocketServer({ noServer: true })
  app.server.on('upgrade', (request, socket) => {
    Object.assign(request, { [claim]: socket })
    const response = new ServerResponse(request)
    response.assignSocket(socket as never)
    app.routing(request, response)
  })
  app.get('/', { config: { wsRelay: false } }, (request, reply) => {
    const socket = (request.raw as unknown as Record<symbol, Duplex>)[claim]
    reply.hijack()
    reply.raw.detachSocket(socket as never)
    server.handleUpgrade(request.raw, socket, Buffer.alloc(0), (client) => {
      client.on('message', (data) => {
        client.send(`other ${String(data)}`)
      })
    })
  })
  t.equal(await greet(t, `ws://127.0.0.1:${await listen(app)}/`), 'other hello')
})

t.test('does not let @fastify/websocket answer when the relay is off', async (t) => {
  for (const plugins of [[wsRelay], [fastifyWebsocket, wsRelay]]) {
    const app = bare(t)
    for (const plugin of plugins) await app.register(plugin as typeof wsRelay)
    app.get('/', { config: { wsRelay: false } }, async (_, reply) =>
      reply.relay('lobby').send('plain')
    )
    const text = await answer(t, await listen(app), handshake())
    t.match(text, /^HTTP\/1\.1 200 [^]*plain$/)
    t.notMatch(text, /x-ws-relay/i)
  }
})

t.test('keeps the socket open when an earlier hook replies with a remote target', async (t) => {
  const app = bare(t)
  await app.register(fastifyWebsocket)
  const other = buildRuntime({ node: 'b' })
  const target = other.processes.spawn(async function echo (self) {
    await self.serve({
      'ws.message': ({ client_pid, data }) => { self.send(client_pid, 'ws.send', { data }) }
    })
  })
  app.addHook('onRequest', (_, reply) => { reply.header('x-ws-relay', target).send() })
  await app.register(wsRelay, { node: 'a' })
  app.get('/', async () => 'never called')
  const wire = new Wire()
  wire.join(Registration.of(app)!.relay.runtime)
  wire.join(other.runtime)
  const url = `ws://127.0.0.1:${await listen(app)}`
  for (const path of ['/', '/no-route']) {
    const client = await open(t, `${url}${path}`)
    client.send('hello')
    const answered = once(client, 'message').then(([data]) => String(data))
    const closed = once(client, 'close').then(([code]) => `closed with ${String(code)}`)
    t.equal(await Promise.race([answered, closed]), 'hello', path)
    client.terminate()
  }
})
