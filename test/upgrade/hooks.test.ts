// Hooks, error handlers and 404 handlers around an upgrade, and requests that are none.
import t from 'tap'
import { wsRelay } from '../../lib/index.js'
import { answer, bare, build, handshake, listen, logs, open, raw, record } from '../helpers.js'
import { codeOf, dead, statusOf, withRoute } from './support.js'
import type { FastifyReply, FastifyRequest } from 'fastify'

t.test('reports the problem of a header only in the log', async (t) => {
  const { logger, lines } = logs()
  const app = await build(t, {}, { logger })
  app.get('/', async (_, reply) => {
    reply.header('x-ws-relay', { target_pid: 'secret name!', message_topic: '@x' })
  })
  app.get('/dead', async (_, reply) => { reply.relay('hidden') })
  const port = await listen(app)
  t.notMatch(await answer(t, port, handshake()), /@x|secret|topic/)
  t.notMatch(await answer(t, port, handshake('/dead')), /hidden/)
  t.ok(lines.some(({ msg }) => /^invalid X-WS-Relay header: message_topic/.test(msg)))
  t.ok(lines.some(({ msg }) => /'hidden'/.test(msg)))
})

t.test("passes every refusal to the application's error handler", async (t) => {
  const app = await build(t, { maxMetadataSize: 10 })
  const target = record(app)
  const seen: string[] = []
  app.setErrorHandler((err: { code: string, statusCode: number }, _, reply) => {
    seen.push(err.code)
    reply.code(err.statusCode).send({ mine: err.code })
  })
  app.get('/invalid', async (_, reply) => {
    reply.relay(target.pid, { metadata: { long: 'enough' } })
  })
  app.get('/dead', async (_, reply) => { reply.relay(dead) })
  app.get('/', async (_, reply) => { reply.relay(target.pid) })
  const port = await listen(app)
  const refusals = [
    [handshake('/', { 'sec-websocket-key': 'x' }), 400, 'FST_WS_RELAY_BAD_HANDSHAKE'],
    [handshake('/', { 'sec-websocket-version': '8' }), 426, 'FST_WS_RELAY_BAD_HANDSHAKE'],
    [handshake('/', { origin: 'https://evil.test' }), 403, 'FST_WS_RELAY_ORIGIN_NOT_ALLOWED'],
    [handshake('/invalid'), 500, 'FST_WS_RELAY_INVALID_CONFIG'],
    [handshake('/dead'), 503, 'FST_WS_RELAY_TARGET_NOT_ALIVE'],
    [
      'GET / HTTP/1.1\r\nhost: relay.test\r\nconnection: close\r\n\r\n',
      426,
      'FST_WS_RELAY_UPGRADE_REQUIRED'
    ]
  ] as const
  for (const [request, status, code] of refusals) {
    const text = await answer(t, port, request)
    t.equal(statusOf(text), status)
    t.match(text, `{"mine":"${code}"}`)
  }
  t.strictSame(seen, refusals.map(([,, code]) => code))
})

t.test('keeps the status of a refusal when the error handler sets none', async (t) => {
  const app = await build(t)
  app.setErrorHandler((err: { code: string }, _, reply) => { reply.send({ mine: err.code }) })
  app.get('/', async (_, reply) => { reply.code(101).relay(dead) })
  const port = await listen(app)
  t.equal(statusOf(await answer(t, port, handshake())), 503)
  t.equal(statusOf(await answer(t, port, handshake('/', { origin: 'https://evil.test' }))), 403)
  t.equal((await app.inject('/')).statusCode, 426)
})

t.test('opens no socket when an error handler sets the header', async (t) => {
  const app = await build(t)
  const target = record(app)
  app.setErrorHandler((_, __, reply) => { reply.code(500).relay(target.pid).send('sorry') })
  app.get('/', async () => { throw new Error('boom') })
  const text = await answer(t, await listen(app), handshake())
  t.equal(statusOf(text), 500)
  t.notMatch(text, /x-ws-relay/i)
})

