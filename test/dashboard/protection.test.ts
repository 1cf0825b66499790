import t from 'tap'
import WebSocket from 'ws'
import { connect } from '../../lib/client/index.js'
import { dashboard, showNode } from '../../lib/dashboard/index.js'
import { requireLocal } from '../../lib/dashboard/protection.js'
import { answer, bare, build, handshake, listen, openSockets } from '../helpers.js'
import { allowAll, buildDashboard, openPage } from './support.js'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Test } from 'tap'

const invalid = { code: 'FST_WS_RELAY_INVALID_OPTIONS' }
const paths = ['/processes', '/processes/', '/processes/page.js', '/processes/socket']

t.test('does not register without a hook of its own', async (t) => {
  for (const options of [{}, { onRequest: [] }, { preHandler: [] }, { unprotected: false }]) {
    const app = await build(t)
    // The hooks of an outer scope may be meant for something else.
    app.addHook('onRequest', allowAll)
    app.addHook('preHandler', allowAll)
    await t.rejects(async () => { await app.register(dashboard, options) }, {
      ...invalid, message: /needs 'onRequest' or 'preHandler' of its own/
    })
  }
})

t.test('registers with one hook of either kind', async (t) => {
  for (const options of [{ onRequest: allowAll }, { preHandler: [allowAll] }]) {
    const app = await build(t)
    await app.register(dashboard, { prefix: '/processes', ...options })
    t.equal((await app.inject('/processes')).statusCode, 200)
  }
})

t.test('refuses options that it does not know, and values of another type', async (t) => {
  const wrong: Array<[object, RegExp]> = [
    [{ action: [] }, /no option 'action'/],
    [{ actions: ['restart'] }, /'actions' must be false or an array of close, exit/],
    [{ actions: true }, /'actions' must be/],
    [{ onRequest: 'auth' }, /'onRequest' must be a function or an array of functions/],
    [{ preHandler: [1] }, /'preHandler' must be/],
    [{ unprotected: 'yes' }, /'unprotected' must be a boolean/]
  ]
  for (const [options, message] of wrong) {
    const app = await build(t)
    await t.rejects(
      async () => { await app.register(dashboard, { onRequest: allowAll, ...options } as never) },
      { ...invalid, message }
    )
  }
})

t.test('does not register before the plugin of the relay', async (t) => {
  const app = bare(t)
  await t.rejects(
    async () => { await app.register(dashboard, { onRequest: allowAll }) },
    { ...invalid, message: /register fastify-ws-relay before it/ }
  )
  t.throws(() => { showNode({} as never) }, invalid)
})

t.test('runs its hooks for the page, its files and its sockets', async (t) => {
  const auth = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (request.headers.authorization !== 'Bearer me') await reply.code(401).send('no')
  }
  for (const options of [{ onRequest: auth }, { onRequest: undefined, preHandler: auth }]) {
    const app = await buildDashboard(t, options)
    const port = await listen(app)
    for (const path of paths) {
      const { statusCode, headers } = await app.inject(path)
      t.equal(statusCode, 401, path)
      t.match(headers['content-security-policy'], /^default-src 'self';/)
    }
    t.match(await answer(t, port, handshake('/processes/socket')), /^HTTP\/1.1 401/)
    const page = await openPage(t, port, { headers: { authorization: 'Bearer me' } })
    t.match(await page.next('hello'), { version: 1 })
    await page.close()
    // A socket that comes back is a new request.
    t.match(await answer(t, port, handshake('/processes/socket')), /^HTTP\/1.1 401/)
  }
})

t.test('sends headers that forbid frames, inline scripts and other sites', async (t) => {
  const app = await buildDashboard(t)
  for (const path of paths.slice(0, 3)) {
    const { headers } = await app.inject(path)
    t.match(headers, {
      'content-security-policy': "default-src 'self'; base-uri 'self'; form-action 'none'; " +
        "object-src 'none'; frame-ancestors 'none'",
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin'
    }, path)
  }
  const page = (await app.inject('/processes')).body
  t.notMatch(page, /<script(?![^>]*\bsrc=)/, 'no inline script')
  t.notMatch(page, /\son\w+=|javascript:|<style|\sstyle=/, 'and nothing else that is inline')
})

t.test('opens its socket for pages of its own origin only, whatever its scope allows', async (t) => {
  const app = await buildDashboard(t, {}, { allowedOrigins: '*', forwardTopics: false })
  const port = await listen(app)
  const origin = { origin: 'https://evil.test' }
  t.match(await answer(t, port, handshake('/processes/socket', origin)), /^HTTP\/1.1 403/)
  t.match(await answer(t, port, handshake('/processes/socket', { origin: 'null' })),
    /^HTTP\/1.1 403/)
  const page = await openPage(t, port, { headers: { origin: `http://127.0.0.1:${port}` } })
  t.match(await page.next('hello'), { version: 1 })
})

t.test('inherits no origins that its scope lists', async (t) => {
  const app = await buildDashboard(t, {}, { allowedOrigins: 'https://app.test' })
  const port = await listen(app)
  const origin = { origin: 'https://app.test' }
  t.match(await answer(t, port, handshake('/processes/socket', origin)), /^HTTP\/1.1 403/)
})

t.test('resumes no session, even where its scope does', async (t) => {
  const app = await buildDashboard(t, {}, { resume: true })
  const port = await listen(app)
  const sockets: WebSocket[] = []
  class Recorded extends WebSocket {
    constructor (url: string, protocols: string[]) {
      super(url, protocols)
      sockets.push(this)
    }
  }
  const client = connect(`ws://127.0.0.1:${port}/processes/socket`, {
    WebSocket: Recorded as never, backoff: { min: 1, max: 1 }
  })
  t.teardown(() => { client.close() })
  const reset = new Promise((resolve) => { client.on('reset', resolve) })
  client.on('state', ({ state }) => { if (state === 'open') sockets[0].terminate() })
  t.match(await reset, { why: 'off' })
  t.equal(app.processes.stats().connections.suspended, 0)
})

