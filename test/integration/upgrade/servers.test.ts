// All kinds of servers that Fastify supports, and streams in place of sockets.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectNet } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import Fastify from 'fastify'
import { wsRelay } from '../../../lib/index.js'
import {
  answer,
  bare,
  build,
  frame,
  handshake,
  listen,
  open,
  Raw,
  raw,
  record
} from '../../helpers.js'
import { certificate } from '../../fixtures/certificate.js'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Recorder } from '../../helpers.js'

function route (app: FastifyInstance): Recorder {
  const target = record(app)
  app.get('/', async (_, reply) => { reply.relay(target.pid) })
  return target
}

/** Requests a path over an HTTP/2 session, and closes the session. */
async function ask (url: string): Promise<Record<string, unknown>> {
  const session = connectHttp2(url, { rejectUnauthorized: false })
  const stream = session.request({ ':path': '/' })
  const [headers] = await once(stream, 'response')
  stream.resume()
  await once(stream, 'end')
  session.close()
  await once(session, 'close')
  return headers
}

t.test('answers 505 over HTTP/2, without connection headers', async (t) => {
  const app = Fastify({ http2: true })
  t.teardown(() => app.close())
  await app.register(wsRelay)
  route(app as never)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const headers = await ask(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  t.equal(headers[':status'], 505)
  for (const name of ['connection', 'upgrade', 'x-ws-relay']) t.notOk(name in headers)
})

t.test('upgrades HTTP/1.1 clients of an HTTP/2 server with allowHTTP1', async (t) => {
  const app = Fastify({ http2: true, https: { ...certificate, allowHTTP1: true } })
  t.teardown(() => app.close())
  await app.register(wsRelay)
  const target = route(app as never)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const headers = await ask(`https://127.0.0.1:${port}`)
  t.equal(headers[':status'], 505)
  const client = await open(t, `wss://127.0.0.1:${port}/`, {
    rejectUnauthorized: false,
    origin: `https://127.0.0.1:${port}`
  })
  client.send('hello')
  t.equal(String((await once(client, 'message'))[0]), 'hello')
  client.close()
  await target.next('ws.leave')
})

t.test('compares the own origin with https over TLS', async (t) => {
  const app = Fastify({ https: certificate })
  t.teardown(() => app.close())
  await app.register(wsRelay)
  route(app as never)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const ask = async (origin: string): Promise<string> => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    t.teardown(() => { socket.destroy() })
    await once(socket, 'secureConnect')
    return await new Raw(socket).write(handshake('/', { origin })).until(/\r\n\r\n/)
  }
  t.match(await ask('https://relay.test'), /^HTTP\/1\.1 101 /)
  t.match(await ask('http://relay.test'), /^HTTP\/1\.1 403 /)
})

t.test('uses a forwarded scheme and host only with trustProxy', async (t) => {
  const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'public.test' }
  for (const [trustProxy, origin, status] of [
    [true, 'https://public.test', 101],
    [true, 'http://relay.test', 403],
    [false, 'https://public.test', 403],
    [false, 'http://relay.test', 101]
  ] as Array<[boolean, string, number]>) {
    const app = await build(t, {}, { trustProxy })
    route(app)
    const text = await (
      await raw(t, await listen(app))
    )
      .write(handshake('/', { ...forwarded, origin }))
      .until(/\r\n\r\n/)
    t.match(text, new RegExp(`^HTTP/1\\.1 ${status} `), `${trustProxy} ${origin}`)
  }
})

t.test("upgrades on each address of 'localhost'", async (t) => {
  const app = await build(t)
  route(app)
  await app.listen({ port: 0, host: 'localhost' })
  for (const { address, port, family } of app.addresses() as AddressInfo[]) {
    const host = family === 'IPv6' ? `[${address}]` : address
    const client = await open(t, `ws://${host}:${port}/`)
    client.send(host)
    t.equal(String((await once(client, 'message'))[0]), host)
  }
})

t.test('upgrades on a server of the application, made by serverFactory', async (t) => {
  const server = createServer()
  const app = bare(t, { serverFactory: (handler) => server.on('request', handler) })
  await app.register(wsRelay)
  route(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const client = await open(t, `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  client.send('hello')
  t.equal(String((await once(client, 'message'))[0]), 'hello')
})

/** Two connected streams that are not sockets. */
function pair (): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex => new Duplex({
    allowHalfOpen: false,
    read () {},
    write (bytes, _, done) {
      other().push(bytes)
      done()
    },
    final (done) {
      other().push(null)
      done()
    }
  })
  const near: Duplex = make(() => far)
  const far: Duplex = make(() => near)
  return [near, far]
}

t.test('accepts any duplex stream as a socket, so a test needs no port', async (t) => {
  const app = await build(t)
  const target = route(app)
  app.get('/no', async (_, reply) => reply.code(403).send('no'))
  await app.ready()
  const [near, far] = pair()
  app.server.emit('connection', far)
  const client = new Raw(near)
  await client.write(handshake()).until(/^HTTP\/1\.1 101 [^]*\r\n\r\n/)
  client.write(frame('hello'))
  t.equal((await target.next('ws.message')).data, 'hello')
  await client.until(/hello$/)
  client.socket.end()
  t.match(await target.next('ws.leave'), { cause: 'lost' })

  const [refusedNear, refusedFar] = pair()
  app.server.emit('connection', refusedFar)
  t.match(await new Raw(refusedNear).write(handshake('/no')).end(), /^HTTP\/1\.1 403 [^]*no$/)
})

t.test("does not end a quiet connection by the server's timeouts", async (t) => {
  const app = await build(t, {}, {
    connectionTimeout: 500,
    keepAliveTimeout: 500,
    requestTimeout: 500,
    http: { headersTimeout: 500, connectionsCheckingInterval: 50 }
  })
  route(app)
  app.get('/slow', async (_, reply) => {
    await new Promise((resolve) => { setTimeout(resolve, 800) })
    return reply.code(403).send('slow')
  })
  const port = await listen(app)
  const client = await open(t, `ws://127.0.0.1:${port}/`)
  const slow = raw(t, port).then(async (client) => await client.write(handshake('/slow')).end())
  // The timeouts end an equally quiet plain connection: after that, all of them have passed.
  const quiet = connectNet({ port, host: '127.0.0.1' })
  t.teardown(() => { quiet.destroy() })
  quiet.write('GET / HT')
  quiet.on('error', () => {})
  quiet.resume()
  await once(quiet, 'close')
  t.match(await slow, /slow$/)
  client.send('hello')
  t.equal(String((await once(client, 'message'))[0]), 'hello')
})

t.test('answers a POST with a body and another upgrade token, and ends the socket', async (t) => {
  const app = await build(t)
  app.post('/', async () => 'posted')
  const port = await listen(app)
  const headers = { upgrade: 'h2c', 'content-length': '2', 'content-type': 'text/plain' }
  t.match(
    await answer(t, port, `${handshake('/', headers, 'POST / HTTP/1.1')}ok`),
    /^HTTP\/1\.1 \d+ /
  )
})
