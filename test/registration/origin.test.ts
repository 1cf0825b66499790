// The check of an upgrade's origin, and the log of refused ones.
import t from 'tap'
import fc from 'fast-check'
import Fastify from 'fastify'
import { compileOrigins, RefusedOrigins } from '../../lib/registration/origin.js'
import { answer, build, handshake, listen, logs } from '../helpers.js'
import { recordingLogger } from '../process/helpers.js'

t.test('uses the forwarded host and scheme when Fastify trusts the proxy', async (t) => {
  for (const trustProxy of [true, false]) {
    const app = Fastify({ trustProxy })
    t.teardown(() => app.close())
    const check = compileOrigins(undefined)
    app.get('/', async (request) => ({ accepted: check(request) }))
    const response = await app.inject({
      url: '/',
      headers: {
        host: 'inner:3000',
        origin: 'https://app.example.com',
        'x-forwarded-host': 'app.example.com',
        'x-forwarded-proto': 'https'
      }
    })
    t.same(response.json(), { accepted: trustProxy })
  }
})

t.test('never accepts an origin outside the allowed names', async (t) => {
  const check = compileOrigins('https://app.example.com, b.example.org:8080, *.example.net')
  const names = ['app.example.com', 'b.example.org', '.example.net']
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().map((address) => `[${address}]`),
    fc.tuple(fc.constantFrom(...names), fc.string()).map(([name, end]) => name + end),
    fc
      .tuple(fc.string({ unit: 'binary' }), fc.constantFrom(...names))
      .map(([start, name]) => start + name),
    fc
      .array(
        fc.constantFrom(...names, 'evil', '.', '@', '/', '\\', '#', '?', ':', '\0', ' ', '%2e', '*')
      )
      .map((parts) => parts.join(''))
  )
  const origin = fc.oneof(
    fc.string(),
    fc.webUrl(),
    fc
      .tuple(
        fc.constantFrom('https', 'http', 'HTTPS', 'file', 'x'),
        host,
        fc.constantFrom('', ':443', ':8080', ':', '/', ',')
      )
      .map(([scheme, host, end]) => `${scheme}://${host}${end}`)
  )
  fc.assert(fc.property(origin, (origin) => {
    const accepted = check({ headers: { origin }, host: 'relay.test', protocol: 'http' })
    // Parsed without a URL parser: only a host may stand between "://" and the port.
    const [, seen = ''] = /^[a-z]+:\/\/([^/\\@#?%:\s\0,]*)(?::\d+)?$/i.exec(origin) ?? []
    const name = seen.toLowerCase()
    const mayPass =
      name === 'app.example.com' ||
      name === 'b.example.org' ||
      (name.endsWith('.example.net') && !name.startsWith('.'))
    return mayPass || !accepted
  }), { numRuns: 2000 })
})

t.test('matches origins of web views and extensions exactly', (t) => {
  const origins = [
    'capacitor://localhost',
    'ionic://localhost',
    'tauri://localhost',
    'app://obsidian.md',
    'vscode-webview://1abc',
    'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
    'moz-extension://6c0e4d6a-5f5b-4f0e-9d6e-2b1e6a1f7c11',
    'custom://host:8080'
  ]
  const ask = (allowed: string, origin: string) =>
    compileOrigins(allowed)({ headers: { origin }, host: 'relay.test', protocol: 'http' })
  for (const allowed of origins) {
    for (const origin of [
      ...origins,
      'http://localhost',
      'https://localhost',
      'capacitor://localhost:1',
      'capacitor://evil.localhost',
      'custom://host',
      'null'
    ]) {
      t.equal(ask(allowed, origin), origin === allowed, `${allowed} ${origin}`)
    }
    t.equal(ask(allowed.toUpperCase(), allowed), true, 'without regard to case')
    t.equal(ask(`${allowed}/`, allowed), true)
  }
  t.end()
})

t.test('allows any port only for loopback hosts, each for itself', (t) => {
  const ask = (allowed: string, origin: string) =>
    compileOrigins(allowed)({ headers: { origin }, host: 'relay.test', protocol: 'http' })
  const hosts = ['localhost', '127.0.0.1', '[::1]']
  for (const allowed of hosts) {
    for (const host of [...hosts, '127.0.0.2', 'evil.localhost', 'localhost.evil.test']) {
      for (const port of ['', ':80', ':443', ':1', ':5173', ':65535']) {
        for (const scheme of ['http', 'https']) {
          t.equal(ask(`${scheme}://${allowed}:*`, `${scheme}://${host}${port}`), host === allowed)
          t.equal(ask(`${allowed}:*`, `${scheme}://${host}${port}`), host === allowed)
        }
        t.equal(ask(`https://${allowed}:*`, `http://${host}${port}`), false)
      }
    }
  }
  t.equal(ask('http://localhost:*, *.example.com', 'http://a.example.com'), true)
  t.equal(ask('http://localhost:*, *.example.com', 'http://a.example.com:1'), false)
  t.end()
})

t.test('logs a refused origin once a minute, and at most 100 origins a minute', async (t) => {
  const { logger, lines } = recordingLogger()
  let now = 0
  const refused = new RefusedOrigins({ now: () => now })
  const refuse = (origin: string, at: number) => {
    now = at
    refused.logOnce({
      headers: { origin },
      host: 'relay.test',
      protocol: 'http',
      log: logger
    } as never)
    return lines.splice(0).map(({ level, args }) => {
      const { origin, ownOrigin } = args[0] as { origin: string, ownOrigin: string }
      return `${level} ${origin} ${ownOrigin}`
    })
  }
  t.strictSame(refuse('https://a.test', 0), ['warn https://a.test http://relay.test'])
  t.strictSame(refuse('https://a.test', 59_999), [])
  t.strictSame(refuse('https://b.test', 59_999), ['warn https://b.test http://relay.test'])
  t.strictSame(refuse('https://a.test', 60_000), ['warn https://a.test http://relay.test'])
  let count = 0
  for (let i = 0; i < 1000; i++) count += refuse(`https://${i}.test`, 60_000).length
  t.equal(count, 98, '100 with the two that are remembered')
  t.equal(refuse('https://late.test', 119_999).length, 1, 'the oldest origins are forgotten first')
  t.equal(refuse('https://later.test', 119_999).length, 0)
  t.ok(refuse('x'.repeat(10_000), 200_000)[0].length < 200)
})

t.test(
  "logs the origin of a refused upgrade, the server's own origin, and how to allow it",
  async (t) => {
    const { logger, lines } = logs('warn')
    const app = await build(t, {}, { logger })
    app.get('/', async () => t.fail('the upgrade must be refused'))
    const port = await listen(app)
    for (let i = 0; i < 3; i++) {
      t.match(
        await answer(t, port, handshake('/', { origin: 'https://relay.test' })),
        /^HTTP\/1\.1 403 /
      )
    }
    t.equal(lines.length, 1)
    t.match(lines[0], {
      level: 40,
      origin: 'https://relay.test',
      ownOrigin: 'http://relay.test',
      msg: /allowedOrigins.*trustProxy/
    })
  }
)
