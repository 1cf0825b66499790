// The dispatcher decides whether the plugin or another listener of the server routes an upgrade.
import { once } from 'node:events'
import { createServer, ServerResponse } from 'node:http'
import t from 'tap'
import fastifyWebsocket from '@fastify/websocket'
import WebSocket, { WebSocketServer } from 'ws'
import { wsRelay } from '../../lib/index.js'
import {
  answer, bare, build, handshake, listen, open, openSockets, raw, record, until
} from '../helpers.js'
import { routes } from './support.js'
import type { FastifyInstance } from 'fastify'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Test } from 'tap'

t.test('leaves the sockets of another upgrade listener alone', async (t) => {
  for (const when of ['before', 'after', 'at the end'] as const) {
    await t.test(when, async (t) => {
      const app = bare(t)
      const server = new WebSocketServer({ noServer: true })
      server.on('connection', (socket) => {
        socket.on('message', (data) => {
          socket.send(`other ${data}`)
        })
      })
      t.teardown(() => {
        for (const client of server.clients) client.terminate()
        server.close()
      })
      const listener = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        if (request.url === '/other') {
          server.handleUpgrade(request, socket, head, (ws) => {
            server.emit('connection', ws, request)
          })
        }
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
      t.equal(seen, 0, 'Fastify did not see the request')
      const ours = await open(t, `ws://127.0.0.1:${port}/`)
      ours.send('hello')
      t.equal(String((await once(ours, 'message'))[0]), 'hello')
      t.equal(seen, 1)
      other.close()
      await once(other, 'close')
    })
  }
})

t.test('does not route a socket that another listener has destroyed', async (t) => {
  const app = await build(t)
  app.addHook('onRequest', async () => t.fail('it is gone'))
  routes(app)
  app.server.on('upgrade', (_, socket) => { socket.destroy() })
  t.equal(await answer(t, await listen(app), handshake()), '')
})

/** A `ws` server whose listener looks up a session before it takes the socket. */
function legacy (t: Test, app: FastifyInstance, wait: () => Promise<unknown>): void {
  const server = new WebSocketServer({ noServer: true })
  t.teardown(() => { for (const client of server.clients) client.terminate() })
  app.server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/legacy') return
    wait().then(
      () => {
        server.handleUpgrade(request, socket, head, (client) => {
          client.send('legacy')
        })
      },
      () => {}
    )
  })
}

t.test('leaves a path without a route to an async listener of the server', async (t) => {
  const arrangements: Record<string, (
    t: Test, wait: () => Promise<unknown>
  ) => Promise<FastifyInstance>> = {
    'before the plugin': async (t, wait) => {
      const app = bare(t)
      legacy(t, app, wait)
      await app.register(wsRelay, { upgradeTimeout: 500 })
      return app
    },
    'after the plugin': async (t, wait) => {
      const app = await build(t, { upgradeTimeout: 500 })
      legacy(t, app, wait)
      return app
    },
    'beside @fastify/websocket': async (t, wait) => {
      const app = bare(t)
      await app.register(fastifyWebsocket)
      await app.register(wsRelay, { upgradeTimeout: 500 })
      legacy(t, app, wait)
      return app
    },
    'with a 404 handler and with hooks that refuse': async (t, wait) => {
      const app = bare(t)
      app.addHook('onRequest', async (request, reply) => {
        if (request.url === '/legacy') return reply.code(401).send()
      })
      app.setNotFoundHandler(async (_, reply) => reply.code(410).send('gone'))
      await app.register(wsRelay, { upgradeTimeout: 500 })
      legacy(t, app, wait)
      return app
    },
    'with the plugin in an inner scope': async (t, wait) => {
      const app = bare(t)
      await app.register(async (scope) => {
        await scope.register(wsRelay, { upgradeTimeout: 500 })
        const target = record(scope)
        scope.get('/', async (_, reply) => reply.relay(target.pid).send())
      }, { prefix: '/scope' })
      legacy(t, app, wait)
      return app
    },
    'with rewriteUrl and a constraint': async (t, wait) => {
      const app = bare(t, { rewriteUrl: ({ url }) => url!.replace('/old', '') })
      await app.register(wsRelay, { upgradeTimeout: 500 })
      app.get('/host', { constraints: { host: 'relay.test' } }, async () => 'host')
      legacy(t, app, wait)
      return app
    }
  }
  for (const [what, arrange] of Object.entries(arrangements)) {
    await t.test(what, async (t) => {
      let asked = 0
      const app = await arrange(t, async () => {
        asked++
        for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
      })
      const requests: string[] = []
      app.addHook('onRequest', async ({ url }) => { requests.push(url) })
      const isInner = !app.hasDecorator('processes')
      if (!isInner) routes(app)
      app.get('/refused', async (_, reply) => reply.code(403).send('no'))
      const port = await listen(app)
      const client = new WebSocket(`ws://127.0.0.1:${port}/legacy`)
      t.teardown(() => { client.terminate() })
      t.equal(String((await once(client, 'message'))[0]), 'legacy')
      t.strictSame([asked, requests], [1, []], 'Fastify did not see the request')
      t.match(
        await (await raw(t, port)).write(handshake(isInner ? '/scope/' : '/')).until(/\r\n\r\n/),
        /101 /
      )
      t.match(await answer(t, port, handshake('/refused')), /403 /)
      client.close()
      await once(client, 'close')
    })
  }
})

t.test('answers 404 when no other listener takes a path without a route in time', async (t) => {
  const app = await build(t, { upgradeTimeout: 20, closeTimeout: 20 })
  let seen = 0
  app.addHook('onRequest', async () => { seen++ })
  app.server.on('upgrade', () => {})
  const port = await listen(app)
  const client = await raw(t, port)
  t.match(await client.write(handshake('/nowhere')).end(), /^HTTP\/1\.1 404 /)
  t.equal(seen, 1)
  const gone = (await raw(t, port)).write(handshake('/nowhere'))
  await until(() => openSockets(app) === 1)
  gone.socket.end()
  await until(() => openSockets(app) === 0)
  t.equal(seen, 1, 'the client that left is not answered')
})

