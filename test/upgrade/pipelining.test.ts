// Upgrades behind earlier requests on the same socket, and sockets that were kept alive.
import { once } from 'node:events'
import { request as get, Agent } from 'node:http'
import t from 'tap'
import fastifyWebsocket from '@fastify/websocket'
import WebSocket from 'ws'
import { wsRelay } from '../../lib/index.js'
import {
  answer, bare, build, frame, handshake, listen, openSockets, raw, record, until
} from '../helpers.js'
import { routes } from './support.js'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

const plain = 'GET /plain HTTP/1.1\r\nhost: relay.test\r\n\r\n'

for (const native of [false, true]) {
  const beside = native ? ', beside @fastify/websocket' : ''

  t.test(`answers an upgrade after earlier requests on the same socket${beside}`, async (t) => {
    const app = bare(t)
    if (native) await app.register(fastifyWebsocket)
    await app.register(wsRelay)
    let release: () => void
    const target = routes(app, new Promise((resolve) => { release = resolve }))
    const port = await listen(app)

    const pipelined = (await raw(t, port)).write(plain + plain + handshake())
    pipelined.write(frame('early'))
    release!()
    const text = await pipelined.until(/101 Switching/)
    t.match(
      text,
      /\r\n\r\nplainHTTP\/1\.1 200 OK[^]*\r\n\r\nplainHTTP\/1\.1 101 /,
      'in the order of the requests'
    )
    t.equal((await target.next('ws.message')).data, 'early')

    const kept = (await raw(t, port)).write(plain)
    await kept.until(/plain$/)
    await kept.write(handshake()).until(/101 Switching/)
    t.pass('on a socket that was kept alive')
  })

  t.test(
    `does not answer an upgrade after a response that closes the connection${beside}`,
    async (t) => {
      const app = bare(t)
      if (native) await app.register(fastifyWebsocket)
      await app.register(wsRelay)
      routes(app)
      const text = await answer(t, await listen(app), plain.replace('plain', 'last') + handshake())
      t.match(text, /^HTTP\/1\.1 200 OK/)
      t.notMatch(text, /101/)
    }
  )

  t.test(`ends the socket when an earlier hook answers 401${beside}`, async (t) => {
    const app = bare(t)
    app.addHook('onRequest', async (_, reply) => reply.code(401).send('who?'))
    if (native) await app.register(fastifyWebsocket)
    await app.register(wsRelay)
    routes(app)
    t.match(await answer(t, await listen(app), handshake()), /^HTTP\/1\.1 401 [^]*who\?$/)
  })

  t.test(
    `ends the socket of a path outside the plugin's scope, and of an unknown path${beside}`,
    async (t) => {
      const app = bare(t)
      await app.register(async (scope) => {
        if (native) await scope.register(fastifyWebsocket)
        await scope.register(wsRelay)
        const target = record(scope)
        scope.get('/in', async (_, reply) => {
          reply.relay(target.pid)
        })
      })
      app.get('/out', async () => 'out')
      app.get('/slow', async () => {
        await new Promise(setImmediate)
        return 'slow'
      })
      const port = await listen(app)
      t.match(await answer(t, port, handshake('/out')), /^HTTP\/1\.1 200 [^]*\r\n\r\nout$/)
      t.match(await answer(t, port, handshake('/slow')), /^HTTP\/1\.1 200 [^]*\r\n\r\nslow$/)
      t.match(await answer(t, port, handshake('/nowhere')), /^HTTP\/1\.1 404 /)
      t.match(
        await answer(t, port, handshake('/in?', { 'sec-websocket-key': '' })),
        /^HTTP\/1\.1 400 /
      )
      await (await raw(t, port)).write(handshake('/in')).until(/101 Switching/)
    }
  )
}

t.test('upgrades a socket that an agent has kept alive', async (t) => {
  const app = await build(t)
  routes(app)
  const port = await listen(app)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => { agent.destroy() })
  const request = get({ port, host: '127.0.0.1', path: '/plain', agent }).end()
  const [response] = await once(request, 'response') as [IncomingMessage]
  await once(response.resume(), 'end')
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, { agent })
  t.teardown(() => { client.terminate() })
  await once(client, 'open')
  client.send('hello')
  t.equal(String((await once(client, 'message'))[0]), 'hello')
})

t.test(
  'does not route an upgrade whose client leaves while earlier requests are answered',
  async (t) => {
    const app = await build(t)
    let release: () => void
    let upgrades = 0
    app.addHook('onRequest', async (request) => {
      if (request.url === '/') upgrades++
    })
    const asked = new Promise<void>((resolve) => {
      app.server.on('upgrade', () => {
        resolve()
      })
    })
    routes(
      app,
      new Promise((resolve) => {
        release = resolve
      })
    )
    const client = await raw(t, await listen(app))
    client.write(plain + handshake())
    await asked
    const closed = new Promise<void>((resolve) => {
      app.server.on('request', () => {})
      client.socket.once('close', () => {
        resolve()
      })
    })
    client.socket.resetAndDestroy()
    await closed
    release!()
    await new Promise(setImmediate)
    t.equal(upgrades, 0)
  }
)

t.test('handles a client that leaves while earlier requests are being answered', async (t) => {
  for (const allowed of [false, true]) {
    await t.test(
      allowed
        ? 'completes the earlier responses when the server allows half-open sockets'
        : 'gives the requests up, as Node does',
      async (t) => {
        const app = await build(t)
        Object.assign(app.server, { httpAllowHalfOpen: allowed })
        let release: () => void
        const gate = new Promise<void>((resolve) => {
          release = resolve
        })
        let aborted = false
        const target = record(app)
        app.get('/', async (_, reply) => reply.relay(target.pid).send())
        app.get('/plain', async ({ signal }, { raw }) => {
          // Fastify aborts the signal after the response too, where it has no onResponse hook.
          signal.addEventListener('abort', () => {
            aborted = !raw.writableFinished
          })
          await gate
          return 'plain'
        })
        const asked = new Promise<void>((resolve) => {
          app.server.on('upgrade', () => {
            resolve()
          })
        })
        const sockets: Socket[] = []
        app.server.on('connection', (socket) => {
          sockets.push(socket)
        })
        const client = (await raw(t, await listen(app), true)).write(plain + plain + handshake())
        // A FIN after unread bytes has no event.
        if (!allowed) client.write(frame('early'))
        client.socket.end()
        await asked
        if (allowed) {
          const [socket] = sockets
          await once(socket, 'end')
          release!()
        }
        const text = await client.end()
        await until(() => openSockets(app) === 0)
        t.equal(text.match(/\r\n\r\nplain/g)?.length ?? 0, allowed ? 2 : 0)
        t.equal(aborted, !allowed)
        t.notMatch(text, /101/)
        t.equal(target.received.length, 0)
        release!()
      }
    )
  }
})

t.test('does not wait for the requests before an upgrade when the server closes', async (t) => {
  const app = await build(t, { closeTimeout: 20 })
  const begun = new Promise<void>((resolve) => { app.server.on('upgrade', () => { resolve() }) })
  app.get('/plain', () => {})
  const client = (await raw(t, await listen(app), true)).write(plain + handshake())
  await begun
  await app.close()
  t.equal(await client.end(), '')
})
