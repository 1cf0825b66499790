// @fastify/websocket: the application's registration, the plugin's own, and injectWS.
import { once } from 'node:events'
import { createServer, ServerResponse } from 'node:http'
import t from 'tap'
import { WebSocketServer } from 'ws'
import fastifyWebsocket from '@fastify/websocket'
import fp from 'fastify-plugin'
import { wsRelay } from '../../lib/index.js'
import { Registration } from '../../lib/registration/registration.js'
import { answer, bare, build, handshake, listen, logs, open, record, until } from '../helpers.js'
import { buildRuntime } from '../process/helpers.js'
import { Wire } from '../process/wire.js'
import type { FastifyInstance } from 'fastify'
import type { Duplex } from 'node:stream'
import type WebSocket from 'ws'
import type { Test } from 'tap'

type InjectWS = (path?: string, context?: object) => Promise<WebSocket>

function injectWS (app: FastifyInstance): InjectWS {
  return (app as unknown as { injectWS: InjectWS }).injectWS
}

/** Sends `hello`. @returns the first message that comes back */
async function greet (t: Test, url: string): Promise<string> {
  const client = await open(t, url)
  client.send('hello')
  const [data] = await once(client, 'message')
  client.close()
  await once(client, 'close')
  return String(data)
}

/** A relayed route, a route of @fastify/websocket, and one that is both. */
function routes (app: FastifyInstance, prefix = ''): void {
  const target = record(app)
  app.get(`${prefix}/relayed`, async (_, reply) => { reply.relay(target.pid) })
  app.get(`${prefix}/native`, { websocket: true } as object, ((socket: WebSocket) => {
    socket.on('message', (data) => { socket.send(`native ${String(data)}`) })
  }) as never)
  app.route({
    method: 'GET',
    url: `${prefix}/both`,
    handler: async () => 'plain',
    wsHandler: (socket: WebSocket) => {
      socket.on('message', (data) => {
        socket.send(`both ${String(data)}`)
      })
    }
  } as never)
}

async function check (t: Test, port: number, prefix = ''): Promise<void> {
  const url = `ws://127.0.0.1:${port}${prefix}`
  t.equal(await greet(t, `${url}/relayed`), 'hello')
  t.equal(await greet(t, `${url}/native`), 'native hello')
  t.equal(await greet(t, `${url}/both`), 'both hello')
}

const arrangements: Record<string, (app: FastifyInstance) => Promise<void>> = {
  absent: async (app) => { await app.register(wsRelay) },
  before: async (app) => {
    await app.register(fastifyWebsocket)
    await app.register(wsRelay)
  },
  after: async (app) => {
    await app.register(wsRelay)
    await app.register(fastifyWebsocket)
  },
  'after, at once': async (app) => {
    app.register(wsRelay)
    await app.register(fastifyWebsocket)
  },
  'before, at once': async (app) => {
    app.register(fastifyWebsocket)
    await app.register(wsRelay)
  },
  'in an earlier child scope': async (app) => {
    await app.register(async (scope) => {
      await scope.register(fastifyWebsocket)
      scope.get(
        '/child',
        { websocket: true } as object,
        ((socket: WebSocket) => {
          socket.send('child')
        }) as never
      )
    })
    await app.register(wsRelay)
  },
  'in a later child scope': async (app) => {
    await app.register(wsRelay)
    app.register(async (scope) => {
      await scope.register(fastifyWebsocket)
      routes(scope, '/child')
    })
  }
}

