// The registration that applies in each scope, and the overrides of a route.
import { createServer } from 'node:http'
import t from 'tap'
import { errorCodes, wsRelay } from '../../lib/index.js'
import { answer, bare, build, handshake, listen, raw, record } from '../helpers.js'

const from = (origin: string) => ({ origin: `https://${origin}` })
const refused = /^HTTP\/1\.1 403 /

t.test(
  'uses the origins of the innermost scope, and one process system for all scopes',
  async (t) => {
    const app = bare(t)
    // One at a time: each upgrade is counted once, even below several registrations.
    await app.register(wsRelay, { allowedOrigins: 'https://outer.test', maxHandshakes: 1 })
    const target = record(app, 'lobby')
    app.get('/outer', async (_, reply) => {
      reply.relay(target.pid)
    })
    app.register(
      async (scope) => {
        await scope.register(wsRelay, ['https://inner.test'])
        t.equal(scope.processes, app.processes)
        scope.get('/', async (_, reply) => {
          reply.relay('lobby')
        })
        scope.addHook('onRoute', ({ method, onSend }) => {
          if (method === 'GET') t.equal([onSend].flat().length, 1, 'the hook is added once')
        })
        scope.register(async (below) => {
          below.get('/below', async (_, reply) => {
            reply.relay('lobby')
          })
        })
      },
      { prefix: '/inner' }
    )
    app.register(
      async (scope) => {
        scope.get('/', async (_, reply) => {
          reply.relay('lobby')
        })
      },
      { prefix: '/plain' }
    )
    const port = await listen(app)
    const upgraded = async (path: string, origin: string) => {
      t.match(
        await (await raw(t, port)).write(handshake(path, from(origin))).until(/\r\n\r\n/),
        /^HTTP\/1\.1 101 /,
        `${path} from ${origin}`
      )
    }
    for (const [path, origin, other] of [
      ['/outer', 'outer.test', 'inner.test'],
      ['/plain', 'outer.test', 'inner.test'],
      ['/inner', 'inner.test', 'outer.test'],
      ['/inner/below', 'inner.test', 'outer.test']
    ]) {
      await upgraded(path, origin)
      t.match(await answer(t, port, handshake(path, from(other))), refused, `${path} from ${other}`)
    }
    t.equal(app.processes.stats().alive, 5)
  }
)

t.test(
  'shares one process system between sibling scopes, and decorates no other scope',
  async (t) => {
    const app = bare(t)
    const seen: unknown[] = []
    for (const prefix of ['/a', '/b']) {
      app.register(
        async (scope) => {
          await scope.register(wsRelay, `https://${prefix.slice(1)}.test`)
          seen.push(scope.processes)
          scope.get('/', async (_, reply) => {
            reply.relay('lobby')
          })
        },
        { prefix }
      )
    }
    app.get('/', async (request) => ({ has: 'wsUpgradable' in request }))
    const port = await listen(app)
    t.equal(seen[0], seen[1])
    t.notOk(app.hasDecorator('processes'))
    t.strictSame((await app.inject('/')).json(), { has: false })
    t.match(await answer(t, port, handshake('/a', from('b.test'))), refused)
    t.match(await answer(t, port, handshake('/b', from('b.test'))), /TARGET_NOT_ALIVE/)
  }
)

t.test('accepts the same registration twice in one scope', async (t) => {
  for (const options of [
    'https://a.test',
    ['https://a.test'],
    { maxPayload: 10, websocket: {} },
    {}
  ]) {
    const app = bare(t)
    await app.register(wsRelay, options)
    await app.register(wsRelay, options)
    let seen = 0
    app.addHook('onSend', async () => {
      seen++
    })
    const target = record(app)
    app.get('/', async (_, reply) => {
      reply.relay(target.pid)
    })
    await (await raw(t, await listen(app))).write(handshake()).until(/101 /)
    t.equal(seen, 1)
  }
})

t.test('throws for a registration with other options in the same scope', async (t) => {
  const app = bare(t)
  await app.register(wsRelay, 'https://a.test')
  await t.rejects(
    async () => {
      await app.register(wsRelay, 'https://b.test')
    },
    { code: 'FST_WS_RELAY_INVALID_OPTIONS', message: /this scope is registered already/ }
  )
})

