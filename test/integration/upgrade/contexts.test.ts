// The AsyncLocalStorage context of code. A process runs in no request's context, even when a
// request or a socket wakes it. A request runs in its own. Tested with the plugins that people use
// for it.
import t from 'tap'
import { AsyncLocalStorage } from 'node:async_hooks'
import { fastifyRequestContext, requestContext } from '@fastify/request-context'
import { ROOT_CONTEXT, context, createContextKey } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { once } from 'node:events'
import { wsRelay } from '../../../lib/index.js'
import { Registration } from '../../../lib/registration/registration.js'
import { answer, bare, handshake, listen, open, raw, until } from '../../helpers.js'
import { buildRuntime } from '../../process/helpers.js'
import { Wire } from '../../process/remote/wire.js'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Test } from 'tap'
import type WebSocket from 'ws'
import type { WsRelayOptions } from '../../../types/relay.js'

declare module '@fastify/request-context' {
  interface RequestContextData { user: string }
}

/** Ways to put a request's user into its context, and to read it there. */
interface Tool {
  register (app: FastifyInstance): Promise<void>
  user (): string | undefined
}

const userOf = (request: FastifyRequest): string => String(request.headers['x-user'])

const manager = new AsyncLocalStorageContextManager()
context.setGlobalContextManager(manager.enable())
t.teardown(() => { context.disable() })
const userKey = createContextKey('user')
const store = new AsyncLocalStorage<string>()

const tools: Record<string, Tool> = {
  AsyncLocalStorage: {
    async register (app) {
      app.addHook('onRequest', (request, _, done) => { store.run(userOf(request), done) })
    },
    user: () => store.getStore()
  },
  '@fastify/request-context': {
    async register (app) {
      await app.register(
        fastifyRequestContext, { defaultStoreValues: (request) => ({ user: userOf(request) }) }
      )
    },
    user: () => requestContext.get('user')
  },
  OpenTelemetry: {
    async register (app) {
      app.addHook('onRequest', (request, _, done) => {
        context.with(ROOT_CONTEXT.setValue(userKey, userOf(request)), done)
      })
    },
    user: () => context.active().getValue(userKey) as string | undefined
  }
}

/** An application whose requests have a context. */
async function build (t: Test, tool: Tool, options: WsRelayOptions = {}): Promise<FastifyInstance> {
  const app = bare(t)
  await tool.register(app)
  await app.register(wsRelay, options)
  return app
}

