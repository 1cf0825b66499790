// docs/upgrades.md, "From request to socket": the table after the handler, over raw sockets.
import { Readable } from 'node:stream'
import t from 'tap'
import { answer, build, handshake, listen, open, raw, record } from '../helpers.js'
import { codeOf, dead, statusOf, withRoute } from './support.js'
import type { FastifyInstance } from 'fastify'
import type { Pid } from '../../types/pid.js'
import type { Handler } from './support.js'

/** A process that is stopping and has not ended yet. */
function stopping ({ processes }: FastifyInstance): Pid {
  const pid = processes.spawn((self) => self.serve({}))
  processes.cancel(pid)
  return pid
}

interface Answer {
  what: string
  handler: (target: string) => Handler
  /** The status for an upgrade, and for an ordinary request. */
  upgrade: number
  plain: number
  code?: string
  has?: RegExp
}

/** The plugin leaves the answer alone: both kinds of request get the same. */
function answers (
  what: string, status: number, handler: Answer['handler'], has?: RegExp
): Answer {
  return { what, handler, upgrade: status, plain: status, has }
}

/** An upgrade opens a connection. An ordinary request gets 426. */
function opens (what: string, handler: Answer['handler']): Answer {
  return { what, handler, upgrade: 101, plain: 426 }
}

/** The header is invalid, or its target is not alive. An ordinary request gets 426. */
function refuses (what: string, status: 500 | 503, handler: Answer['handler']): Answer {
  const problem = status === 500 ? 'INVALID_CONFIG' : 'TARGET_NOT_ALIVE'
  return { what, handler, upgrade: status, plain: 426, code: `FST_WS_RELAY_${problem}` }
}

