// Each upgrade ends with at most one event.
import { once } from 'node:events'
import t from 'tap'
import { errorCodes, wsRelay } from '../../lib/index.js'
import { Registration } from '../../lib/registration/registration.js'
import { refusalReasons, UpgradeCounters } from '../../lib/registration/upgrade-counters.js'
import { recordEvents } from '../events.js'
import {
  answer, bare, build, handshake, listen, logs, open, openSockets, raw, record, until
} from '../helpers.js'
import { dead } from './support.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { UpgradeRefusalReason } from '../../types/events.js'
import type { WsRelayOptions } from '../../types/relay.js'

/** An application on a node of its own, with the events of its upgrades. */
async function watched (t: Test, options: WsRelayOptions = {}, fastify = {}) {
  const node = `upgrade-${t.name.replace(/\W+/g, '-').slice(0, 50)}`
  const events = recordEvents(t, node, 'upgrade')
  return { node, events, app: await build(t, { node, ...options }, fastify) }
}

t.test('tells of an upgrade before its connection is open', async (t) => {
  const { app, node } = await watched(t)
  const events = recordEvents(t, node, 'upgrade')
  const { pid: target, next } = record(app)
  app.get('/', (_, reply) => { reply.relay(target).send() })
  await open(t, `ws://127.0.0.1:${await listen(app)}/`)
  const { client_pid: pid } = await next('ws.join')
  t.strictSame(events.map((event) => ({ ...event, at: 0 })), [
    { type: 'accepted', node, at: 0, pid, target }
  ])
})

interface Refusal {
  what: string
  reason: UpgradeRefusalReason
  status: number
  set?: (app: FastifyInstance, pid: string) => void
  options?: WsRelayOptions
  request?: string
}

function relays (app: FastifyInstance, pid: string): void {
  app.get('/', (_, reply) => { reply.relay(pid).send() })
}

const refusals: Refusal[] = [
  {
    what: 'a 401 of a hook',
    reason: 'application',
    status: 401,
    set (app, pid) {
      app.addHook('onRequest', async (_, reply) => reply.code(401).send('who?'))
      relays(app, pid)
    }
  },
  {
    what: 'a 401 of the handler',
    reason: 'application',
    status: 401,
    set (app) { app.get('/', async (_, reply) => reply.code(401).send('who?')) }
  },
  { what: 'no route', reason: 'application', status: 404, set: () => {} },
  {
    what: 'a route without the relay',
    reason: 'application',
    status: 200,
    set (app) { app.get('/', { config: { wsRelay: false } }, async () => 'plain') }
  },
  {
    what: 'a handler that answers by itself',
    reason: 'application',
    status: 418,
    set (app) {
      app.get('/', (_, reply) => {
        reply.hijack()
        reply.raw.writeHead(418).end('tea')
      })
    }
  },
  {
    what: 'a foreign origin',
    reason: 'origin',
    status: 403,
    request: handshake('/', { origin: 'https://evil.example' })
  },
  {
    what: 'a foreign origin, and an error handler that sets another status',
    reason: 'origin',
    status: 404,
    request: handshake('/', { origin: 'https://evil.example' }),
    set (app, pid) {
      app.setErrorHandler(async (_, __, reply) => reply.code(404).send('nothing here'))
      relays(app, pid)
    }
  },
  {
    what: 'a bad handshake',
    reason: 'handshake',
    status: 400,
    request: handshake('/', { 'sec-websocket-key': 'short' })
  },
  {
    what: 'another protocol',
    reason: 'protocol',
    status: 426,
    request: handshake('/', { upgrade: 'h2c' })
  },
  {
    what: 'an invalid header',
    reason: 'config',
    status: 500,
    set (app) {
      app.get('/', async (_, reply) => reply.header('x-ws-relay', { target_pid: 5 }).send())
    }
  },
  {
    what: 'a dead target',
    reason: 'target',
    status: 503,
    set (app) { relays(app, dead) }
  },
  {
    what: 'a key above the limit of its kind',
    reason: 'overloaded',
    status: 503,
    set (app) {
      const rooms = app.processes.keyed('room', { max: 1, start: (self) => self.serve({}) })
      app.get('/', async (_, reply) => {
        await rooms.get('a')
        return reply.relay(rooms.key('b')).send()
      })
    }
  },
  {
    what: 'a process for the connection, before the node has joined its cluster',
    reason: 'target',
    status: 503,
    set (app) {
      app.get('/', (_, reply) => {
        const { clusterAccess } = Registration.attachedTo(app)!.relay.runtime
        clusterAccess.joining = true
        reply.relay(() => {}).send()
        clusterAccess.joining = false
      })
    }
  },
  {
    what: 'a handler that never replies',
    reason: 'timeout',
    status: 503,
    options: { upgradeTimeout: 20 },
    set (app) { app.get('/', () => {}) }
  },
  {
    what: 'a handler and an error handler that never reply',
    reason: 'timeout',
    status: 503,
    options: { upgradeTimeout: 20 },
    set (app) {
      app.setErrorHandler(() => {})
      app.get('/', () => {})
    }
  },
  {
    what: 'a hook that never ends',
    reason: 'timeout',
    status: 503,
    options: { upgradeTimeout: 20 },
    set (app) {
      app.addHook('onSend', async () => { await new Promise(() => {}) })
      app.get('/', async () => 'hello')
    }
  },
  {
    what: 'a server that closes while the handler runs',
    reason: 'closing',
    status: 503,
    set (app) { app.get('/', () => { app.close().catch(() => {}) }) }
  }
]

