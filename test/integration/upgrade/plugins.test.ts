// Beside the plugins that most applications have.
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import autoload from '@fastify/autoload'
import compress from '@fastify/compress'
import cookie from '@fastify/cookie'
import etag from '@fastify/etag'
import helmet from '@fastify/helmet'
import { wsRelay } from '../../../lib/index.js'
import { answer, bare, handshake, listen, open, raw, record } from '../../helpers.js'
import { modulePath } from '../../program.js'
import type { FastifyInstance, FastifyReply } from 'fastify'

type WithCookie = FastifyReply & { setCookie (name: string, value: string): FastifyReply }

function routes (app: FastifyInstance): void {
  const target = record(app)
  app.get('/', async (_, reply) => {
    (reply as WithCookie).setCookie?.('session', 'abc')
    reply.relay(target.pid)
    return { a: 'body '.repeat(1000) }
  })
  app.get('/dead', async (_, reply) => {
    (reply as WithCookie).setCookie?.('session', 'abc')
    reply.relay('nobody')
    return { a: 'body '.repeat(1000) }
  })
}

t.test('cookies of @fastify/cookie are on the 101, registered before or after', async (t) => {
  for (const plugins of [[cookie, wsRelay], [wsRelay, cookie]]) {
    const app = bare(t)
    for (const plugin of plugins) await app.register(plugin as typeof wsRelay)
    routes(app)
    const text = await (await raw(t, await listen(app))).write(handshake()).until(/\r\n\r\n/)
    t.match(text, /^HTTP\/1\.1 101 /)
    t.match(text, /^set-cookie: session=abc;?.*\r$/m)
  }
})

t.test('helmet, compress and etag together', async (t) => {
  for (const plugins of [[helmet, compress, etag, wsRelay], [wsRelay, helmet, compress, etag]]) {
    const app = bare(t)
    for (const plugin of plugins) await app.register(plugin as typeof wsRelay)
    routes(app)
    const port = await listen(app)
    const text = await (await raw(t, port)).write(handshake('/', { 'accept-encoding': 'gzip' })).until(/\r\n\r\n/)
    t.match(text, /^HTTP\/1\.1 101 /)
    t.match(text, /^strict-transport-security: /im)
    t.match(text, /^content-security-policy: /m)
    t.notMatch(text, /^(content-(type|encoding|length)|etag|transfer-encoding): /im)
    t.equal(text.match(/^connection: /gim)?.length, 1)

    const refused = await answer(t, port, handshake('/dead', { 'accept-encoding': 'identity' }))
    t.match(refused, /^HTTP\/1\.1 503 [^]*FST_WS_RELAY_TARGET_NOT_ALIVE/)
    t.match(refused, /^strict-transport-security: /im)
    t.notMatch(refused, /^content-encoding: /im)
    const plain = await app.inject({ url: '/', headers: { 'accept-encoding': 'gzip' } })
    t.equal(plain.statusCode, 426)

    const client = await open(t, `ws://127.0.0.1:${port}/`)
    client.send('hello')
    t.equal(String((await once(client, 'message'))[0]), 'hello')
  }
})

t.test('@fastify/autoload registers it from a file, with an object', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ws-relay-autoload-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const entry = pathToFileURL(modulePath('lib/index.ts'))
  const source = `export { default, autoConfig } from '${pathToFileURL(join(folder, 'shared.mjs'))}'`
  await writeFile(join(folder, 'shared.mjs'), `import relay from '${entry}'\nexport default relay\nexport const autoConfig = { maxPayload: 10 }\n`)
  await mkdir(join(folder, 'flat'))
  await writeFile(join(folder, 'flat', 'relay.mjs'), source)
  await mkdir(join(folder, 'nested', 'relay'), { recursive: true })
  await writeFile(join(folder, 'nested', 'relay', 'index.mjs'), source)

  const load = async (dir: string): Promise<FastifyInstance> => {
    const app = bare(t)
    await app.register(autoload, { dir: join(folder, dir), forceESM: true, options: { allowedOrigins: 'https://a.test' } })
    return app
  }
  await t.rejects(load('nested'), { code: 'FST_WS_RELAY_INVALID_OPTIONS', message: /'prefix' prefixes nothing here/ }, "a folder's name is a prefix")
  await mkdir(join(folder, 'overridden', 'relay'), { recursive: true })
  await writeFile(join(folder, 'overridden', 'relay', 'index.mjs'), `${source}\nexport const prefixOverride = ''`)
  for (const dir of ['flat', 'overridden']) {
    const app = await load(dir)
    routes(app)
    const port = await listen(app)
    const client = await open(t, `ws://127.0.0.1:${port}/`, { origin: 'https://a.test' })
    const closed = once(client, 'close')
    client.send('more than ten bytes')
    t.equal((await closed)[0], 1009, dir)
  }
})