t.test('answers unclaimed upgrades when the server closes', async (t) => {
  const app = await build(t, { upgradeTimeout: '1h', closeTimeout: 20 })
  app.server.on('upgrade', () => {})
  const client = (await raw(t, await listen(app))).write(handshake('/nowhere'))
  await until(() => openSockets(app) === 1)
  const closed = app.close()
  t.match(await client.end(), /^HTTP\/1\.1 503 [^]*FST_WS_RELAY_CLOSING/)
  await closed
})

t.test('finds a route with asynchronous constraints', async (t) => {
  const app = bare(t)
  app.addConstraintStrategy({
    name: 'late',
    storage: () => {
      const handlers = new Map<unknown, never>()
      return {
        get: (key) => handlers.get(key) ?? null,
        set: (key, handler) => {
          handlers.set(key, handler as never)
        }
      }
    },
    validate: () => true,
    deriveConstraint: ((_: unknown, __: unknown, done: (err: null, value: string) => void) => {
      setImmediate(done, null, 'yes')
    }) as never
  })
  await app.register(wsRelay)
  app.server.on('upgrade', () => {})
  const target = record(app)
  app.get('/', { constraints: { late: 'yes' } }, async (_, reply) => reply.relay(target.pid).send())
  const port = await listen(app)
  await (await raw(t, port)).write(handshake()).until(/101 Switching/)
  t.match(await answer(t, port, handshake('/nowhere')), /^HTTP\/1\.1 404 /)
})

t.test('lets another listener answer with its own response', async (t) => {
  const app = await build(t)
  app.server.on('upgrade', (request, socket) => {
    const response = new ServerResponse(request)
    response.assignSocket(socket as never)
    if (request.url === '/late') setImmediate(() => { response.end('other') })
    else response.end('other')
  })
  routes(app)
  const port = await listen(app)
  for (const path of ['/', '/late']) {
    t.match(await answer(t, port, handshake(path)), /^HTTP\/1\.1 200 [^]*other$/)
  }
})

t.test('lets another listener route the request later', async (t) => {
  const app = await build(t)
  let claims = 0
  app.server.on('upgrade', (request, socket) => {
    for (let claim = 0; claim < 2; claim++) {
      setImmediate(() => {
        const response = new ServerResponse(request)
        if (claims++ === 0) response.assignSocket(socket as never)
        app.routing(request, response)
      })
    }
  })
  app.setNotFoundHandler(async (_, reply) => reply.code(404).send('nowhere'))
  t.match(await answer(t, await listen(app), handshake('/nowhere')), /^HTTP\/1\.1 404 [^]*nowhere$/)
  t.equal(claims, 2)
})

t.test('destroys a socket that another listener ends without a response', async (t) => {
  const app = await build(t, { upgradeTimeout: 20 })
  app.server.on('upgrade', (_, socket) => { socket.end() })
  t.equal(await (await raw(t, await listen(app), true)).write(handshake()).end(), '')
  await until(() => openSockets(app) === 0)
})

t.test('closes a socket that another listener writes to but does not read', async (t) => {
  const app = await build(t, { upgradeTimeout: 20, closeTimeout: 20 })
  app.server.on('upgrade', ({ url }, socket) => {
    socket.write('mine')
    if (url === '/ended') setTimeout(() => { socket.end() }, 30)
  })
  const port = await listen(app)
  const stays = (await raw(t, port, true)).write(handshake('/stays'))
  const ended = (await raw(t, port, true)).write(handshake('/ended') + 'early')
  const leaves = (await raw(t, port, true)).write(handshake('/leaves') + 'early')
  // Node stops reading at its high-water mark, so it never sees the FIN.
  const floods = (await raw(t, port, true)).write(handshake('/floods') + 'x'.repeat(200_000))
  for (const client of [stays, ended, leaves, floods]) await client.until(/^mine$/)
  leaves.socket.end()
  floods.socket.end()
  // Without their listener these sockets would stay open for ever.
  await until(() => openSockets(app) === 1)
  t.notOk(stays.socket.readableEnded)
  await app.close()
  t.equal(await stays.end(), 'mine')
})

t.test('keeps a socket that a native route takes late', async (t) => {
  for (const upgradeTimeout of [20, '10s']) {
    const app = await build(t, { upgradeTimeout })
    let sweeps = 0
    app.get(
      '/native',
      {
        websocket: true,
        preHandler: async () => {
          await new Promise(setImmediate)
        }
      } as object,
      ((socket: WebSocket) => {
        socket.on('message', (data) => {
          socket.send(data)
        })
      }) as never
    )
    const client = await open(t, `ws://127.0.0.1:${await listen(app)}/native`)
    // By now every deadline and every check of the socket has passed.
    const timer = setInterval(() => { sweeps++ }, 100)
    await until(() => sweeps === 4)
    clearInterval(timer)
    client.send('hello')
    t.equal(String((await once(client, 'message'))[0]), 'hello')
    client.close()
    await once(client, 'close')
  }
})

t.test('does not change fastify.routing of a request without an upgrade', async (t) => {
  const app = await build(t)
  app.get('/', async () => 'plain')
  await app.ready()
  const other = createServer((request, response) => { app.routing(request, response) })
  t.teardown(() => { other.close() })
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  t.match(
    await answer(t, port, 'GET / HTTP/1.1\r\nhost: relay.test\r\nconnection: close\r\n\r\n'),
    /plain$/
  )
})