for (const [where, arrange] of Object.entries(arrangements)) {
  t.test(
    `@fastify/websocket ${where}: serves relayed and native routes side by side`,
    async (t) => {
      const { logger, lines } = logs('error')
      const app = bare(t, { logger })
      await arrange(app)
      routes(app)
      const port = await listen(app)
      await check(t, port)
      if (where === 'in a later child scope') await check(t, port, '/child')
      t.equal((await app.inject('/both')).body, 'plain')
      t.equal((await app.inject('/native')).statusCode, 404)
      t.equal((await app.inject({ method: 'HEAD', url: '/native' })).statusCode, 404)
      const client = await injectWS(app)('/relayed')
      client.send('hello')
      t.equal(String((await once(client, 'message'))[0]), 'hello')
      client.terminate()
      const injected = await injectWS(app)('/native')
      injected.send('hello')
      t.equal(String((await once(injected, 'message'))[0]), 'native hello')
      injected.terminate()
      await until(() => app.websocketServer.clients.size === 0)
      const native = await open(t, `ws://127.0.0.1:${port}/native`)
      t.ok(app.websocketServer.clients.size > 0, 'the decorator is the server in use')
      native.terminate()
      t.strictSame(lines, [])
    }
  )
}

t.test('serves native routes in sibling scopes', async (t) => {
  const app = bare(t)
  for (const prefix of ['/a', '/b']) {
    app.register(async (scope) => {
      await scope.register(wsRelay)
      routes(scope)
      await scope.register(async (inner) => {
        await inner.register(wsRelay, 'https://inner.test')
        routes(inner)
      }, { prefix: '/inner' })
    }, { prefix })
  }
  app.register(async (scope) => {
    await scope.register(fastifyWebsocket)
    await scope.register(wsRelay)
    routes(scope)
    await scope.register(async (inner) => {
      await inner.register(wsRelay)
      routes(inner)
    }, { prefix: '/inner' })
  }, { prefix: '/c' })
  const port = await listen(app)
  for (const prefix of ['/a', '/a/inner', '/b', '/b/inner', '/c', '/c/inner']) {
    await check(t, port, prefix)
  }
})

t.test('runs a handler once when several scopes register @fastify/websocket', async (t) => {
  const { logger, lines } = logs('warn')
  const app = bare(t, { logger })
  await app.register(wsRelay)
  for (const prefix of ['/a', '/b', '/c']) {
    await app.register(async (scope) => {
      await scope.register(fastifyWebsocket)
      routes(scope)
    }, { prefix })
  }
  const runs: string[] = []
  app.addHook('onRequest', async ({ url }) => { runs.push(url) })
  const target = record(app)
  app.get('/sync', (_, reply) => { reply.relay(target.pid).send() })
  app.get('/async', async (_, reply) => {
    await new Promise(setImmediate)
    return reply.relay(target.pid).send()
  })
  app.get('/refused', async (_, reply) => reply.code(403).send('no'))
  const port = await listen(app)
  for (const path of ['/sync', '/async']) {
    t.equal(await greet(t, `ws://127.0.0.1:${port}${path}`), 'hello')
  }
  t.match(await answer(t, port, handshake('/refused')), /^HTTP\/1\.1 403 [^]*no$/)
  t.match(await answer(t, port, handshake('/nowhere')), /^HTTP\/1\.1 404 /)
  for (const prefix of ['/a', '/b', '/c']) {
    for (const path of ['native', 'both']) {
      t.equal(await greet(t, `ws://127.0.0.1:${port}${prefix}/${path}`), `${path} hello`)
    }
  }
  t.strictSame(runs, [
    '/sync',
    '/async',
    '/refused',
    '/nowhere',
    '/a/native',
    '/a/both',
    '/b/native',
    '/b/both',
    '/c/native',
    '/c/both'
  ])
  t.strictSame(
    target.received.map(({ topic }) => topic).filter((topic) => topic !== 'ws.message'),
    ['ws.join', 'ws.leave', 'ws.join', 'ws.leave']
  )
  t.equal(app.processes.list().filter((pid) => app.processes.info(pid)?.kind === 'ws').length, 0)
  t.strictSame(lines, [])
})

