// app.close() at every point of an upgrade.
import { once } from 'node:events'
import t from 'tap'
import fastifyWebsocket from '@fastify/websocket'
import { wsRelay } from '../../lib/index.js'
import {
  bare,
  build,
  frame,
  handshake,
  listen,
  logs,
  open,
  raw,
  record,
  until
} from '../helpers.js'

/** The close code of a raw client's close frame. */
function codeIn (bytes: string): number | undefined {
  const at = bytes.indexOf('\x88')
  return at === -1 ? undefined : bytes.charCodeAt(at + 2) * 256 + bytes.charCodeAt(at + 3)
}

t.test('closes every client with 1001, and sends every target ws.leave', async (t) => {
  const app = await build(t)
  const target = record(app)
  app.get('/', async (_, reply) => { reply.relay(target.pid) })
  const port = await listen(app)
  const clients = await Promise.all(
    [1, 2, 3].map(async () => await open(t, `ws://127.0.0.1:${port}/`))
  )
  const ends = clients.map(async (client) => await once(client, 'close'))
  await app.close()
  for (const [code, reason] of await Promise.all(ends)) {
    t.equal(code, 1001)
    t.equal(String(reason), 'server shutting down')
  }
  t.equal(
    target.received.filter(
      ({ topic, payload }) => topic === 'ws.leave' && payload.cause === 'shutdown'
    ).length,
    3
  )
  t.equal(app.processes.stats().alive, 0)
  t.throws(() => app.processes.spawn(() => {}))
  await app.close()
})

t.test('closes twice at once, before ready, and without routes', async (t) => {
  const app = await build(t)
  await Promise.all([app.close(), app.close()])
  const early = bare(t)
  early.register(wsRelay)
  await early.close()
  const never = await build(t)
  record(never)
  await never.close()
  t.equal(never.processes.stats().alive, 0)
})

t.test('destroys the socket of a client that never answers the close frame', async (t) => {
  const app = await build(t, { closeTimeout: 30 })
  const target = record(app)
  app.get('/', async (_, reply) => { reply.relay(target.pid) })
  const client = await raw(t, await listen(app), true)
  await client.write(handshake()).until(/\r\n\r\n/)
  await app.close()
  await client.until(/\x88/)
  t.equal(codeIn(client.text.split('\r\n\r\n')[1]), 1001)
})

t.test('refuses an upgrade whose hook is still running', async (t) => {
  const app = await build(t)
  const target = record(app)
  let go: () => void
  const begun = new Promise<void>((resolve) => {
    app.addHook('preHandler', async () => {
      resolve()
      await new Promise<void>((resolve) => { go = resolve })
    })
  })
  app.get('/', async (_, reply) => { reply.relay(target.pid) })
  const client = (await raw(t, await listen(app))).write(handshake())
  await begun
  const closed = app.close()
  const text = await client.end()
  t.match(text, /^HTTP\/1\.1 503 [^]*FST_WS_RELAY_CLOSING/)
  t.match(text, /^retry-after: \d+\r$/m)
  go!()
  await closed
  t.equal(app.processes.stats().alive, 0)
})

t.test('does not call the handler when a hook ends while the server closes', async (t) => {
  const app = bare(t)
  let go: () => void
  const begun = new Promise<void>((resolve) => {
    app.addHook('onRequest', async () => {
      resolve()
      await new Promise<void>((resolve) => { go = resolve })
    })
  })
  // It runs before the plugin's hook, which follows in this turn of the event loop.
  app.addHook('preClose', async () => { setImmediate(() => { go() }) })
  await app.register(wsRelay)
  app.get('/', () => { t.fail('the handler is called') })
  const client = (await raw(t, await listen(app))).write(handshake())
  await begun
  const closed = app.close()
  const text = await client.end()
  t.match(text, /^HTTP\/1\.1 503 [^]*FST_WS_RELAY_CLOSING/)
  t.match(text, /^retry-after: \d+\r$/m)
  await closed
})

t.test('answers for a running handler, whose own reply then opens no socket', async (t) => {
  const app = await build(t)
  const target = record(app)
  let go: () => void
  const begun = new Promise<void>((resolve) => {
    app.get('/', async (_, reply) => {
      resolve()
      await new Promise<void>((resolve) => { go = resolve })
      return reply.relay(target.pid).send()
    })
  })
  const client = (await raw(t, await listen(app))).write(handshake())
  await begun
  const closed = app.close()
  t.match(await client.end(), /^HTTP\/1\.1 503 [^]*FST_WS_RELAY_CLOSING/)
  go!()
  await closed
  t.equal(app.processes.stats().alive, 0)
})

