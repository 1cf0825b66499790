import t from 'tap'
import * as everything from '../lib/index.js'
import { bare, build, handshake, listen, raw, record } from './helpers.js'
import type { FastifyInstance } from 'fastify'

const { default: plugin, wsRelay, errorCodes, RelayConfigSchema, RelayControlSchema } = everything

t.test('exports the plugin as default, by name, and for require()', async (t) => {
  t.equal(plugin, wsRelay)
  t.equal((everything as Record<string, unknown>)['module.exports'], wsRelay)
  const properties = wsRelay as unknown as Record<string, unknown>
  for (const [name, value] of Object.entries(everything)) {
    if (name !== 'module.exports') t.equal(properties[name], value, name)
  }
  t.equal(RelayConfigSchema.type, 'object')
  t.equal(RelayControlSchema.type, 'object')
  t.equal(new errorCodes.FST_WS_RELAY_ORIGIN_NOT_ALLOWED().statusCode, 403)
})

t.test(
  'decorates the instance, the request and the reply, in its scope and inner ones',
  async (t) => {
    const app = await build(t)
    t.ok(app.hasPlugin('fastify-ws-relay'))
    t.equal(app.processes.node, 'local')
    app.register(async (scope) => {
      t.equal(scope.processes, app.processes)
      scope.get('/', async (request, reply) => ({
        upgradable: request.wsUpgradable,
        relay: typeof reply.relay
      }))
    })
    t.strictSame((await app.inject('/')).json(), { upgradable: false, relay: 'function' })
  }
)

t.test('throws when the application has a decorator of the same name', async (t) => {
  const arrangements: Array<(app: FastifyInstance) => void> = [
    (app) => { app.decorate('processes', {} as never) },
    (app) => { app.decorateRequest('wsUpgradable', true) },
    (app) => { app.decorateReply('relay', (() => {}) as never) }
  ]
  for (const arrange of arrangements) {
    const app = bare(t)
    arrange(app)
    await t.rejects(
      async () => {
        await app.register(wsRelay)
      },
      { code: 'FST_ERR_DEC_ALREADY_PRESENT' }
    )
  }
})

t.test('takes options in every form that register() accepts', async (t) => {
  const named: unknown[] = [
    'https://a.test',
    ['https://a.test'],
    { allowedOrigins: 'https://a.test' },
    () => 'https://a.test',
    () => ({ allowedOrigins: ['https://a.test'] })
  ]
  const ownOnly: unknown[] = ['', null, undefined, () => '', () => null]
  for (const [forms, allowed, refused] of [
    [named, 'https://a.test', 'https://b.test'],
    [ownOnly, 'http://relay.test', 'https://a.test']
  ] as const) {
    for (const options of forms) {
      const app = bare(t)
      await app.register(wsRelay, options as never)
      const target = record(app)
      app.get('/', async (_, reply) => {
        reply.relay(target.pid)
      })
      const port = await listen(app)
      const from = async (origin: string) =>
        await (await raw(t, port)).write(handshake('/', { origin })).until(/\r\n\r\n/)
      t.match(await from(allowed), /^HTTP\/1\.1 101 /)
      t.match(await from(refused), /^HTTP\/1\.1 403 /)
    }
  }
})

t.test('rejects a wrong option with a coded error', async (t) => {
  for (const options of [
    { bogus: 1 },
    { prefix: '/ws' },
    { maxPayload: NaN },
    'ftp://x',
    [1],
    42,
    new Set()
  ]) {
    await t.rejects(
      async () => {
        await bare(t).register(wsRelay, options as never)
      },
      { code: 'FST_WS_RELAY_INVALID_OPTIONS' }
    )
  }
})