t.test('relays routes that were declared before all plugins', async (t) => {
  for (const plugins of [[wsRelay], [fastifyWebsocket, wsRelay], [wsRelay, fastifyWebsocket]]) {
    const app = bare(t)
    let pid = ''
    app.get('/', async (_, reply) => { reply.relay(pid) })
    app.get('/refused', async (_, reply) => reply.relay(pid).code(403).send())
    for (const plugin of plugins) app.register(plugin as typeof wsRelay)
    await app.ready()
    ;({ pid } = record(app))
    const port = await listen(app)
    t.equal(await greet(t, `ws://127.0.0.1:${port}/`), 'hello')
    t.match(
      await answer(t, port, handshake('/', { origin: 'https://evil.test' })),
      /^HTTP\/1\.1 403 [^]*ORIGIN_NOT_ALLOWED/
    )
    const refused = await answer(t, port, handshake('/refused'))
    t.match(refused, /^HTTP\/1\.1 403 /)
    t.notMatch(refused, /x-ws-relay/i)
    const plain = await app.inject('/')
    t.equal(plain.statusCode, 426)
    t.notOk('x-ws-relay' in plain.headers)
  }
})

/** Registers a plugin in a scope that is `depth` levels below an instance. */
async function below (
  app: FastifyInstance, depth: number, plugin: (scope: FastifyInstance) => Promise<void>
): Promise<void> {
  if (depth === 0) await plugin(app)
  else await app.register(async (scope) => { await below(scope, depth - 1, plugin) })
}

t.test('serves native routes in every order and depth of registration', async (t) => {
  const hello = (socket: WebSocket): void => {
    socket.on('message', (data) => {
      socket.send(`native ${String(data)}`)
    })
  }
  /** In its own scope, as GraphQL servers do it. */
  const graphql = async (app: FastifyInstance): Promise<void> => {
    await app.register(async (scope) => {
      await scope.register(fastifyWebsocket)
      scope.route({
        method: 'GET',
        url: '/graphql',
        handler: async () => 'plain',
        wsHandler: hello
      } as never)
    })
  }
  /** Kinds of native routes, beside a relay that is registered `relayed` scopes below the root. */
  const kinds: Record<string, (scope: FastifyInstance) => Promise<string>> = {
    'websocket: true': async (scope) => {
      await scope.register(fastifyWebsocket)
      scope.get('/native', { websocket: true } as object, hello as never)
      return '/native'
    },
    wsHandler: async (scope) => {
      await scope.register(fastifyWebsocket)
      scope.route({
        method: 'GET',
        url: '/native',
        handler: async () => 'plain',
        wsHandler: hello
      } as never)
      return '/native'
    },
    'a scope below that of @fastify/websocket': async (scope) => {
      await scope.register(fastifyWebsocket)
      await scope.register(async (inner) => {
        inner.get('/native', { websocket: true } as object, hello as never)
      })
      return '/native'
    },
    'a GraphQL plugin': async (scope) => {
      await scope.register(graphql)
      return '/graphql'
    },
    'a GraphQL plugin without encapsulation': async (scope) => {
      await scope.register(fp(graphql))
      return '/graphql'
    }
  }
  for (const [kind, register] of Object.entries(kinds)) {
    for (const depth of [0, 1, 2]) {
      for (const relayed of [0, 1]) {
        for (const order of ['before', 'after'] as const) {
          const app = bare(t)
          let path = ''
          const natives = async (): Promise<void> => {
            await below(app, depth, async (scope) => { path = await register(scope) })
          }
          if (order === 'before') await natives()
          await below(app, relayed, async (scope) => {
            await scope.register(wsRelay)
            const target = record(scope)
            // In the same scope the wrapper exists already, so ordinary requests are not upgrades.
            scope.get('/relayed', async (_, reply) => { reply.relay(target.pid) })
          })
          if (order === 'after') await natives()
          const url = `ws://127.0.0.1:${await listen(app)}`
          t.equal(
            await greet(t, url + path),
            'native hello',
            `${kind}, ${depth} deep, ${order} a relay ${relayed} deep`
          )
          t.equal(await greet(t, `${url}/relayed`), 'hello')
          await app.close()
        }
      }
    }
  }
})

