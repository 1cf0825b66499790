// The header that a handler sets for the relay reaches no client, whichever way the reply takes.
import { Readable } from 'node:stream'
import t from 'tap'
import Fastify from 'fastify'
import { wsRelay } from '../../../lib/index.js'
import { answer, bare, build, handshake, listen } from '../../helpers.js'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Test } from 'tap'

const plain = 'GET / HTTP/1.1\r\nhost: relay.test\r\nconnection: close\r\n\r\n'
const old = 'GET / HTTP/1.0\r\n\r\n'
const keptAlive = plain.replace('connection: close\r\n', '').repeat(2) + plain

/** Requests `/` in each way that a client can, and checks that the header is nowhere. */
async function nothingShows (t: Test, app: FastifyInstance): Promise<void> {
  t.notMatch(JSON.stringify((await app.inject('/')).headers), /x-ws-relay/i, 'inject')
  const port = await listen(app)
  for (const request of [handshake(), plain, plain.replace('GET', 'HEAD'), old, keptAlive]) {
    const text = await answer(t, port, request)
    t.match(text, /^HTTP\/1\.1 /)
    t.notMatch(text, /x-ws-relay/i, request)
  }
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown

const set = (reply: FastifyReply): FastifyReply => reply.header('X-WS-Relay', 'lobby')
const stream = (): Readable => Readable.from(['a stream'])

/** Handlers that set the header and do not upgrade. */
const handlers: Record<string, Handler> = {
  'a status that refuses': (_, reply) => { set(reply).code(403).send('no') },
  'an error that is thrown': (_, reply) => { set(reply); throw new Error('no') },
  'an error with the header among its own': () => {
    throw Object.assign(new Error('no'), { headers: { 'X-WS-Relay': 'lobby' } })
  },
  'the 404 handler': (_, reply) => { set(reply).callNotFound() },
  'a redirect': (_, reply) => { set(reply).redirect('/other') },
  'a stream': (_, reply) => { set(reply).code(403).send(stream()) },
  'a Buffer': (_, reply) => { set(reply).code(403).send(Buffer.from('no')) },
  'a web Response': () => new Response('no', { status: 403, headers: { 'X-WS-Relay': 'lobby' } }),
  'the raw response': (_, reply) => {
    reply.raw.setHeader('X-WS-Relay', 'lobby')
    reply.code(403).send('no')
  },
  'the raw response, with setHeaders': (_, reply) => {
    reply.raw.setHeaders(new Map([['X-WS-Relay', 'lobby'], ['x-other', 'kept']]))
    reply.code(403).send('no')
  },
  'the raw response, with appendHeader': (_, reply) => {
    reply.raw.appendHeader('X-WS-Relay', 'lobby').appendHeader('X-WS-Relay', 'bar')
    reply.code(403).send('no')
  },
  'a raw response that is written without a hijack': (_, reply) => {
    reply.raw.writeHead(200, { 'X-WS-Relay': 'lobby' }).end('mine')
  },
  'a hijacked reply with a header from before': (_, reply) => {
    set(reply).hijack()
    reply.raw.writeHead(200, reply.getHeaders() as never).end('mine')
  },
  'a hijacked reply without writeHead': (_, reply) => {
    reply.hijack().raw.setHeader('X-WS-Relay', 'lobby')
    reply.raw.write('mine')
    reply.raw.end()
  }
}

for (const [name, handler] of Object.entries(handlers)) {
  t.test(`strips the header when it is set by ${name}`, async (t) => {
    await t.test('on a route of the plugin', async (t) => {
      const app = await build(t)
      app.get('/', handler)
      await nothingShows(t, app)
    })
    await t.test('on a route that was declared before the plugin', async (t) => {
      const app = bare(t)
      app.get('/', handler)
      await app.register(wsRelay)
      await nothingShows(t, app)
    })
    await t.test('on a route outside the scope of the plugin', async (t) => {
      const app = bare(t)
      await app.register(async (scope) => { await scope.register(wsRelay) })
      app.get('/', handler)
      const port = await listen(app)
      for (const request of [plain, old, handshake()]) {
        t.notMatch(await answer(t, port, request), /x-ws-relay/i)
      }
    })
  })
}

t.test('strips the header that an error handler or a not-found handler sets', async (t) => {
  for (const path of ['/', '/error']) {
    const app = await build(t)
    app.setErrorHandler((_, __, reply) => { set(reply).code(200).send('handled') })
    app.setNotFoundHandler((_, reply) => { set(reply).code(404).send('nothing here') })
    app.get('/error', () => { throw new Error('no') })
    const text = await answer(t, await listen(app), plain.replace('/', path))
    t.match(text, path === '/' ? /nothing here/ : /handled/)
    t.notMatch(text, /x-ws-relay/i)
  }
})

t.test('strips the header that an onSend hook sets after the hook of the relay', async (t) => {
  const app = await build(t)
  app.addHook('onRoute', (routeOptions) => {
    const own = routeOptions.onSend as never[]
    routeOptions.onSend = [...own, async (_, reply) => { set(reply) }]
  })
  app.get('/', async () => 'plain')
  await nothingShows(t, app)
})

t.test('keeps the response class that the application has given to its server', async (t) => {
  const { ServerResponse } = await import('node:http')
  class Own extends ServerResponse {}
  const app = Fastify({ http: { ServerResponse: Own } } as never) as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(wsRelay)
  app.get('/', async (_, reply) => {
    t.ok(reply.raw instanceof Own)
    return await set(reply).code(403).send('no')
  })
  t.notMatch(await answer(t, await listen(app), plain), /x-ws-relay/i)
})

t.test('strips the header where the server has no response class of its own', async (t) => {
  const app = bare(t)
  const symbol = Object.getOwnPropertySymbols(app.server)
    .find(({ description }) => description === 'ServerResponse')!
  const { ServerResponse } = await import('node:http')
  // As a server that is no http.Server of Node.
  Object.defineProperty(Object.getPrototypeOf(app.server), symbol, {
    value: ServerResponse, configurable: true
  })
  delete (app.server as unknown as Record<symbol, unknown>)[symbol]
  t.teardown(() => { Reflect.deleteProperty(Object.getPrototypeOf(app.server) as object, symbol) })
  await app.register(async (scope) => { await scope.register(wsRelay) })
  app.get('/', (_, reply) => {
    reply.hijack().raw.writeHead(200, { 'X-WS-Relay': 'lobby', 'x-other': 'kept' }).end()
  })
  const text = await answer(t, await listen(app), plain)
  t.match(text, /x-other: kept/)
  t.notMatch(text, /x-ws-relay/i)
})
