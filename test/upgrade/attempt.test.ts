// From the header of a reply to `ws.join`, without a WebSocket: an ordinary request becomes a
// connection over a transport in memory.
import { once } from 'node:events'
import { get } from 'node:http'
import t from 'tap'
import { Registration } from '../../lib/registration/registration.js'
import { relayReply } from '../../lib/upgrade/relayed-reply.js'
import { nodeClock } from '../../lib/shared/clock.js'
import { MemoryTransport } from '../connection/transports/memory-transport.js'
import { build, listen, record, until } from '../helpers.js'
import { dead } from './support.js'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import type { ResolvedConfig } from '../../lib/connection/config.js'
import type { RouteSettings } from '../../lib/registration/options.js'
import type { UpgradeServer } from '../../lib/registration/upgrade-server.js'
import type { Attempt, Connect, Refusal } from '../../lib/upgrade/refusals.js'
import type { RemoteQuery } from '../../lib/upgrade/reply.js'
import type { WsRelayOptions } from '../../types/relay.js'
import type { Handler } from './support.js'

/** A request that is answered with a transport in memory. Its response has no bytes. */
class MemoryAttempt implements Attempt {
  readonly relay: UpgradeServer
  readonly settings: RouteSettings
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly transport = new MemoryTransport(nodeClock, 1000)
  isOpen = true
  query: RemoteQuery | undefined
  /** How often it has waited. */
  waits = 0

  constructor (registration: Registration, request: FastifyRequest, reply: FastifyReply) {
    this.relay = registration.relay
    this.settings = registration.settings
    this.request = request
    this.reply = reply
  }

  waitForRemote (query: RemoteQuery): void {
    this.waits++
    this.query = query
  }

  remoteAnswered (): void {
    this.query = undefined
  }

  open (_config: ResolvedConfig, connect: Connect): Refusal | undefined {
    this.reply.hijack()
    connect(this.transport)
    return undefined
  }

  /** The client leaves before it has an answer. */
  leave (): void {
    this.isOpen = false
    this.query?.onClientGone()
  }
}

interface Answer {
  readonly status: number | undefined
  readonly code: string
  readonly headers: IncomingHttpHeaders
}

interface Stage {
  readonly app: FastifyInstance
  /** Resolves when the hook has begun. */
  readonly attempt: Promise<MemoryAttempt>
  /** Resolves with the response, which only a refusal has. */
  readonly response: Promise<Answer>
  /** Requests the same route again. */
  readonly ask: () => Promise<Answer>
}

/** Requests a route whose replies become connections over a transport in memory. */
async function request (
  t: Test, prepare: (app: FastifyInstance) => Handler, options: WsRelayOptions = {}
): Promise<Stage> {
  const app = await build(t, options)
  const handler = prepare(app)
  const attempt = new Promise<MemoryAttempt>((resolve) => {
    app.get('/', {
      onSend: (request, reply, payload, done) => {
        const value = reply.getHeader('x-ws-relay')
        // The reply of a refusal.
        if (value === undefined) return done()
        reply.removeHeader('x-ws-relay')
        const attempt = new MemoryAttempt(Registration.of(app)!, request, reply)
        relayReply(attempt, value, payload, done)
        resolve(attempt)
      }
    }, handler as never)
  })
  const port = await listen(app)
  const ask = (): Promise<Answer> => {
    const asked = get({ port, host: '127.0.0.1', agent: false })
    t.teardown(() => { asked.destroy() })
    const response = read(once(asked, 'response'))
    // Only a refusal has a response: the other requests are destroyed with the test.
    response.catch(() => {})
    return response
  }
  return { app, attempt, response: ask(), ask }
}

async function read (responded: Promise<unknown[]>): Promise<Answer> {
  const [response] = await responded as [IncomingMessage]
  const chunks: Buffer[] = await response.toArray()
  const { code } = JSON.parse(Buffer.concat(chunks).toString()) as { code: string }
  return { status: response.statusCode, code, headers: response.headers }
}