for (const { what, reason, status, set = relays, options, request = handshake() } of refusals) {
  t.test(`tells why an upgrade was refused: ${what}`, async (t) => {
    const { app, node, events } = await watched(t, options)
    set(app, record(app).pid)
    const text = await answer(t, await listen(app), request)
    t.match(text, new RegExp(`^HTTP/1\\.1 ${status} `))
    t.strictSame(events.map((event) => ({ ...event, at: 0 })), [
      { type: 'refused', node, at: 0, reason, status }
    ])
  })
}

t.test('tells of an upgrade that a closing server does not route any more', async (t) => {
  const { app, node, events } = await watched(t, { upgradeTimeout: '1h', closeTimeout: 20 })
  // It may take the socket, so the request is not routed yet.
  app.server.on('upgrade', () => {})
  const client = (await raw(t, await listen(app))).write(handshake('/nowhere'))
  await until(() => openSockets(app) === 1)
  const closed = app.close()
  t.match(await client.end(), /^HTTP\/1\.1 503 [^]*FST_WS_RELAY_CLOSING/)
  await closed
  t.strictSame(events.map((event) => ({ ...event, at: 0 })), [
    { type: 'refused', node, at: 0, reason: 'closing', status: 503 }
  ])
})

t.test('tells of a client for which the server has no room', async (t) => {
  const { app, node, events } = await watched(t, { maxConnections: 1 })
  relays(app, record(app).pid)
  const port = await listen(app)
  await open(t, `ws://127.0.0.1:${port}/`)
  t.match(await answer(t, port, handshake()), /^HTTP\/1\.1 503 /)
  t.match(events, [{ type: 'accepted' }, { type: 'refused', node, reason: 'overloaded' }])
  t.equal(events.length, 2)
})

for (const upgradeTimeout of [20, '1h']) {
  t.test(
    `tells of a response that began outside the scope of the plugin and goes on, ${upgradeTimeout}`,
    async (t) => {
      const node = `outside-${upgradeTimeout}`
      const events = recordEvents(t, node, 'upgrade')
      const app = bare(t)
      await app.register(async (scope) => {
        await scope.register(wsRelay, { node, upgradeTimeout, closeTimeout: 20 })
      })
      app.get('/', (_, reply) => {
        reply.hijack()
        reply.raw.writeHead(201)
        reply.raw.write('more to come')
      })
      const client = (await raw(t, await listen(app))).write(handshake())
      await client.until(/more to come/)
      await until(() => events.length > 0)
      t.match(events, [{ type: 'refused', reason: 'application', status: 201 }])
      client.socket.destroy()
      await app.close()
      t.equal(events.length, 1)
    }
  )
}

t.test('tells of a client that leaves before there is a response', async (t) => {
  const { app, node, events } = await watched(t)
  let begin = (): void => {}
  const begun = new Promise<void>((resolve) => { begin = resolve })
  app.get('/', () => { begin() })
  const client = (await raw(t, await listen(app))).write(handshake())
  await begun
  client.socket.destroy()
  await until(() => events.length > 0)
  t.strictSame(events.map((event) => ({ ...event, at: 0 })), [{ type: 'abandoned', node, at: 0 }])
})

t.test('tells of a client that leaves after bytes that nobody reads', async (t) => {
  const node = 'unread'
  const events = recordEvents(t, node, 'upgrade')
  const app = bare(t)
  await app.register(async (scope) => { await scope.register(wsRelay, { node }) })
  let begin = (): void => {}
  const begun = new Promise<void>((resolve) => { begin = resolve })
  app.get('/', (_, reply) => {
    reply.hijack()
    begin()
  })
  const client = (await raw(t, await listen(app))).write(handshake())
  await begun
  client.write('unread').socket.end()
  await until(() => events.length > 0)
  t.match(events, [{ type: 'abandoned', node }])
})

t.test('tells nothing of a socket that another owner takes', async (t) => {
  const { logger, lines } = logs()
  const { app, events } = await watched(t, { upgradeTimeout: 20 }, { logger })
  app.get('/native', { websocket: true } as object, ((socket: { close: () => void }) => {
    socket.close()
  }) as never)
  app.get('/own', (request, reply) => {
    reply.hijack()
    request.raw.socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
  })
  const port = await listen(app)
  const client = await open(t, `ws://127.0.0.1:${port}/native`)
  if (client.readyState !== client.CLOSED) await once(client, 'close')
  const own = (await raw(t, port)).write(handshake('/own'))
  await own.until(/101/)
  await until(() => lines.some(({ msg }) => /upgrade timed out/.test(msg)))
  own.socket.destroy()
  await app.close()
  t.strictSame(events, [])
})

t.test('counts a process system that closes as closing', async (t) => {
  const upgrades = new UpgradeCounters('closing')
  upgrades.upgradeRefused(new errorCodes.FST_PROCESS_CLOSING().code, 503)
  t.equal(upgrades.stats.refused.closing, 1)
})

t.test('knows a reason for each error that refuses an upgrade', async (t) => {
  for (const code of refusalReasons.keys()) t.ok(code in errorCodes, code)
})
