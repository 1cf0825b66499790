// docs/relay.md, "From request to socket": both tables, over raw sockets.
import { Readable } from 'node:stream'
import t from 'tap'
import { wsRelay } from '../../lib/index.js'
import { answer, bare, build, handshake, key, listen, logs, open, raw, record } from '../helpers.js'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Test } from 'tap'
import type { Pid } from '../../types/pid.js'
import type { WsRelayOptions } from '../../types/relay.js'

type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown

/** The status code of a response. */
function statusOf (text: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])
}

/** The error code in the body of a response. */
function codeOf (text: string): string | undefined {
  return /"code":"(\w+)"/.exec(text)?.[1]
}

const dead = '999@local.zzz'

/** A process that is stopping and has not ended yet. */
function stopping ({ processes }: FastifyInstance): Pid {
  const pid = processes.spawn((self) => self.serve({}))
  processes.cancel(pid)
  return pid
}

interface Before {
  what: string
  /** The headers of the upgrade; a header that is undefined is left out. */
  headers?: Record<string, string | string[] | undefined>
  line?: string
  options?: WsRelayOptions
  status: number
  code?: string
  has?: RegExp
}

t.test('refuses invalid upgrades before the handler', async (t) => {
  const cases: Before[] = [
    {
      what: 'another method',
      line: 'POST / HTTP/1.1',
      status: 405,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE',
      has: /^allow: GET\r$/m
    },
    {
      what: 'another method with a body',
      line: 'PUT / HTTP/1.1',
      headers: { 'content-length': '3' },
      status: 405,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'no key',
      headers: { 'sec-websocket-key': undefined },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'an empty key',
      headers: { 'sec-websocket-key': '' },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'a key that is too short',
      headers: { 'sec-websocket-key': 'abc' },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'a key that is too long',
      headers: { 'sec-websocket-key': `AAAA${key}` },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'a key that is not base64',
      headers: { 'sec-websocket-key': `${key.slice(0, 20)}!_==` },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'two keys',
      headers: { 'sec-websocket-key': [key, key] },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'a body',
      headers: { 'content-length': '3' },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'a body in chunks',
      headers: { 'transfer-encoding': 'chunked' },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    { what: 'HTTP/1.0', line: 'GET / HTTP/1.0', status: 400, code: 'FST_WS_RELAY_BAD_HANDSHAKE' },
    ...['8', '12', '14', '013', '13.0', '', 'latest'].map((version) => ({
      what: `version '${version}'`,
      headers: { 'sec-websocket-version': version },
      status: 426,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE',
      has: /^sec-websocket-version: 13\r$/m
    })),
    {
      what: 'two versions',
      headers: { 'sec-websocket-version': ['13', '13'] },
      status: 426,
      has: /^sec-websocket-version: 13\r$/m
    },
    {
      what: 'no version',
      headers: { 'sec-websocket-version': undefined },
      status: 426,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE',
      has: /^sec-websocket-version: 13\r$/m
    },
    {
      what: 'another origin',
      headers: { origin: 'https://evil.test' },
      status: 403,
      code: 'FST_WS_RELAY_ORIGIN_NOT_ALLOWED'
    },
    {
      what: 'an opaque origin',
      headers: { origin: 'null' },
      status: 403,
      code: 'FST_WS_RELAY_ORIGIN_NOT_ALLOWED'
    },
    {
      what: 'an origin that is not listed',
      headers: { origin: 'https://evil.test' },
      options: { allowedOrigins: 'https://app.test' },
      status: 403,
      code: 'FST_WS_RELAY_ORIGIN_NOT_ALLOWED'
    }
  ]
  for (const { what, headers, line, options, status, code, has = /(?:)/ } of cases) {
    await t.test(what, async (t) => {
      const app = await build(t, options)
      let ran = false
      app.route({ method: ['GET', 'POST', 'PUT'], url: '/', handler: async () => { ran = true } })
      const text = await answer(t, await listen(app), handshake('/', headers, line))
      t.equal(statusOf(text), status)
      if (code !== undefined) t.equal(codeOf(text), code)
      t.match(text, has)
      t.match(text, /^connection: close\r$/im)
      t.notOk(ran, 'no handler ran for a refused request')
      t.equal(app.processes.stats().spawned, 0)
    })
  }

  await t.test('without a Host header', async (t) => {
    const app = await build(t, {}, { http: { requireHostHeader: false } })
    app.get('/', async () => t.fail('no handler ran for a refused request'))
    const text = await answer(t, await listen(app), handshake('/', { host: undefined }))
    t.equal(statusOf(text), 400)
    t.equal(codeOf(text), 'FST_WS_RELAY_BAD_HANDSHAKE')
  })

  await t.test('at maxConnections', async (t) => {
    const app = await build(t, { maxConnections: 1 })
    const target = record(app)
    let runs = 0
    app.get('/', async (request, reply) => { runs++; reply.relay(target.pid) })
    const port = await listen(app)
    await open(t, `ws://127.0.0.1:${port}/`)
    const text = await answer(t, port, handshake())
    t.equal(statusOf(text), 503)
    t.equal(codeOf(text), 'FST_WS_RELAY_OVERLOADED')
    t.match(text, /^retry-after: \d+\r$/m)
    t.equal(runs, 1)
  })

  await t.test('at maxConnections when the handler has finished', async (t) => {
    const app = await build(t, { maxConnections: 1 })
    const target = record(app)
    const go: Array<() => void> = []
    app.get('/', async (request, reply) => {
      await new Promise<void>((resolve) => { go.push(resolve) })
      reply.relay(target.pid)
    })
    const port = await listen(app)
    const first = (await raw(t, port)).write(handshake())
    const second = (await raw(t, port)).write(handshake())
    while (go.length < 2) await new Promise(setImmediate)
    for (const resolve of go) resolve()
    const texts = await Promise.all([first.until(/\r\n\r\n/), second.until(/\r\n\r\n/)])
    const [up, refused] = texts.sort()
    t.equal(statusOf(up), 101)
    t.equal(statusOf(refused), 503)
    t.match(refused, /^retry-after: \d+\r$/m)
    t.equal(app.processes.stats().alive, 2)
  })

  await t.test('at maxHandshakes', async (t) => {
    const app = await build(t, { maxHandshakes: 1 })
    const target = record(app)
    const go = resolvers()
    const begun = resolvers()
    app.get('/', async (request, reply) => {
      begun.resolve()
      await go.promise
      reply.relay(target.pid)
    })
    const port = await listen(app)
    const first = (await raw(t, port)).write(handshake())
    await begun.promise
    const text = await answer(t, port, handshake())
    t.equal(statusOf(text), 503)
    t.equal(codeOf(text), 'FST_WS_RELAY_OVERLOADED')
    t.match(text, /^retry-after: \d+\r$/m)
    go.resolve()
    await first.until(/^HTTP\/1\.1 101 /)
    t.equal(
      statusOf(await (await raw(t, port)).write(handshake()).until(/\r\n\r\n/)),
      101,
      'there is room again'
    )
  })
})

function resolvers (): { promise: Promise<void>, resolve: () => void } {
  let resolve: () => void
  const promise = new Promise<void>((_resolve) => { resolve = _resolve })
  return { promise, resolve: resolve! }
}

interface After {
  what: string
  handler: (target: string) => Handler
  /** The status for an upgrade, and for an ordinary request. */
  upgrade: number
  plain: number
  code?: string
  has?: RegExp
}

t.test('answers as the table says after the handler', async (t) => {
  const cases: After[] = [
    {
      what: 'no header',
      handler: () => async () => 'hello',
      upgrade: 200,
      plain: 200,
      has: /\r\nhello$/
    },
    {
      what: 'no header, 101',
      handler: () => (_, reply) => {
        reply.raw.statusCode = 204
        reply.send()
      },
      upgrade: 204,
      plain: 204
    },
    {
      what: 'no header, 401',
      handler: () => async (_, reply) => reply.code(401).send('who?'),
      upgrade: 401,
      plain: 401,
      has: /who\?$/
    },
    {
      what: 'no header, 403',
      handler: () => async (_, reply) => reply.code(403).send('no'),
      upgrade: 403,
      plain: 403,
      has: /\r\nno$/
    },
    {
      what: 'no header, 404',
      handler: () => async (_, reply) => reply.callNotFound(),
      upgrade: 404,
      plain: 404,
      has: /not found/
    },
    {
      what: 'no header, 429',
      handler: () => async (_, reply) => reply.code(429).header('retry-after', '9').send(),
      upgrade: 429,
      plain: 429,
      has: /^retry-after: 9\r$/m
    },
    {
      what: 'no header, a redirect',
      handler: () => async (_, reply) => reply.redirect('/elsewhere'),
      upgrade: 302,
      plain: 302,
      has: /^location: \/elsewhere\r$/m
    },
    {
      what: 'no header, a stream',
      handler: () => async () => Readable.from(['a', 'b']),
      upgrade: 200,
      plain: 200
    },

    {
      what: 'a JSON string',
      handler: (pid) => (_, reply) => {
        reply.header('X-WS-Relay', JSON.stringify({ target_pid: pid })).send()
      },
      upgrade: 101,
      plain: 426
    },
    {
      what: 'an object',
      handler: (pid) => (_, reply) => {
        reply.header('x-ws-relay', { target_pid: pid }).send()
      },
      upgrade: 101,
      plain: 426
    },
    {
      what: 'a bare PID',
      handler: (pid) => (_, reply) => {
        reply.header('X-WS-RELAY', pid).send()
      },
      upgrade: 101,
      plain: 426
    },
    {
      what: 'a bare name',
      handler: () => (_, reply) => {
        reply.header('x-ws-relay', 'lobby').send()
      },
      upgrade: 101,
      plain: 426
    },
    {
      what: 'reply.relay()',
      handler: (pid) => (_, reply) => {
        reply.relay(pid, { heartbeat_interval: '1h', metadata: { a: 1 } }).send()
      },
      upgrade: 101,
      plain: 426
    },
    {
      what: 'reply.headers()',
      handler: (pid) => (_, reply) => {
        reply.headers({ 'x-ws-relay': pid }).send()
      },
      upgrade: 101,
      plain: 426
    },
    {
      what: 'reply.raw.setHeader()',
      handler: (pid) => (_, reply) => {
        reply.raw.setHeader('X-WS-Relay', pid)
        reply.send()
      },
      upgrade: 101,
      plain: 426
    },
    {
      what: 'the header twice',
      handler: (pid) => (_, reply) => {
        reply.raw.setHeader('X-WS-Relay', 'nobody')
        reply.relay(pid).send()
      },
      upgrade: 101,
      plain: 426
    },
    {
      what: 'a web Response',
      handler: (pid) => async () => new Response('body', { headers: { 'x-ws-relay': pid } }),
      upgrade: 101,
      plain: 426
    },
    {
      what: 'a web Response behind reply.relay()',
      handler: (pid) => async (_, reply) => {
        reply.relay(pid)
        return new Response(null)
      },
      upgrade: 101,
      plain: 426
    },
    {
      what: 'async returning nothing',
      handler: (pid) => async (_, reply) => {
        reply.relay(pid)
      },
      upgrade: 101,
      plain: 426
    },
    {
      what: 'async returning the reply',
      handler: (pid) => async (_, reply) => reply.relay(pid).send(),
      upgrade: 101,
      plain: 426
    },
    {
      what: 'async returning a value',
      handler: (pid) => async (_, reply) => {
        reply.relay(pid)
        return { a: 1 }
      },
      upgrade: 101,
      plain: 426
    },
    {
      what: 'a stream',
      handler: (pid) => async (_, reply) => reply.relay(pid).send(Readable.from(['a'])),
      upgrade: 101,
      plain: 426
    },
    {
      what: '101',
      handler: (pid) => async (_, reply) => reply.code(101).relay(pid).send(),
      upgrade: 101,
      plain: 426
    },
    {
      what: '201',
      handler: (pid) => async (_, reply) => reply.code(201).relay(pid).send(),
      upgrade: 101,
      plain: 426
    },
    {
      what: '204',
      handler: (pid) => async (_, reply) => reply.code(204).relay(pid).send(),
      upgrade: 101,
      plain: 426
    },

    {
      what: 'header, then a throw',
      handler: (pid) => (_, reply) => {
        reply.relay(pid)
        throw new Error('boom')
      },
      upgrade: 500,
      plain: 500,
      has: /boom/
    },
    {
      what: 'header, then a rejection',
      handler: (pid) => async (_, reply) => {
        reply.relay(pid)
        throw Object.assign(new Error('boom'), { statusCode: 418 })
      },
      upgrade: 418,
      plain: 418
    },
    {
      what: 'header, 400',
      handler: (pid) => (_, reply) => {
        reply.code(400).relay(pid).send('bad')
      },
      upgrade: 400,
      plain: 400,
      has: /\r\nbad$/
    },
    {
      what: 'header, 404',
      handler: (pid) => (_, reply) => {
        reply.relay(pid).callNotFound()
      },
      upgrade: 404,
      plain: 404
    },
    {
      what: 'header, a redirect',
      handler: (pid) => (_, reply) => {
        reply.relay(pid).redirect('/elsewhere')
      },
      upgrade: 302,
      plain: 302
    },
    {
      what: 'header, 304',
      handler: (pid) => (_, reply) => {
        reply.code(304).relay(pid).send()
      },
      upgrade: 304,
      plain: 304
    },
    {
      what: 'header, a stream with 500',
      handler: (pid) => (_, reply) => {
        reply
          .code(500)
          .relay(pid)
          .send(Readable.from(['oops']))
      },
      upgrade: 500,
      plain: 500,
      has: /oops/
    },
    {
      what: 'header, a web Response with 403',
      handler: (pid) => async (_, reply) => {
        reply.relay(pid)
        return new Response('no', { status: 403 })
      },
      upgrade: 403,
      plain: 403
    },
    {
      what: 'a web Response without the header',
      handler: () => async () => new Response('hello'),
      upgrade: 200,
      plain: 200,
      has: /hello/
    },
    {
      what: 'a web Response with the header and 403',
      handler: (pid) => async () =>
        new Response('no', { status: 403, headers: { 'x-ws-relay': pid } }),
      upgrade: 403,
      plain: 403
    },

    {
      what: 'an empty value',
      handler: () => (_, reply) => {
        reply.header('x-ws-relay', '').send()
      },
      upgrade: 500,
      plain: 426,
      code: 'FST_WS_RELAY_INVALID_CONFIG'
    },
    {
      what: 'broken JSON',
      handler: () => (_, reply) => {
        reply.header('x-ws-relay', '{"target_pid":').send()
      },
      upgrade: 500,
      plain: 426,
      code: 'FST_WS_RELAY_INVALID_CONFIG'
    },
    {
      what: 'no target',
      handler: () => (_, reply) => {
        reply.header('x-ws-relay', { metadata: {} }).send()
      },
      upgrade: 500,
      plain: 426,
      code: 'FST_WS_RELAY_INVALID_CONFIG'
    },
    {
      what: 'a list',
      handler: (pid) => (_, reply) => {
        reply.header('x-ws-relay', [pid]).send()
      },
      upgrade: 500,
      plain: 426,
      code: 'FST_WS_RELAY_INVALID_CONFIG'
    },
    {
      what: 'a heartbeat that is too short',
      handler: (pid) => (_, reply) => {
        reply.relay(pid, { heartbeat_interval: '99ms' }).send()
      },
      upgrade: 500,
      plain: 426,
      code: 'FST_WS_RELAY_INVALID_CONFIG'
    },
    {
      what: 'a reserved topic',
      handler: (pid) => (_, reply) => {
        reply.relay(pid, { message_topic: 'ws.leave' }).send()
      },
      upgrade: 500,
      plain: 426,
      code: 'FST_WS_RELAY_INVALID_CONFIG'
    },
    {
      what: 'invalid, with a status of its own',
      handler: () => (_, reply) => {
        reply.code(201).header('x-ws-relay', '{').send()
      },
      upgrade: 500,
      plain: 426,
      code: 'FST_WS_RELAY_INVALID_CONFIG'
    },
    {
      what: 'invalid, 101',
      handler: () => (_, reply) => {
        reply.code(101).header('x-ws-relay', '{').send()
      },
      upgrade: 500,
      plain: 426,
      code: 'FST_WS_RELAY_INVALID_CONFIG'
    },
    {
      what: 'invalid, with a stream',
      handler: () => (_, reply) => {
        reply
          .header('x-ws-relay', '{')
          .header('content-encoding', 'gzip')
          .send(Readable.from(['a']))
      },
      upgrade: 500,
      plain: 426,
      code: 'FST_WS_RELAY_INVALID_CONFIG'
    },

    {
      what: 'a dead target',
      handler: () => (_, reply) => {
        reply.relay(dead).send()
      },
      upgrade: 503,
      plain: 426,
      code: 'FST_WS_RELAY_TARGET_NOT_ALIVE'
    },
    {
      what: 'a target that is stopping',
      handler: () => (request, reply) => {
        const pid = stopping(request.server)
        reply.relay(pid).send()
        request.server.processes.exit(pid)
      },
      upgrade: 503,
      plain: 426,
      code: 'FST_WS_RELAY_TARGET_NOT_ALIVE'
    },
    {
      what: 'a name that nobody has',
      handler: () => (_, reply) => {
        reply.relay('nobody').send()
      },
      upgrade: 503,
      plain: 426,
      code: 'FST_WS_RELAY_TARGET_NOT_ALIVE'
    },
    {
      what: 'a dead target, 202',
      handler: () => (_, reply) => {
        reply.code(202).relay(dead).send()
      },
      upgrade: 503,
      plain: 426,
      code: 'FST_WS_RELAY_TARGET_NOT_ALIVE'
    }
  ]

  for (const { what, handler, upgrade, plain, code, has = /(?:)/ } of cases) {
    await t.test(what, async (t) => {
      const { app, pid, port } = await withRoute(t, handler)
      const client = (await raw(t, port)).write(handshake())
      const text = upgrade === 101 ? await client.until(/\r\n\r\n/) : await client.end()
      t.equal(statusOf(text), upgrade)
      t.notMatch(text, /x-ws-relay/i, 'the header never reaches a client')
      t.notMatch(text, pid)
      t.notMatch(text, /^content-encoding/im)
      if (code !== undefined) t.equal(codeOf(text), code)
      if (upgrade !== 101) t.match(text, has)
      t.equal(app.processes.stats().alive, upgrade === 101 ? 2 : 1)

      const request = await app.inject('/')
      t.equal(request.statusCode, plain)
      t.notOk('x-ws-relay' in request.headers)
      if (plain === 426) {
        t.equal(request.json().code, 'FST_WS_RELAY_UPGRADE_REQUIRED')
        t.match(request.headers, { upgrade: 'websocket', connection: 'upgrade' })
        t.notOk('content-encoding' in request.headers)
      }
      const head = await app.inject({ method: 'HEAD', url: '/' })
      // Fastify's own HEAD routes do not support a web Response.
      if (!what.includes('web Response')) t.equal(head.statusCode, plain)
      t.notOk('x-ws-relay' in head.headers)
      t.equal(app.processes.stats().alive, upgrade === 101 ? 2 : 1)
    })
  }
})

async function withRoute (
  t: Test, handler: (target: string) => Handler
): Promise<{ app: FastifyInstance, pid: string, port: number }> {
  const app = await build(t)
  const { pid } = record(app, 'lobby')
  app.get('/', handler(pid) as never)
  return { app, pid, port: await listen(app) }
}

t.test('destroys a stream that is not sent', async (t) => {
  for (const value of ['lobby', '{', dead]) {
    const stream = new Readable({ read () {} })
    const { port } = await withRoute(t, () => (_, reply) => {
      reply.header('x-ws-relay', value).send(stream)
    })
    await (await raw(t, port)).write(handshake()).until(/\r\n\r\n/)
    t.ok(stream.destroyed, value)
  }
})

t.test('cancels the body of a web Response that is not sent', async (t) => {
  let cancelled = false
  const body = new ReadableStream({ cancel () { cancelled = true } })
  const { port } = await withRoute(
    t,
    () => async () =>
      new Response(body, { headers: { 'x-ws-relay': 'lobby', 'set-cookie': 'a=1' } })
  )
  const text = await (await raw(t, port)).write(handshake()).until(/\r\n\r\n/)
  t.match(text, /^set-cookie: a=1\r$/m)
  t.ok(cancelled)
})

t.test('refuses a connection as the target', async (t) => {
  const app = await build(t)
  const target = record(app)
  let pid: string = target.pid
  app.get('/', async (_, reply) => { reply.relay(pid) })
  const port = await listen(app)
  await open(t, `ws://127.0.0.1:${port}/`)
  ;({ client_pid: pid } = await target.next('ws.join'))
  t.equal(codeOf(await answer(t, port, handshake())), 'FST_WS_RELAY_INVALID_CONFIG')
})

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
  const told: unknown[] = []
  app.get('/', async (request, reply) => {
    told.push(request.wsUpgradable)
    return reply.code(404).send()
  })
  const port = await listen(app)
  await answer(t, port, handshake())
  await app.inject('/')
  await app.inject({ method: 'HEAD', url: '/' })
  await answer(t, port, handshake('/', { upgrade: 'h2c' }))
  t.strictSame(told, [true, false, false, false])
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