t.test('leaves a native route alone that was declared between the two plugins', async (t) => {
  const app = bare(t)
  await app.register(fastifyWebsocket)
  app.get('/native', { websocket: true } as object, ((socket: WebSocket) => {
    socket.on('message', (data) => { socket.send(`native ${String(data)}`) })
  }) as never)
  await app.register(wsRelay)
  t.equal(await greet(t, `ws://127.0.0.1:${await listen(app)}/native`), 'native hello')
})

t.test('does not abort the request when a native connection ends', async (t) => {
  const app = await build(t)
  app.addHook('onRequestAbort', async (_request) => t.fail('it was answered'))
  routes(app)
  await greet(t, `ws://127.0.0.1:${await listen(app)}/native`)
  await until(() => (app.server as unknown as { _connections: number })._connections === 0)
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

t.test('injectWS: rejects when the request is refused, and checks origins', async (t) => {
  const app = await build(t, { allowedOrigins: 'https://app.test' })
  const target = record(app)
  app.get('/', async (request, reply) => {
    t.ok(request.wsUpgradable)
    t.notOk(request.signal.aborted)
    reply.relay(target.pid, { metadata: { user: request.headers['x-user'] } })
  })
  app.get('/no', async (_, reply) => reply.code(403).send())
  await app.ready()
  const inject = injectWS(app)
  await t.rejects(inject('/no'), { message: /403/ })
  await t.rejects(inject('/nowhere'), { message: /404/ })
  await t.rejects(inject('/', { headers: { origin: 'https://evil.test' } }), { message: /403/ })
  const client = await inject('/', { headers: { origin: 'https://app.test', 'x-user': 'me' } })
  t.strictSame((await target.next('ws.join')).metadata, { user: 'me' })
  client.close()
  t.match(await target.next('ws.leave'), { cause: 'client' })
  const own = await inject('/', {
    headers: { origin: 'http://relay.test', host: 'relay.test' },
    socket: { remoteAddress: '10.0.0.1' }
  })
  own.terminate()
})

t.test(
  'injectWS: delivers everything sent on join to a listener that is added right away',
  async (t) => {
    const app = await build(t)
    const data = 'x'.repeat(100_000)
    const target = app.processes.spawn(async (self) => {
      await self.serve(
        {
          'ws.join': ({ client_pid }) => {
            for (let i = 0; i < 3; i++) self.send(client_pid, 'ws.send', { data: `${i}${data}` })
          }
        },
        () => {}
      )
    })
    app.get('/sync', (_, reply) => {
      reply.relay(target).send()
    })
    app.get('/async', async (_, reply) => {
      await new Promise(setImmediate)
      return reply.relay(target).send()
    })
    await app.ready()
    for (const path of ['/sync', '/async', '/sync', '/async']) {
      const client = await injectWS(app)(path)
      const received: string[] = []
      const closed = once(client, 'close')
      client.on('message', (message) => {
        received.push(String(message).slice(0, 2))
        if (received.length === 3) client.close()
      })
      await closed
      t.strictSame(received, ['0x', '1x', '2x'], path)
    }
  }
)

t.test('injectWS: closes its sockets as real ones close', async (t) => {
  // One hour, so that app.close() cannot wait for a deadline.
  for (const how of ['left open', 'closed by the client', 'closed by the server', 'terminated']) {
    await t.test(how, async (t) => {
      const app = await build(t, { closeTimeout: '1h' })
      const target = record(app)
      app.get('/', (_, reply) => { reply.relay(target.pid).send() })
      await app.ready()
      const client = await injectWS(app)('/')
      const closed = once(client, 'close')
      const { client_pid: pid } = await target.next('ws.join')
      if (how === 'closed by the client') client.close(1000)
      if (how === 'closed by the server') app.processes.send(pid, 'ws.close', undefined)
      if (how === 'terminated') client.terminate()
      if (how !== 'left open') await closed
      const ended = app.close()
      await closed
      await ended
      t.equal(app.processes.stats().alive, 0)
    })
  }
})

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