t.test('waits for a handler that has hijacked its reply', async (t) => {
  const app = await build(t, { upgradeTimeout: 50 })
  let hijacked: () => void
  const begun = new Promise<void>((resolve) => { hijacked = resolve })
  app.get('/', (_, reply) => {
    reply.hijack()
    hijacked()
  })
  const client = (await raw(t, await listen(app))).write(handshake())
  await begun
  const closed = app.close()
  t.match(await client.end(), /^HTTP\/1\.1 503 /)
  await closed
})

t.test('closes when the handler itself calls app.close()', async (t) => {
  const app = await build(t)
  const target = record(app)
  let closed: Promise<unknown> | undefined
  app.get('/', async (_, reply) => {
    closed = app.close()
    await until(() => app.processes.stats().alive === 0 || !app.processes.alive(target.pid))
    reply.relay(target.pid)
  })
  const client = (await raw(t, await listen(app))).write(handshake())
  t.match(await client.end(), /^HTTP\/1\.1 503 /)
  await closed
})

t.test('closes a connection right after its 101', async (t) => {
  const app = await build(t)
  const target = record(app)
  let closed: Promise<unknown> | undefined
  app.addHook('onResponse', async () => { closed = app.close() })
  app.get('/', async (_, reply) => { reply.relay(target.pid) })
  const client = await raw(t, await listen(app))
  await client.write(Buffer.concat([Buffer.from(handshake()), frame('early')])).until(/\x88/)
  t.match(client.text, /^HTTP\/1\.1 101 /)
  client.write(frame(Buffer.from([0x03, 0xe9]), 8))
  await client.end()
  await closed
  t.strictSame(
    target.received.map(({ topic }) => topic),
    ['ws.join', 'ws.message', 'ws.leave', '@cancel']
  )
})

t.test('refuses upgrades with Retry-After while it closes', async (t) => {
  for (const native of ['ours', 'of the application', 'registered later']) {
    for (const return503OnClosing of [true, false]) {
      // Its listener stays until its own preClose, and a closing Fastify answers the request.
      if (native === 'registered later' && return503OnClosing) continue
      const app = bare(t, { return503OnClosing })
      if (native === 'of the application') await app.register(fastifyWebsocket)
      await app.register(wsRelay)
      if (native === 'registered later') await app.register(fastifyWebsocket)
      const target = record(app)
      app.get('/', async (_, reply) => { reply.relay(target.pid) })
      const port = await listen(app)
      const holding = await raw(t, port)
      await holding.write(handshake()).until(/\r\n\r\n/)
      const late = await raw(t, port)
      const closed = app.close()
      await holding.until(/\x88/)
      const text = await late.write(handshake()).end()
      t.match(text, /^HTTP\/1\.1 503 /, `${native}, ${return503OnClosing}`)
      t.match(text, /^retry-after: \d+\r$/m)
      t.match(text, /FST_WS_RELAY_CLOSING/)
      holding.write(frame(Buffer.from([0x03, 0xe9]), 8))
      await closed
    }
  }
})

t.test('ends all connections when a preClose hook calls back twice', async (t) => {
  for (const plugins of [[fastifyWebsocket, wsRelay], [wsRelay, fastifyWebsocket]]) {
    const { logger } = logs()
    const app = bare(t, { logger })
    for (const plugin of plugins) await app.register(plugin as typeof wsRelay)
    const target = record(app)
    app.get('/', async (_, reply) => { reply.relay(target.pid) })
    app.get('/native', { websocket: true } as object, (() => {}) as never)
    const port = await listen(app)
    const client = await open(t, `ws://127.0.0.1:${port}/`)
    const native = await open(t, `ws://127.0.0.1:${port}/native`)
    app.processes.spawn(async (self) => {
      await self.serve({})
      // It needs more time to end than any socket.
      await new Promise((resolve) => { setTimeout(resolve, 100) })
    })
    const ended = Promise.all([once(client, 'close'), once(native, 'close')])
    await app.close()
    t.equal(app.processes.stats().alive, 0)
    t.ok(target.received.some(({ topic }) => topic === 'ws.leave'))
    const [[code]] = await ended
    t.equal(code, 1001)
  }
})

t.test('ends the processes when an earlier preClose hook fails', async (t) => {
  const app = bare(t)
  app.addHook('preClose', async () => { throw new Error('no') })
  await app.register(wsRelay)
  const target = record(app)
  await app.close().catch(() => {})
  t.notOk(app.processes.alive(target.pid))
})

t.test('waits at most closeTimeout for a process that ignores its stop', async (t) => {
  const app = await build(t, { closeTimeout: 30 })
  app.processes.spawn(async () => await new Promise(() => {}))
  await app.close()
  t.equal(app.processes.stats().alive, 0)
})