const table: Answer[] = [
  answers('no header', 200, () => async () => 'hello', /\r\nhello$/),
  answers('no header, 101', 204, () => (_, reply) => {
    reply.raw.statusCode = 204
    reply.send()
  }),
  answers('no header, 401', 401, () => async (_, reply) => reply.code(401).send('who?'), /who\?$/),
  answers('no header, 403', 403, () => async (_, reply) => reply.code(403).send('no'), /\r\nno$/),
  answers('no header, 404', 404, () => async (_, reply) => reply.callNotFound(), /not found/),
  answers(
    'no header, 429', 429,
    () => async (_, reply) => reply.code(429).header('retry-after', '9').send(),
    /^retry-after: 9\r$/m
  ),
  answers(
    'no header, a redirect', 302,
    () => async (_, reply) => reply.redirect('/elsewhere'),
    /^location: \/elsewhere\r$/m
  ),
  answers('no header, a stream', 200, () => async () => Readable.from(['a', 'b'])),

  opens('a JSON string', (pid) => (_, reply) => {
    reply.header('X-WS-Relay', JSON.stringify({ target_pid: pid })).send()
  }),
  opens(
    'an object',
    (pid) => (_, reply) => { reply.header('x-ws-relay', { target_pid: pid }).send() }
  ),
  opens('a bare PID', (pid) => (_, reply) => { reply.header('X-WS-RELAY', pid).send() }),
  opens('a bare name', () => (_, reply) => { reply.header('x-ws-relay', 'lobby').send() }),
  opens('reply.relay()', (pid) => (_, reply) => {
    reply.relay(pid, { heartbeat_interval: '1h', metadata: { a: 1 } }).send()
  }),
  opens('reply.headers()', (pid) => (_, reply) => { reply.headers({ 'x-ws-relay': pid }).send() }),
  opens('reply.raw.setHeader()', (pid) => (_, reply) => {
    reply.raw.setHeader('X-WS-Relay', pid)
    reply.send()
  }),
  opens('the header twice', (pid) => (_, reply) => {
    reply.raw.setHeader('X-WS-Relay', 'nobody')
    reply.relay(pid).send()
  }),
  opens(
    'a web Response',
    (pid) => async () => new Response('body', { headers: { 'x-ws-relay': pid } })
  ),
  opens('a web Response behind reply.relay()', (pid) => async (_, reply) => {
    reply.relay(pid)
    return new Response(null)
  }),
  opens('async returning nothing', (pid) => async (_, reply) => { reply.relay(pid) }),
  opens('async returning the reply', (pid) => async (_, reply) => reply.relay(pid).send()),
  opens('async returning a value', (pid) => async (_, reply) => {
    reply.relay(pid)
    return { a: 1 }
  }),
  opens('a stream', (pid) => async (_, reply) => reply.relay(pid).send(Readable.from(['a']))),
  opens('101', (pid) => async (_, reply) => reply.code(101).relay(pid).send()),
  opens('201', (pid) => async (_, reply) => reply.code(201).relay(pid).send()),
  opens('204', (pid) => async (_, reply) => reply.code(204).relay(pid).send()),

  answers('header, then a throw', 500, (pid) => (_, reply) => {
    reply.relay(pid)
    throw new Error('boom')
  }, /boom/),
  answers('header, then a rejection', 418, (pid) => async (_, reply) => {
    reply.relay(pid)
    throw Object.assign(new Error('boom'), { statusCode: 418 })
  }),
  answers(
    'header, 400', 400,
    (pid) => (_, reply) => { reply.code(400).relay(pid).send('bad') },
    /\r\nbad$/
  ),
  answers('header, 404', 404, (pid) => (_, reply) => { reply.relay(pid).callNotFound() }),
  answers(
    'header, a redirect', 302,
    (pid) => (_, reply) => { reply.relay(pid).redirect('/elsewhere') }
  ),
  answers('header, 304', 304, (pid) => (_, reply) => { reply.code(304).relay(pid).send() }),
  answers(
    'header, a stream with 500', 500,
    (pid) => (_, reply) => { reply.code(500).relay(pid).send(Readable.from(['oops'])) },
    /oops/
  ),
  answers('header, a web Response with 403', 403, (pid) => async (_, reply) => {
    reply.relay(pid)
    return new Response('no', { status: 403 })
  }),
  answers(
    'a web Response without the header', 200,
    () => async () => new Response('hello'),
    /hello/
  ),
  answers(
    'a web Response with the header and 403', 403,
    (pid) => async () => new Response('no', { status: 403, headers: { 'x-ws-relay': pid } })
  ),

  refuses('an empty value', 500, () => (_, reply) => { reply.header('x-ws-relay', '').send() }),
  refuses(
    'broken JSON', 500,
    () => (_, reply) => { reply.header('x-ws-relay', '{"target_pid":').send() }
  ),
  refuses(
    'no target', 500,
    () => (_, reply) => { reply.header('x-ws-relay', { metadata: {} }).send() }
  ),
  refuses('a list', 500, (pid) => (_, reply) => { reply.header('x-ws-relay', [pid]).send() }),
  refuses(
    'a heartbeat that is too short', 500,
    (pid) => (_, reply) => { reply.relay(pid, { heartbeat_interval: '99ms' }).send() }
  ),
  refuses(
    'a reserved topic', 500,
    (pid) => (_, reply) => { reply.relay(pid, { message_topic: 'ws.leave' }).send() }
  ),
  refuses(
    'invalid, with a status of its own', 500,
    () => (_, reply) => { reply.code(201).header('x-ws-relay', '{').send() }
  ),
  refuses(
    'invalid, 101', 500,
    () => (_, reply) => { reply.code(101).header('x-ws-relay', '{').send() }
  ),
  refuses('invalid, with a stream', 500, () => (_, reply) => {
    reply
      .header('x-ws-relay', '{')
      .header('content-encoding', 'gzip')
      .send(Readable.from(['a']))
  }),

  {
    // It does not come back, so the client is not asked to try again.
    ...refuses('a dead target', 503, () => (_, reply) => { reply.relay(dead).send() }),
    has: /^HTTP(?![^]*\r\nretry-after)/i
  },
  refuses('a target that is stopping', 503, () => (request, reply) => {
    const pid = stopping(request.server)
    reply.relay(pid).send()
    request.server.processes.exit(pid)
  }),
  refuses('a name that nobody has', 503, () => (_, reply) => { reply.relay('nobody').send() }),
  refuses('a dead target, 202', 503, () => (_, reply) => { reply.code(202).relay(dead).send() })
]

t.test('answers as the table says after the handler', async (t) => {
  for (const { what, handler, upgrade, plain, code, has = /(?:)/ } of table) {
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