t.test('takes server options from the first registration', async (t) => {
  const register = async (first: object, second: object) => {
    const app = bare(t)
    await app.register(wsRelay, first)
    let failed: unknown
    app.register(async (scope) => {
      await scope.register(wsRelay, second).then(() => {}, (err) => { failed = err })
    })
    await app.ready().then(() => {}, (err) => { failed ??= err })
    return failed
  }
  const server = createServer()
  for (const [first, second] of [
    [{}, {}],
    [{ pingInterval: '10s' }, { pingInterval: 10_000 }],
    [{}, { upgradeTimeout: '10s', node: 'local' }],
    [{ maxPayload: 10 }, { maxPayload: 20 }],
    [{ websocket: { options: { server } } }, { websocket: { options: { server } } }]
  ]) t.equal(await register(first, second), undefined)
  for (const [first, second, name] of [
    [{ pingInterval: '10s' }, { pingInterval: '20s' }, 'pingInterval'],
    [{}, { node: 'other' }, 'node'],
    [{}, { maxConnections: 5 }, 'maxConnections'],
    [{}, { perMessageDeflate: true }, 'perMessageDeflate'],
    [{}, { websocket: { options: {} } }, 'websocket']
  ] as Array<[object, object, string]>) {
    t.match(await register(first, second), {
      code: 'FST_WS_RELAY_INVALID_OPTIONS',
      message: new RegExp(`'${name}' belongs to the whole server`)
    })
  }
})

t.test('lets a route override its own options, and keeps the rest', async (t) => {
  const app = await build(t, { allowedOrigins: 'https://scope.test', maxMetadataSize: 10 })
  const target = record(app)
  app.get(
    '/origins',
    { config: { wsRelay: { allowedOrigins: 'https://route.test' } } },
    async (_, reply) => {
      reply.relay(target.pid)
    }
  )
  app.get('/size', { config: { wsRelay: { maxMetadataSize: 100 } } }, async (_, reply) => {
    reply.relay(target.pid, { metadata: { long: 'enough' } })
  })
  app.get('/both', { config: { wsRelay: {} } }, async (_, reply) => {
    reply.relay(target.pid, { metadata: { long: 'enough' } })
  })
  const port = await listen(app)
  t.match(await answer(t, port, handshake('/origins', from('scope.test'))), refused)
  t.match(
    await (await raw(t, port)).write(handshake('/origins', from('route.test'))).until(/\r\n\r\n/),
    /101 /
  )
  t.match(await answer(t, port, handshake('/size', from('route.test'))), refused)
  t.match(
    await (await raw(t, port)).write(handshake('/size', from('scope.test'))).until(/\r\n\r\n/),
    /101 /
  )
  t.match(await answer(t, port, handshake('/both')), /INVALID_CONFIG/)
})

t.test('serves a plain response without the header when the relay is off', async (t) => {
  const app = await build(t)
  const target = record(app)
  app.get('/', { config: { wsRelay: false } }, async (request, reply) =>
    reply.relay(target.pid).send({ upgradable: request.wsUpgradable })
  )
  const port = await listen(app)
  for (const headers of [{}, { origin: 'https://evil.test' }, { 'sec-websocket-key': '' }]) {
    const text = await answer(t, port, handshake('/', headers))
    t.match(text, /^HTTP\/1\.1 200 [^]*{"upgradable":false}$/)
    t.notMatch(text, /x-ws-relay/i)
  }
  t.equal((await app.inject('/')).statusCode, 200)
})

t.test('throws for an invalid override when the route is declared', async (t) => {
  const app = await build(t)
  const wrong: unknown[] = [
    true,
    null,
    1,
    'off',
    [],
    { bogus: 1 },
    { maxPayload: 0 },
    { maxPayload: '1' },
    { allowedOrigins: 'ftp://x' },
    { node: 'x' },
    { overflow: 'wait' }
  ]
  for (const [i, override] of wrong.entries()) {
    t.throws(
      () => {
        app.get(`/${i}`, { config: { wsRelay: override as false } }, async () => {})
      },
      { code: 'FST_WS_RELAY_INVALID_OPTIONS' }
    )
  }
})

t.test('fails only upgrades when a route before the plugin has an invalid override', async (t) => {
  const app = bare(t)
  app.get('/wrong', { config: { wsRelay: { bogus: 1 } as never } }, async () => 'plain')
  app.get('/off', { config: { wsRelay: false } }, async () => 'plain')
  await app.register(wsRelay)
  const port = await listen(app)
  t.match(
    await answer(t, port, handshake('/wrong')),
    /^HTTP\/1\.1 500 [^]*FST_WS_RELAY_INVALID_OPTIONS/
  )
  t.match(await answer(t, port, handshake('/off')), /plain$/)
  t.equal((await app.inject('/wrong')).body, 'plain')
  t.ok(errorCodes.FST_WS_RELAY_INVALID_OPTIONS)
})