t.test('each socket lives for an hour at most, and sends a limited number of messages', async (t) => {
  const app = await build(t)
  const configs: object[] = []
  app.addHook('preHandler', async (_request, reply) => {
    const { relay } = reply as { relay: (body: unknown, config: object) => unknown }
    Object.assign(reply, {
      relay: (body: unknown, config: object) => {
        configs.push(config)
        return relay.call(reply, body, config)
      }
    })
  })
  await app.register(dashboard, { prefix: '/processes', onRequest: allowAll })
  const page = await openPage(t, await listen(app))
  await page.next('hello')
  t.match(configs, [{ expires_in: '1h', limit: { messages: '20/s' } }])
})

t.test('has no way but the socket to change anything', async (t) => {
  const app = await buildDashboard(t, { actions: ['exit'] })
  const pid = app.processes.spawn(async function victim (self) { await self.serve({}) })
  const request = { action: 'exit', id: 1, pid }
  for (const path of paths) {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'] as const) {
      t.equal((await app.inject({ method, url: path, payload: request })).statusCode, 404, path)
    }
  }
  const query = new URLSearchParams({ ...request, id: '1' }).toString()
  await app.inject(`/processes?${query}`)
  t.equal((await app.inject(`/processes/socket?${query}`)).statusCode, 426)
  t.equal(app.processes.alive(pid), true)
})

/** An application whose dashboard has no hooks. */
async function buildUnprotected (t: Test) {
  return await buildDashboard(t, { onRequest: undefined, unprotected: true })
}

t.test('without protection it answers requests of this computer', async (t) => {
  const app = await buildUnprotected(t)
  const hosts = ['localhost', 'LOCALHOST:80', '127.0.0.1:3000', '127.1.2.3', '[::1]:3000', '[::1]']
  for (const host of hosts) {
    const { statusCode } = await app.inject({ url: '/processes', headers: { host } })
    t.equal(statusCode, 200, host)
  }
  for (const remoteAddress of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) {
    const { statusCode } = await app.inject({ url: '/processes', remoteAddress })
    t.equal(statusCode, 200, remoteAddress)
  }
  const page = await openPage(t, await listen(app))
  t.match(await page.next('hello'), { version: 1 })
})

t.test('without protection it answers no request of another computer', async (t) => {
  const app = await buildUnprotected(t)
  for (const remoteAddress of ['10.0.0.1', '::ffff:10.0.0.1', '2001:db8::1', '1127.0.0.1']) {
    for (const url of paths) {
      const response = await app.inject({ url, remoteAddress })
      t.equal(response.statusCode, 403, `${url} from ${remoteAddress}`)
      t.equal(response.json().code, 'FST_WS_RELAY_NOT_LOCAL')
    }
  }
})

t.test('without protection it is safe from DNS rebinding', async (t) => {
  const app = await buildUnprotected(t)
  const port = await listen(app)
  const foreign = [
    'evil.test', `evil.test:${port}`, 'localhost.evil.test', '127.0.0.1.evil.test', 'xlocalhost',
    '10.0.0.1', '[::2]', 'localhost:1:2', ''
  ]
  for (const host of foreign) {
    // The page of the rebound name has the same origin as the host that it asks for.
    const socket = handshake('/processes/socket', { host, origin: `http://${host}` })
    t.match(await answer(t, port, socket), /^HTTP\/1.1 (403|400)/, host)
    const page = `GET /processes HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
    t.match(await answer(t, port, page), /^HTTP\/1.1 403/, host)
  }
  t.equal(openSockets(app), 0)
})

t.test('without protection it refuses what came through a proxy on this computer', async (t) => {
  const app = await buildDashboard(
    t, { onRequest: undefined, unprotected: true }, {}, { trustProxy: true }
  )
  const port = await listen(app)
  const signs = {
    forwarded: 'for=10.0.0.1',
    via: '1.1 proxy',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-host': 'localhost',
    'x-forwarded-proto': 'https',
    'x-forwarded-anything': '',
    'x-real-ip': '127.0.0.1'
  }
  for (const [name, value] of Object.entries(signs)) {
    for (const url of paths) {
      const response = await app.inject({ url, headers: { [name]: value } })
      t.equal(response.statusCode, 403, `${url} with ${name}`)
    }
    const socket = handshake('/processes/socket', { host: 'localhost', [name]: value })
    t.match(await answer(t, port, socket), /^HTTP\/1.1 403/, name)
  }
  const old = 'GET /processes HTTP/1.0\r\nHost: localhost\r\n\r\n'
  t.match(await answer(t, port, old), /^HTTP\/1.1 403/, 'some proxies use HTTP/1.0')
})

t.test('without protection it knows the host of HTTP/2, and needs a peer', (t) => {
  const statusOf = (raw: object): unknown => {
    let status: unknown
    requireLocal({ raw } as never, {} as never, (err) => {
      status = (err as { statusCode?: number } | undefined)?.statusCode
    })
    return status
  }
  const socket = { remoteAddress: '::1' }
  const of = (authority: string) => ({ httpVersion: '2.0', headers: { ':authority': authority } })
  t.equal(statusOf({ socket, ...of('localhost') }), undefined)
  t.equal(statusOf({ socket, ...of('evil.test') }), 403)
  t.equal(statusOf({ socket: {}, ...of('localhost') }), 403, 'a socket file has no peer')
  t.end()
})
