// The plugin together with plugins that most applications use.
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
import httpProxy from '@fastify/http-proxy'
import replyFrom from '@fastify/reply-from'
import { WebSocketServer } from 'ws'
import { wsRelay } from '../../../lib/index.js'
import { answer, bare, handshake, listen, open, raw, record } from '../../helpers.js'
import { modulePath } from '../../program.js'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Test } from 'tap'

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

t.test('puts cookies of @fastify/cookie on the 101, in both orders of registration', async (t) => {
  for (const plugins of [[cookie, wsRelay], [wsRelay, cookie]]) {
    const app = bare(t)
    for (const plugin of plugins) await app.register(plugin as typeof wsRelay)
    routes(app)
    const text = await (await raw(t, await listen(app))).write(handshake()).until(/\r\n\r\n/)
    t.match(text, /^HTTP\/1\.1 101 /)
    t.match(text, /^set-cookie: session=abc;?.*\r$/m)
  }
})

t.test('upgrades beside helmet, compress and etag', async (t) => {
  for (const plugins of [[helmet, compress, etag, wsRelay], [wsRelay, helmet, compress, etag]]) {
    const app = bare(t)
    for (const plugin of plugins) await app.register(plugin as typeof wsRelay)
    routes(app)
    const port = await listen(app)
    const text = await (
      await raw(t, port)
    )
      .write(handshake('/', { 'accept-encoding': 'gzip' }))
      .until(/\r\n\r\n/)
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

t.test('takes an options object from @fastify/autoload', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ws-relay-autoload-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const entry = pathToFileURL(modulePath('lib/index.ts'))
  const source = `export { default, autoConfig } from '${pathToFileURL(join(folder, 'shared.mjs'))}'`
  await writeFile(
    join(folder, 'shared.mjs'),
    `import relay from '${entry}'\nexport default relay\nexport const autoConfig = { maxPayload: 10 }\n`
  )
  await mkdir(join(folder, 'flat'))
  await writeFile(join(folder, 'flat', 'relay.mjs'), source)
  await mkdir(join(folder, 'nested', 'relay'), { recursive: true })
  await writeFile(join(folder, 'nested', 'relay', 'index.mjs'), source)

  const load = async (dir: string): Promise<FastifyInstance> => {
    const app = bare(t)
    await app.register(autoload, {
      dir: join(folder, dir),
      forceESM: true,
      options: { allowedOrigins: 'https://a.test' }
    })
    return app
  }
  await t.rejects(
    load('nested'),
    { code: 'FST_WS_RELAY_INVALID_OPTIONS', message: /'prefix' has no effect.*@fastify\/autoload/ },
    "a folder's name is a prefix"
  )
  await mkdir(join(folder, 'overridden', 'relay'), { recursive: true })
  await writeFile(
    join(folder, 'overridden', 'relay', 'index.mjs'),
    `${source}\nexport const prefixOverride = ''`
  )
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

/** A server whose replies all have the header, with `victim` as target. */
async function hostile (t: Test, victim: string): Promise<string> {
  const upstream = bare(t)
  upstream.get('/*', async (_, reply) =>
    reply.headers({ 'X-WS-Relay': victim, 'x-other': 'kept' }).send('from upstream')
  )
  return `http://127.0.0.1:${await listen(upstream)}`
}

t.test(
  'opens no socket for the header of an upstream server, unless the route allows it',
  async (t) => {
    const plugins: Record<string, (app: FastifyInstance, upstream: string) => Promise<void>> = {
      'reply.from, registered before': async (app, base) => {
        await app.register(replyFrom, { base })
        await app.register(wsRelay)
      },
      'reply.from, registered after': async (app, base) => {
        await app.register(wsRelay)
        await app.register(replyFrom, { base })
      },
      'reply.from in an earlier child scope': async (app, base) => {
        await app.register(async (scope) => {
          await scope.register(replyFrom, { base })
          scope.get('/child', (_, reply) => reply.from('/'))
        })
        await app.register(wsRelay)
        await app.register(replyFrom, { base })
      },
      'a hook before the plugin': async (app, base) => {
        await app.register(replyFrom, { base })
        app.addHook('onRequest', (request, reply, done) => {
          if (request.url === '/hook') reply.from('/')
          else done()
        })
        await app.register(wsRelay)
      }
    }
    for (const [what, register] of Object.entries(plugins)) {
      await t.test(what, async (t) => {
        const app = bare(t)
        const upstream = await hostile(t, 'victim')
        await register(app, upstream)
        const target = record(app, 'victim')
        app.get('/', (_, reply) => {
          reply.from('/')
        })
        app.get('/ours', async (_, reply) => reply.relay(target.pid).send())
        app.get('/trusted', { config: { wsRelay: { proxied: true } } }, (_, reply) => {
          reply.from('/')
        })
        app.get('/untrusted', { config: { wsRelay: { proxied: false } } }, (_, reply) => {
          reply.from('/')
        })
        await app.register(httpProxy, { upstream, prefix: '/proxy' })
        await app.register(httpProxy, {
          upstream,
          prefix: '/trusted-proxy',
          config: { wsRelay: { proxied: true } }
        })
        const port = await listen(app)
        for (const path of ['/hook', '/child', '/', '/untrusted', '/proxy/x', '/']) {
          if (
            path.length > 2 &&
            !/\/(proxy|untrusted)/.test(path) &&
            !what.includes(path.slice(1))
          ) {
            continue
          }
          const text = await answer(t, port, handshake(path))
          t.match(text, /^HTTP\/1\.1 200 [^]*x-other: kept[^]*from upstream/, path)
          t.notMatch(text, /x-ws-relay/i)
          const plain = await app.inject(path)
          t.equal(plain.body, 'from upstream')
          t.notOk('x-ws-relay' in plain.headers)
        }
        t.equal(app.processes.stats().spawned, 1, 'no connection')
        for (const path of ['/ours', '/trusted', '/trusted-proxy/x']) {
          t.match(
            await (await raw(t, port)).write(handshake(path)).until(/\r\n\r\n/),
            /^HTTP\/1\.1 101 /,
            path
          )
        }
      })
    }
  }
)

t.test('relays beside @fastify/http-proxy with websocket: true', async (t) => {
  const upstream = bare(t)
  const port = await listen(upstream)
  const server = new WebSocketServer({ server: upstream.server })
  server.on('connection', (socket) => {
    socket.on('message', (data) => {
      socket.send(`upstream ${String(data)}`)
    })
  })
  for (const order of ['before', 'after'] as const) {
    await t.test(`${order} the plugin`, async (t) => {
      const app = bare(t)
      if (order === 'after') await app.register(wsRelay)
      await app.register(httpProxy, { upstream: `http://127.0.0.1:${port}`, websocket: true })
      if (order === 'before') await app.register(wsRelay)
      const target = record(app)
      app.get('/sync', (_, reply) => { reply.relay(target.pid).send() })
      app.get('/async', async (_, reply) => {
        await new Promise(setImmediate)
        return reply.relay(target.pid).send()
      })
      app.get('/refused', async (_, reply) => {
        await new Promise(setImmediate)
        return reply.code(403).send('no')
      })
      const own = await listen(app)
      for (const [path, expected] of [['/sync', ''], ['/async', ''], ['/proxied', 'upstream ']]) {
        const client = await open(t, `ws://127.0.0.1:${own}${path}`)
        for (const text of ['one', 'two', 'three']) {
          client.send(text)
          t.equal(String((await once(client, 'message'))[0]), expected + text, path)
        }
        client.close()
        await once(client, 'close')
      }
      t.match(await answer(t, own, handshake('/refused')), /^HTTP\/1\.1 403 [^]*no$/)
      const pipelined = await raw(t, own)
      await pipelined
        .write(`GET /refused HTTP/1.1\r\nhost: relay.test\r\n\r\n${handshake('/async')}`)
        .until(/403[^]*101/)
      t.equal(target.received.filter(({ topic }) => topic === 'ws.join').length, 3)
    })
  }
  for (const client of server.clients) client.terminate()
  server.close()
})