for (const [name, tool] of Object.entries(tools)) {
  t.test(`handles messages of many requests in no request's context: ${name}`, async (t) => {
    const app = await build(t, tool)
    const seen: Array<[of: string, user: string | undefined]> = []
    app.processes.spawn<{ job: string }>(async (self) => {
      await self.serve({
        job: async (user, { reply }) => {
          seen.push([user, tool.user()])
          await new Promise((resolve) => { setImmediate(resolve) })
          seen.push([user, tool.user()])
          reply(user)
        }
      })
    }, { name: 'jobs' })
    const own: Array<[string, string | undefined]> = []
    app.post('/job', async (request) => {
      const user = await app.processes.call('jobs', 'job', userOf(request))
      own.push([user as string, tool.user()])
      return {}
    })
    const port = await listen(app)
    await Promise.all(
      ['ada', 'bob', 'eve'].map((user) =>
        fetch(`http://127.0.0.1:${port}/job`, { method: 'POST', headers: { 'x-user': user } })
      )
    )
    t.strictSame(seen.map(([, user]) => user), Array.from({ length: 6 }, () => undefined))
    t.strictSame(
      own.sort(),
      [
        ['ada', 'ada'],
        ['bob', 'bob'],
        ['eve', 'eve']
      ],
      'each request continues in its own context'
    )
  })

  t.test(`handles the messages of a connection in no request's context: ${name}`, async (t) => {
    for (const kind of ['served', 'looped', 'injected'] as const) {
      const app = await build(t, tool, { closeTimeout: 50 })
      const seen: Array<[topic: string, user: string | undefined]> = []
      // One process for each client, spawned by its upgrade, as in most applications.
      app.get('/', (request, reply) => {
        const pid = app.processes.spawn(async (self) => {
          seen.push(['start', tool.user()])
          self.signal.addEventListener('abort', () => { seen.push(['abort', tool.user()]) })
          const see = ({ topic }: { topic: string }): void => { seen.push([topic, tool.user()]) }
          if (kind === 'looped') {
            for await (const message of self.inbox) {
              see(message)
              if (message.topic === 'ws.leave') break
            }
          } else {
            await self.serve(
              {
                'ws.leave': (_, message) => {
                  see(message)
                  self.stop()
                }
              },
              see
            )
          }
          seen.push(['end', tool.user()])
        })
        reply.relay(pid, { heartbeat_interval: 100 }).send()
      })
      const port = await listen(app)
      const headers = { 'x-user': 'ada' }
      const client =
        kind === 'injected'
          ? await store.run('injector', () =>
            (
              app as unknown as { injectWS(path: string, upgrade: object): Promise<WebSocket> }
            ).injectWS('/', { headers })
          )
          : await open(t, `ws://127.0.0.1:${port}/`, { headers })
      client.send('hello')
      await until(
        () =>
          seen.some(([topic]) => topic === 'ws.heartbeat') &&
          seen.some(([topic]) => topic === 'ws.message')
      )
      client.close()
      await until(() => seen.some(([topic]) => topic === 'end'))
      t.strictSame(seen.filter(([, user]) => user !== undefined), [], kind)
      t.ok(seen.some(([topic]) => topic === 'abort') || kind === 'looped')
    }
  })

  t.test(`refuses a late upgrade in its own context: ${name}`, async (t) => {
    const app = await build(t, tool, { upgradeTimeout: 50 })
    const seen: Array<[of: string, where: string, user: string | undefined]> = []
    const see = (where: string) => async (request: FastifyRequest): Promise<void> => {
      seen.push([userOf(request), where, tool.user()])
    }
    app.addHook('onError', see('onError'))
    app.addHook('onSend', see('onSend'))
    app.get('/', () => new Promise(() => {}))
    const port = await listen(app)
    const users = ['ada', 'bob', 'eve']
    const texts = await Promise.all(
      users.map((user) => answer(t, port, handshake('/', { 'x-user': user })))
    )
    for (const text of texts) t.match(text, /^HTTP\/1\.1 503/)
    t.strictSame(
      seen.sort(),
      users.flatMap((user) => [
        [user, 'onError', user],
        [user, 'onSend', user]
      ])
    )
  })

  t.test(
    `refuses an upgrade in its own context when the application closes: ${name}`,
    async (t) => {
      const app = await build(t, tool)
      const seen: Array<string | undefined> = []
      app.addHook('onSend', async () => {
        seen.push(tool.user())
      })
      app.get('/', () => new Promise(() => {}))
      const port = await listen(app)
      const clients = ['ada', 'bob'].map((user) =>
        answer(t, port, handshake('/', { 'x-user': user }))
      )
      await until(() => Registration.of(app)!.relay.handshakes.size === 2)
      await app.close()
      await Promise.all(clients)
      t.strictSame(seen, ['ada', 'bob'])
    }
  )

  t.test(
    `does not route a pipelined upgrade in the context of the earlier request: ${name}`,
    async (t) => {
      const app = bare(t)
      const before: Array<string | undefined> = []
      app.addHook('onRequest', async () => {
        before.push(tool.user())
      })
      await tool.register(app)
      await app.register(wsRelay)
      const target = app.processes.spawn((self) => self.serve({}))
      app.get('/slow', async () => {
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
        return 'slow'
      })
      app.get('/', (_, reply) => {
        reply.relay(target).send()
      })
      const port = await listen(app)
      const client = (await raw(t, port)).write(
        `GET /slow HTTP/1.1\r\nhost: x\r\nx-user: ada\r\n\r\n${handshake('/', { 'x-user': 'bob' })}`
      )
      await client.until(/101 Switching/)
      t.strictSame(before, [undefined, undefined])
    }
  )

  t.test(`upgrades to a remote target in the request's own context: ${name}`, async (t) => {
    const app = bare(t)
    await tool.register(app)
    const seen: Array<[of: string, status: number, user: string | undefined]> = []
    // Declared before the plugin, so that later hooks run after the remote node has answered.
    app.get<{ Querystring: { target: string } }>('/', (request, reply) => {
      reply.header('x-ws-relay', request.query.target).send()
    })
    await app.register(wsRelay, { node: 'a', upgradeTimeout: 200 })
    app.addHook('onSend', async (request, reply) => {
      seen.push([userOf(request), reply.statusCode, tool.user()])
    })
    const { relay } = Registration.of(app)!
    const other = buildRuntime({ node: 'b' })
    const wire = new Wire()
    wire.join(relay.runtime)
    wire.join(other.runtime)
    const path = `/?target=${other.processes.spawn((self) => self.serve({}))}`
    const port = await listen(app)
    wire.hold()
    const leaver = (await raw(t, port)).write(handshake(path, { 'x-user': 'zoe' }))
    await until(() => relay.handshakes.size === 1)
    leaver.socket.destroy()
    await until(() => relay.handshakes.size === 0)
    const users = ['ada', 'bob', 'eve']
    await Promise.all(users.map((user) => answer(t, port, handshake(path, { 'x-user': user }))))
    t.strictSame(seen.sort(), [...users.map((user) => [user, 503, user]), ['zoe', 200, 'zoe']])
    wire.release()
  })
}

t.test('does not keep a request alive in the deadlines of connections', async (t) => {
  const app = await build(t, tools.AsyncLocalStorage, { pingInterval: 20 })
  const users: Array<string | undefined> = []
  const target = app.processes.spawn((self) => self.serve({}))
  app.get('/', (_, reply) => { reply.relay(target, { heartbeat_interval: 100 }).send() })
  const port = await listen(app)
  const client = await open(t, `ws://127.0.0.1:${port}/`, { headers: { 'x-user': 'ada' } })
  const { deadlines } = Registration.of(app)!.relay
  await once(client, 'ping')
  deadlines.schedule({ slot: undefined, due: () => { users.push(store.getStore()) } }, 1)
  await store.run('bob', async () => {
    deadlines.schedule(
      {
        slot: undefined,
        due: () => {
          users.push(store.getStore())
        }
      },
      1
    )
  })
  await until(() => users.length === 2)
  t.strictSame(users, [undefined, undefined])
})
