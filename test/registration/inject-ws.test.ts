// `injectWS` of @fastify/websocket with relayed routes.
import { once } from 'node:events'
import t from 'tap'
import { build, record } from '../helpers.js'
import { injectWS } from './native.js'

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
