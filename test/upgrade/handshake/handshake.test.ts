// The end of a handshake: the client leaves, the response is written, or the server closes.
import { once } from 'node:events'
import { Readable } from 'node:stream'
import t from 'tap'
import { wsRelay } from '../../../lib/index.js'
import {
  answer, bare, build, handshake, listen, open, openSockets, raw, record, until
} from '../../helpers.js'
import { slow } from '../support.js'

t.test('cleans up when a client leaves during its handler', async (t) => {
  for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
    await t.test(leave, async (t) => {
      const { app, port, begun, finish, aborted, responses } = await slow(t)
      const client = await raw(t, port)
      client.write(handshake())
      const { reply } = await begun
      const { socket } = reply.raw
      const closed = once(reply.raw, 'close')
      client.socket[leave]()
      await closed
      t.ok(socket!.destroyed)
      t.strictSame(aborted.sort(), ['hook', 'signal'], 'the hook and the signal both fire')
      finish()
      await until(() => reply.sent)
      await new Promise(setImmediate)
      t.equal(app.processes.stats().spawned, 1, 'no connection')
      t.ok(responses.length <= 1)
      const [connections] = await new Promise<number[]>((resolve, reject) => {
        app.server.getConnections((err, count) => { if (err) reject(err); else resolve([count]) })
      })
      t.equal(connections, 0)
    })
  }
})

t.test('does not abort the request when its client leaves after the upgrade', async (t) => {
  const { target, port, finish, begun, aborted } = await slow(t)
  const client = (await raw(t, port)).write(handshake())
  await begun
  finish()
  await client.until(/\r\n\r\n/)
  client.socket.destroy()
  await target.next('ws.leave')
  t.strictSame(aborted, [])
})

t.test('does not abort the request of a refused client that reads its response', async (t) => {
  const app = await build(t)
  const aborted: unknown[] = []
  let closed = false
  app.addHook('onRequestAbort', async (_request) => { aborted.push(1) })
  app.get('/', async (request, reply) => {
    request.raw.on('aborted', () => { aborted.push(2) })
    request.raw.on('close', () => { closed = true })
    return reply.code(403).send('no')
  })
  const port = await listen(app)
  const client = await raw(t, port)
  t.match(await client.write(handshake()).end(), /\r\n\r\nno$/)
  client.socket.destroy()
  await until(() => openSockets(app) === 0)
  t.strictSame(aborted, [])
  t.ok(closed, 'the request closes, as any answered request')
})

t.test(
  'destroys the socket of a client that does not end its side after its response',
  async (t) => {
    const app = await build(t)
    app.get('/', async (_, reply) => reply.code(403).send('no'))
    const client = await raw(t, await listen(app), true)
    await client.write(handshake()).end()
    await until(() => openSockets(app) === 0)
    t.pass()
  }
)

t.test('no longer counts a handshake for maxHandshakes once it is answered', async (t) => {
  const app = await build(t, { maxHandshakes: 1 })
  const body = new Readable({ read () {} })
  app.get('/', async (_, reply) => reply.code(403).send(body))
  app.get('/other', async (_, reply) => reply.code(401).send())
  const port = await listen(app)
  const client = (await raw(t, port)).write(handshake())
  body.push('first')
  await client.until(/first/)
  t.match(await answer(t, port, handshake('/other')), /^HTTP\/1\.1 401 /)
  body.push(null)
  await client.end()
})

t.test('ends an ordinary response when its client leaves', async (t) => {
  for (const upgrade of ['websocket', 'h2c']) {
    const app = await build(t)
    const body = new Readable({ read () {} })
    app.get('/', async (_, reply) => reply.code(403).send(body))
    body.push('first')
    body.on('error', () => {})
    const client = await raw(t, await listen(app))
    await client.write(handshake('/', { upgrade })).until(/first/)
    client.write(Buffer.alloc(500_000))
    const closed = once(body, 'close')
    client.socket.end()
    await closed
    t.ok(body.destroyed, upgrade)
  }
})

t.test('notices that the client of a route outside the scope leaves', async (t) => {
  const app = bare(t)
  await app.register(async (scope) => { await scope.register(wsRelay, { upgradeTimeout: '1h' }) })
  const body = new Readable({ read () {} })
  app.get('/outside', async () => body)
  body.push('first')
  body.on('error', () => {})
  const client = await raw(t, await listen(app))
  await client.write(handshake('/outside')).until(/first/)
  // The FIN comes after more bytes than the server keeps: it must drop them to see the FIN.
  client.write(Buffer.alloc(500_000))
  const closed = once(body, 'close')
  client.socket.end()
  await closed
  t.ok(body.destroyed)
})

t.test('leaves no pending handshake after a complete upgrade', async (t) => {
  const app = await build(t)
  const target = record(app)
  app.get('/', async (_, reply) => { reply.relay(target.pid) })
  const client = await open(t, `ws://127.0.0.1:${await listen(app)}/`)
  client.send('hello')
  t.equal(String((await once(client, 'message'))[0]), 'hello')
  client.close(1000)
  await once(client, 'close')
  await until(() => openSockets(app) === 0)
  t.equal(app.processes.stats().alive, 1)
})

t.test('answers at once when a handler closes the server and never replies', async (t) => {
  const app = await build(t, { upgradeTimeout: '1h' })
  app.get('/', () => { app.close().catch(() => {}) })
  const text = await answer(t, await listen(app), handshake())
  t.match(text, /^HTTP\/1\.1 503 [^]*FST_WS_RELAY_CLOSING/)
})
