// The header that a handler sets for the relay never reaches a client.
import { connect } from 'node:http2'
import t from 'tap'
import Fastify from 'fastify'
import { wsRelay } from '../../../lib/index.js'
import { answer, bare, build, handshake, listen, record } from '../../helpers.js'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

const plain = 'GET / HTTP/1.1\r\nhost: relay.test\r\nconnection: close\r\n\r\n'

/** Requests `/` in every way: no response has the header, and each has the status. */
async function nothingShows (t: Test, app: FastifyInstance, status: number): Promise<void> {
  const { headers, statusCode } = await app.inject('/')
  t.notOk('x-ws-relay' in headers, 'inject')
  t.equal(statusCode, status)
  const port = await listen(app)
  for (const request of [handshake(), plain, plain.replace('GET', 'HEAD')]) {
    const text = await answer(t, port, request)
    t.match(text, new RegExp(`^HTTP/1.1 ${status} `))
    t.notMatch(text, /x-ws-relay/i, request.slice(0, 5))
  }
}

t.test('strips the header from the error of an onSend hook that fails', async (t) => {
  for (const sets of ['the handler', 'the hook'] as const) {
    await t.test(`${sets} sets it`, async (t) => {
      const app = await build(t)
      const { pid } = record(app)
      app.addHook('onSend', async (_, reply) => {
        if (sets === 'the hook') reply.header('X-WS-Relay', pid)
        throw new Error('no')
      })
      app.get('/', async (_, reply) => {
        if (sets === 'the handler') reply.header('X-WS-Relay', pid)
      })
      await nothingShows(t, app, 500)
      t.equal(app.processes.stats().alive, 1)
    })
  }
})

t.test('strips the header from a hijacked reply, in each form that Node takes', async (t) => {
  const forms: Array<(raw: FastifyReply['raw']) => void> = [
    (raw) => {
      raw.setHeader('X-WS-Relay', 'lobby')
      raw.setHeader('x-other', 'kept')
    },
    (raw) => {
      raw
        .setHeader('X-WS-Relay', 'lobby')
        .setHeader('x-other', 'kept')
        .writeHead(200, null as never)
    },
    (raw) => {
      raw.writeHead(200, { 'X-WS-Relay': 'lobby', 'X-Other': 'kept' })
    },
    (raw) => {
      raw.writeHead(200, 'OK', { 'X-WS-Relay': 'lobby', 'X-Other': 'kept' })
    },
    (raw) => {
      raw.writeHead(200, ['X-WS-Relay', 'lobby', 'X-Other', 'kept'])
    },
    (raw) => {
      raw.writeHead(200, [
        ['X-WS-Relay', 'lobby'],
        ['X-Other', 'kept']
      ] as never)
    }
  ]
  for (const form of forms) {
    const app = await build(t)
    app.get('/', (_, reply) => {
      reply.hijack()
      form(reply.raw)
      reply.raw.end('mine')
    })
    const text = await answer(t, await listen(app), plain)
    t.match(text, /\r\nx-other: kept\r\n/i, String(form))
    t.notMatch(text, /x-ws-relay/i)
  }
})

t.test('does not modify the headers object given to writeHead', async (t) => {
  const app = await build(t)
  const given = { 'x-ws-relay': 'lobby' }
  app.get('/', (_, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, given).end()
    t.throws(
      () => reply.raw.writeHead(200, given),
      { code: 'ERR_HTTP_HEADERS_SENT' },
      "Node's own error for a second one"
    )
  })
  app.get('/other', async (_, reply) => reply.header('x-other', 'kept').send())
  await app.inject('/')
  t.strictSame(given, { 'x-ws-relay': 'lobby' })
  t.match(
    (await app.inject('/other')).headers,
    { 'x-other': 'kept' },
    'a reply without the header is unchanged'
  )
})