t.test('opens no socket when the handler throws', async (t) => {
  const errorHandlers: Array<(target: string) => (
    error: unknown, request: FastifyRequest, reply: FastifyReply
  ) => void> = [
    () => (_, __, reply) => { reply.send('sorry') },
    () => (_, __, reply) => { reply.code(200).send('sorry') },
    () => async () => 'sorry',
    (target) => (_, __, reply) => { reply.code(201).relay(target).send('sorry') }
  ]
  for (const errorHandler of errorHandlers) {
    for (const scoped of [false, true]) {
      const app = await build(t)
      const { pid } = record(app)
      if (!scoped) app.setErrorHandler(errorHandler(pid))
      app.get('/', { errorHandler: scoped ? errorHandler(pid) : undefined }, async (_, reply) => {
        reply.code(200).relay(pid)
        throw new Error('boom')
      })
      const port = await listen(app)
      const text = await answer(t, port, handshake())
      t.match(text, /^HTTP\/1.1 20[01] [^]*\r\nsorry$/, String(errorHandler))
      t.notMatch(text, /x-ws-relay/i)
      const { body, headers } = await app.inject('/')
      t.equal(body, 'sorry')
      t.notOk('x-ws-relay' in headers)
      t.equal(app.processes.stats().spawned, 1)
    }
  }
})

t.test('sets request.wsUpgradable when the request can be upgraded', async (t) => {
  const app = await build(t)
  const values: unknown[] = []
  app.get('/', async (request, reply) => {
    values.push(request.wsUpgradable)
    return reply.code(404).send()
  })
  const port = await listen(app)
  await answer(t, port, handshake())
  await app.inject('/')
  await app.inject({ method: 'HEAD', url: '/' })
  await answer(t, port, handshake('/', { upgrade: 'h2c' }))
  t.strictSame(values, [true, false, false, false])
})

t.test('ignores the header in a request', async (t) => {
  const { app, pid, port } = await withRoute(t, () => async () => 'hello')
  t.match(await answer(t, port, handshake('/', { 'x-ws-relay': pid })), /\r\nhello$/)
  t.equal((await app.inject({ url: '/', headers: { 'x-ws-relay': pid } })).body, 'hello')
})

t.test('runs hooks before an upgrade as for any request', async (t) => {
  for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
    const app = await build(t)
    const target = record(app)
    app.addHook(hook as 'onRequest', async (_, reply) => reply.code(401).send('who?'))
    app.get('/', async (_, reply) => { reply.relay(target.pid) })
    const text = await answer(t, await listen(app), handshake())
    t.equal(statusOf(text), 401, hook)
    t.match(text, /who\?$/)
    t.equal(app.processes.stats().alive, 1)
  }
})

t.test('checks an upgrade when an earlier hook replies with the header', async (t) => {
  const app = bare(t)
  app.addHook('onRequest', async (_, reply) => {
    reply.header('x-ws-relay', pid)
    return reply.send()
  })
  await app.register(wsRelay)
  const { pid } = record(app)
  app.get('/', async () => t.fail('the hook replies'))
  const port = await listen(app)
  t.equal(
    codeOf(await answer(t, port, handshake('/', { origin: 'https://evil.test' }))),
    'FST_WS_RELAY_ORIGIN_NOT_ALLOWED'
  )
  t.equal(statusOf(await (await raw(t, port)).write(handshake()).until(/\r\n\r\n/)), 101)
})