t.test('makes an ordinary request a connection', async (t) => {
  let target!: ReturnType<typeof record>
  const { app, attempt } = await request(t, (app) => {
    target = record(app)
    return async (_, reply) => {
      reply.header('x-ws-relay', { target_pid: target.pid, metadata: { of: 'ada' } })
      return 'the body is discarded'
    }
  })
  const { transport } = await attempt
  const { client_pid: pid, metadata } = await target.next('ws.join')
  t.strictSame(metadata, { of: 'ada' })
  t.match(app.processes.info(pid), { kind: 'ws', target: target.pid })
  transport.send('hello')
  await target.next('ws.message')
  await until(() => transport.received.length > 0)
  t.strictSame(transport.received, ['thello'], 'the target has answered')
  transport.leave(1000, 'bye')
  t.match(await target.next('ws.leave'), { client_pid: pid, cause: 'client', code: 1000 })
})

t.test('starts a process for a connection, and cancels it afterwards', async (t) => {
  const topics: string[] = []
  const { attempt } = await request(t, () => async (_, reply) => reply.relay(async (self) => {
    for await (const { topic } of self.inbox) topics.push(topic)
  }))
  const { transport } = await attempt
  await until(() => topics.length === 1)
  transport.leave(1000, '')
  await until(() => topics.length === 3)
  t.strictSame(topics, ['ws.join', 'ws.leave', '@cancel'])
})

t.test('opens the connection when the process of a key has started', async (t) => {
  const joined: string[] = []
  const { attempt } = await request(t, (app) => {
    const rooms = app.processes.keyed('room', {
      start: async (self, key: string) => {
        for await (const { topic } of self.inbox) joined.push(`${key} ${topic}`)
      }
    })
    return async (_, reply) => reply.relay(rooms.key('lobby'))
  })
  await until(() => joined.length > 0)
  t.strictSame(joined, ['lobby ws.join'])
  t.match(await attempt, { waits: 1, query: undefined })
})

t.test('opens nothing when the client leaves during the wait', async (t) => {
  let start!: () => void
  const started = new Promise<void>((resolve) => { start = resolve })
  const joined: string[] = []
  const { app, attempt, response } = await request(t, (app) => {
    const rooms = app.processes.keyed('room', {
      start: async (self) => {
        await started
        for await (const { topic } of self.inbox) joined.push(topic)
      }
    })
    return async (_, reply) => reply.relay(rooms.key('lobby')).send({ code: 'ordinary' })
  })
  ;(await attempt).leave()
  t.match(await response, { status: 200, code: 'ordinary' }, 'the reply goes its ordinary way')
  start()
  const room = app.processes.names.lookup('@room/lobby')!
  await until(() => app.processes.info(room)!.status === 'waiting')
  t.strictSame(joined, [])
  t.equal(app.processes.stats().connections!.open, 0)
})

t.test('refuses a connection as an upgrade is refused', async (t) => {
  const cases: [config: object, status: number, code: string][] = [
    [{ target_pid: dead }, 503, 'FST_WS_RELAY_TARGET_NOT_ALIVE'],
    [{ target_pid: 5 }, 500, 'FST_WS_RELAY_INVALID_CONFIG']
  ]
  for (const [config, status, code] of cases) {
    const { response } = await request(t, () => async (_, reply) => {
      return reply.header('x-ws-relay', config).type('text/x-test').send('x')
    })
    const refused = await response
    t.match(refused, { status, code })
    t.match(refused.headers, { 'content-type': /json/ })
    t.notOk(refused.headers['x-ws-relay'])
  }
})

t.test('refuses a connection above maxConnections', async (t) => {
  const { attempt, ask } = await request(t, (app) => {
    record(app, 'lobby')
    return async (_, reply) => reply.relay('lobby')
  }, { maxConnections: 1 })
  await attempt
  const refused = await ask()
  t.match(refused, { status: 503, code: 'FST_WS_RELAY_OVERLOADED' })
  t.ok(refused.headers['retry-after'])
})