t.test(
  'strips the header in a scope without the plugin, and when an earlier hook replies',
  async (t) => {
    const app = bare(t)
    app.addHook('onRequest', async (request, reply) => {
      if (request.url === '/early') return reply.header('X-WS-Relay', 'lobby').code(403).send()
    })
    await app.register(async (scope) => {
      await scope.register(wsRelay)
    })
    app.get('/', async (_, reply) => {
      reply.header('X-WS-Relay', 'lobby')
    })
    const port = await listen(app)
    const outside = await answer(t, port, plain)
    t.match(outside, /^HTTP\/1.1 200 /)
    t.notMatch(outside, /x-ws-relay/i)
    t.notMatch(await answer(t, port, plain.replace('/', '/early')), /x-ws-relay/i)
    const upgrade = await answer(t, port, handshake())
    t.match(upgrade, /^HTTP\/1.1 200 /)
    t.notMatch(upgrade, /x-ws-relay/i)
  }
)

t.test('strips the header from HTTP/2 responses', async (t) => {
  const app = Fastify({ http2: true }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(wsRelay)
  app.addHook('onSend', async () => { throw new Error('no') })
  app.get('/', async (_, reply) => { reply.header('X-WS-Relay', 'lobby') })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const session = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  t.teardown(() => { session.destroy() })
  const headers = await new Promise<Record<string, unknown>>((resolve) => {
    session.request({ ':path': '/' }).on('response', resolve).end()
  })
  t.equal(headers[':status'], 500)
  t.notOk('x-ws-relay' in headers)
})

t.test('strips the header from early hints and trailers', async (t) => {
  const app = await build(t)
  app.get('/', (_, reply) => {
    reply.hijack()
    const { raw } = reply
    raw.writeEarlyHints({
      link: '</a.css>; rel=preload; as=style',
      'X-WS-Relay': 'lobby',
      'x-hint': 'kept'
    })
    raw.writeHead(200, { trailer: 'x-trailer', 'transfer-encoding': 'chunked' })
    raw.addTrailers({ 'X-WS-Relay': 'lobby', 'x-trailer': 'kept' })
    raw.addTrailers([['X-WS-Relay', 'lobby'], ['x-trailer', 'kept']])
    raw.end('mine')
  })
  app.get('/trailer', async (_, reply) => {
    reply.trailer('X-WS-Relay', async () => 'lobby').trailer('x-trailer', async () => 'kept')
    return 'mine'
  })
  app.get('/old', (_, reply) => {
    reply.hijack()
    const raw = reply.raw as unknown as {
      writeHeader (status: number, headers: object): void, end (): void
    }
    raw.writeHeader(200, { 'X-WS-Relay': 'lobby', 'x-trailer': 'kept' })
    raw.end()
  })
  app.get('/wrong', (_, reply) => {
    t.throws(
      () => {
        reply.raw.writeEarlyHints('x-ws-relay' as never)
      },
      { code: 'ERR_INVALID_ARG_TYPE' },
      "Node's own error"
    )
    reply.send()
  })
  const port = await listen(app)
  const upgrade = await answer(t, port, handshake())
  t.match(upgrade, /^HTTP\/1\.1 103 [^]*x-hint: kept[^]*HTTP\/1\.1 200 [^]*x-trailer: kept/)
  for (const text of [
    upgrade,
    ...(await Promise.all(
      ['/', '/trailer', '/old'].map(async (path) => await answer(t, port, plain.replace('/', path)))
    ))
  ]) {
    t.match(text, /x-trailer: kept/)
    t.notMatch(text, /x-ws-relay: /i)
  }
  await app.inject('/wrong')
})

t.test('strips the header from HTTP/2 trailers', async (t) => {
  const app = Fastify({ http2: true }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(wsRelay)
  app.get('/', (_, reply) => {
    const raw = reply.hijack().raw as unknown as Http2ServerResponse & {
      setTrailer (name: string, value: string): void
    }
    raw.writeHead(200)
    raw.setTrailer('X-WS-Relay', 'lobby')
    raw.setTrailer('x-trailer', 'kept')
    raw.addTrailers({ 'X-WS-Relay': 'lobby' })
    raw.end('mine')
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const session = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  t.teardown(() => { session.destroy() })
  const trailers = await new Promise<Record<string, unknown>>((resolve) => {
    session.request({ ':path': '/' }).on('trailers', resolve).resume().end()
  })
  t.equal(trailers['x-trailer'], 'kept')
  t.notOk('x-ws-relay' in trailers)
})
