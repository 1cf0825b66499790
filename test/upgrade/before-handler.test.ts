// docs/upgrades.md, "From request to socket": refusals before the handler, over raw sockets.
import t from 'tap'
import { answer, build, handshake, key, listen, open, raw, record } from '../helpers.js'
import { codeOf, statusOf } from './support.js'
import type { Process } from '../../types/processes.js'
import type { WsRelayOptions } from '../../types/relay.js'

interface Before {
  what: string
  /** The headers of the upgrade; a header that is undefined is left out. */
  headers?: Record<string, string | string[] | undefined>
  line?: string
  options?: WsRelayOptions
  status: number
  code?: string
  has?: RegExp
}

t.test('refuses invalid upgrades before the handler', async (t) => {
  const cases: Before[] = [
    {
      what: 'another method',
      line: 'POST / HTTP/1.1',
      status: 405,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE',
      has: /^allow: GET\r$/m
    },
    {
      what: 'another method with a body',
      line: 'PUT / HTTP/1.1',
      headers: { 'content-length': '3' },
      status: 405,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'no key',
      headers: { 'sec-websocket-key': undefined },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'an empty key',
      headers: { 'sec-websocket-key': '' },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'a key that is too short',
      headers: { 'sec-websocket-key': 'abc' },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'a key that is too long',
      headers: { 'sec-websocket-key': `AAAA${key}` },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'a key that is not base64',
      headers: { 'sec-websocket-key': `${key.slice(0, 20)}!_==` },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'two keys',
      headers: { 'sec-websocket-key': [key, key] },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'a body',
      headers: { 'content-length': '3' },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    {
      what: 'a body in chunks',
      headers: { 'transfer-encoding': 'chunked' },
      status: 400,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE'
    },
    { what: 'HTTP/1.0', line: 'GET / HTTP/1.0', status: 400, code: 'FST_WS_RELAY_BAD_HANDSHAKE' },
    ...['8', '12', '14', '013', '13.0', '', 'latest'].map((version) => ({
      what: `version '${version}'`,
      headers: { 'sec-websocket-version': version },
      status: 426,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE',
      has: /^sec-websocket-version: 13\r$/m
    })),
    {
      what: 'two versions',
      headers: { 'sec-websocket-version': ['13', '13'] },
      status: 426,
      has: /^sec-websocket-version: 13\r$/m
    },
    {
      what: 'no version',
      headers: { 'sec-websocket-version': undefined },
      status: 426,
      code: 'FST_WS_RELAY_BAD_HANDSHAKE',
      has: /^sec-websocket-version: 13\r$/m
    },
    {
      what: 'another origin',
      headers: { origin: 'https://evil.test' },
      status: 403,
      code: 'FST_WS_RELAY_ORIGIN_NOT_ALLOWED'
    },
    {
      what: 'an opaque origin',
      headers: { origin: 'null' },
      status: 403,
      code: 'FST_WS_RELAY_ORIGIN_NOT_ALLOWED'
    },
    {
      what: 'an origin that is not listed',
      headers: { origin: 'https://evil.test' },
      options: { allowedOrigins: 'https://app.test' },
      status: 403,
      code: 'FST_WS_RELAY_ORIGIN_NOT_ALLOWED'
    }
  ]
  for (const { what, headers, line, options, status, code, has = /(?:)/ } of cases) {
    await t.test(what, async (t) => {
      const app = await build(t, options)
      let ran = false
      app.route({ method: ['GET', 'POST', 'PUT'], url: '/', handler: async () => { ran = true } })
      const text = await answer(t, await listen(app), handshake('/', headers, line))
      t.equal(statusOf(text), status)
      if (code !== undefined) t.equal(codeOf(text), code)
      t.match(text, has)
      t.match(text, /^connection: close\r$/im)
      t.notOk(ran, 'no handler ran for a refused request')
      t.equal(app.processes.stats().spawned, 0)
    })
  }

  await t.test('without a Host header', async (t) => {
    const app = await build(t, {}, { http: { requireHostHeader: false } })
    app.get('/', async () => t.fail('no handler ran for a refused request'))
    const text = await answer(t, await listen(app), handshake('/', { host: undefined }))
    t.equal(statusOf(text), 400)
    t.equal(codeOf(text), 'FST_WS_RELAY_BAD_HANDSHAKE')
  })

  await t.test('at maxConnections', async (t) => {
    const app = await build(t, { maxConnections: 1 })
    const target = record(app)
    let runs = 0
    app.get('/', async (request, reply) => { runs++; reply.relay(target.pid) })
    const port = await listen(app)
    await open(t, `ws://127.0.0.1:${port}/`)
    const text = await answer(t, port, handshake())
    t.equal(statusOf(text), 503)
    t.equal(codeOf(text), 'FST_WS_RELAY_OVERLOADED')
    t.match(text, /^retry-after: \d+\r$/m)
    t.equal(runs, 1)
  })

  for (const what of ['process', 'process of its own']) {
    await t.test(`at maxConnections when the handler has replied with a ${what}`, async (t) => {
      const app = await build(t, { maxConnections: 1 })
      const target = record(app)
      const go: Array<() => void> = []
      app.get('/', async (request, reply) => {
        await new Promise<void>((resolve) => { go.push(resolve) })
        if (what === 'process') reply.relay(target.pid)
        else reply.relay((self: Process) => self.serve({}))
      })
      const port = await listen(app)
      const first = (await raw(t, port)).write(handshake())
      const second = (await raw(t, port)).write(handshake())
      while (go.length < 2) await new Promise(setImmediate)
      for (const resolve of go) resolve()
      const texts = await Promise.all([first.until(/\r\n\r\n/), second.until(/\r\n\r\n/)])
      const [up, refused] = texts.sort()
      t.equal(statusOf(up), 101)
      t.equal(statusOf(refused), 503)
      t.match(refused, /^retry-after: \d+\r$/m)
      t.equal(app.processes.stats().alive, what === 'process' ? 2 : 3)
    })
  }

  await t.test('at maxHandshakes', async (t) => {
    const app = await build(t, { maxHandshakes: 1 })
    const target = record(app)
    const go = resolvers()
    const begun = resolvers()
    app.get('/', async (request, reply) => {
      begun.resolve()
      await go.promise
      reply.relay(target.pid)
    })
    const port = await listen(app)
    const first = (await raw(t, port)).write(handshake())
    await begun.promise
    const text = await answer(t, port, handshake())
    t.equal(statusOf(text), 503)
    t.equal(codeOf(text), 'FST_WS_RELAY_OVERLOADED')
    t.match(text, /^retry-after: \d+\r$/m)
    go.resolve()
    await first.until(/^HTTP\/1\.1 101 /)
    t.equal(
      statusOf(await (await raw(t, port)).write(handshake()).until(/\r\n\r\n/)),
      101,
      'there is room again'
    )
  })
})

function resolvers (): { promise: Promise<void>, resolve: () => void } {
  let resolve: () => void
  const promise = new Promise<void>((_resolve) => { resolve = _resolve })
  return { promise, resolve: resolve! }
}
