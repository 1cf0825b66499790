// Native routes of @fastify/websocket in each order of registration, beside the relay.
import { once } from 'node:events'
import t from 'tap'
import fastifyWebsocket from '@fastify/websocket'
import fp from 'fastify-plugin'
import { wsRelay } from '../../lib/index.js'
import { answer, bare, handshake, listen, logs, open, record, until } from '../helpers.js'
import { greet, injectWS, routes } from './native.js'
import type { FastifyInstance } from 'fastify'
import type WebSocket from 'ws'
import type { Test } from 'tap'

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

t.test('request.ws is true for an upgrade of a native route only', async (t) => {
  const app = bare(t)
  await app.register(wsRelay)
  const seen: unknown[] = []
  app.addHook('preHandler', async (request) => { seen.push((request as { ws?: unknown }).ws) })
  const target = record(app)
  app.get('/', async (_, reply) => reply.relay(target.pid).send())
  app.get('/plain', async () => 'plain')
  app.get('/native', { websocket: true } as object, ((socket: WebSocket) => {
    socket.send('native')
  }) as never)
  const port = await listen(app)
  t.equal((await app.inject('/plain')).body, 'plain')
  await answer(t, port, 'GET /plain HTTP/1.1\r\nhost: relay.test\r\nconnection: close\r\n\r\n')
  await open(t, `ws://127.0.0.1:${port}/`)
  await open(t, `ws://127.0.0.1:${port}/native`)
  t.strictSame(seen, [false, false, false, true])
})

t.test('leaves a decorator ws of the application alone', async (t) => {
  const app = bare(t)
  await app.register(wsRelay)
  app.decorateRequest('ws', 'mine' as never)
  app.get('/plain', async (request) => (request as { ws?: unknown }).ws)
  t.equal((await app.inject('/plain')).body, 'mine')
})