t.test('answers 404 for a path without a route, and checks upgrades in its handler', async (t) => {
  const app = await build(t)
  t.equal(
    statusOf(
      await answer(t, await listen(app), handshake('/nowhere', { origin: 'https://evil.test' }))
    ),
    404
  )

  const custom = await build(t)
  const { pid } = record(custom)
  const upgradable: boolean[] = []
  custom.setNotFoundHandler(async (request, reply) => {
    upgradable.push(request.wsUpgradable)
    if (request.url === '/ok') return reply.relay(pid).send()
    return reply.code(404).relay(pid).send('nothing here')
  })
  const customPort = await listen(custom)
  for (const path of ['/nowhere', '/ok']) {
    const text = await answer(t, customPort, handshake(path, { origin: 'https://evil.test' }))
    t.equal(statusOf(text), 403)
    t.equal(codeOf(text), 'FST_WS_RELAY_ORIGIN_NOT_ALLOWED')
  }
  t.equal(statusOf(await answer(t, customPort, handshake('/ok', { 'sec-websocket-key': '' }))), 400)
  t.strictSame(upgradable, [], 'no handler ran for a refused request')
  const text = await answer(t, customPort, handshake('/nowhere'))
  t.equal(statusOf(text), 404)
  t.match(text, /nothing here$/)
  t.notMatch(text, /x-ws-relay/i)
  t.equal(statusOf(await (await raw(t, customPort)).write(handshake('/ok')).until(/\r\n\r\n/)), 101)
  t.equal(statusOf(await answer(t, customPort, handshake('/ok', { upgrade: 'h2c' }))), 426)
  t.strictSame(upgradable, [true, true, false])
})

t.test('answers another upgrade token as plain HTTP, and ends the socket', async (t) => {
  const { app, port } = await withRoute(t, () => async (request, reply) => {
    if (request.url === '/?relay') reply.relay('lobby')
    return 'hello'
  })
  for (const upgrade of ['h2c', 'TLS/1.0', 'websocket/13', 'web socket', 'h2c, TLS/1.0']) {
    const text = await answer(
      t,
      port,
      handshake('/', { upgrade, connection: 'Upgrade, HTTP2-Settings' })
    )
    t.equal(statusOf(text), 200, upgrade)
    t.match(text, /hello$/)
    const refused = await answer(t, port, handshake('/?relay', { upgrade }))
    t.equal(statusOf(refused), 426, upgrade)
  }
  t.equal(app.processes.stats().alive, 1)
})

t.test('compares tokens and header names without regard to case', async (t) => {
  const { port } = await withRoute(t, () => async (_, reply) => { reply.relay('lobby') })
  for (const headers of [
    { upgrade: 'WebSocket' },
    { upgrade: 'WEBSOCKET' },
    { upgrade: 'websocket, h2c' },
    { upgrade: 'h2c ,WebSocket' },
    { upgrade: ['h2c', 'websocket'] },
    { connection: 'keep-alive, Upgrade' },
    { connection: 'UPGRADE' }
  ]) {
    const text = await (await raw(t, port)).write(handshake('/', headers)).until(/\r\n\r\n/)
    t.equal(statusOf(text), 101)
    t.match(text, /^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/m)
  }
})

t.test('treats a request without Connection: upgrade as an ordinary one', async (t) => {
  const { port } = await withRoute(t, () => async (_, reply) => { reply.relay('lobby') })
  const text = await answer(t, port, handshake('/', { connection: 'close' }))
  t.equal(statusOf(text), 426)
  t.match(text, /^connection: upgrade, close\r$/m)
})

t.test('shows one request with status 101 to onResponse hooks and the log', async (t) => {
  const { logger, lines } = logs()
  const app = await build(t, {}, { logger })
  const target = record(app)
  const statuses: number[] = []
  app.addHook('onResponse', async (_, reply) => { statuses.push(reply.statusCode) })
  app.get('/', async (_, reply) => { reply.relay(target.pid) })
  const port = await listen(app)
  const client = await open(t, `ws://127.0.0.1:${port}/`)
  client.close()
  await target.next('ws.leave')
  t.strictSame(statuses, [101])
  const completed = lines.filter(({ msg }) => msg === 'request completed')
  t.strictSame(completed.map(({ res }) => res.statusCode), [101])
})
