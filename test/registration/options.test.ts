import t from 'tap'
import { normalizeOptions, overrideSettings } from '../../lib/registration/options.js'

const defaults = {
  route: {
    allowedOrigins: undefined,
    maxPayload: 1048576,
    maxBufferedAmount: 1048576,
    overflow: 'close',
    forwardTopics: true,
    maxConfigSize: 8192,
    maxMetadataSize: 4096
  },
  server: {
    upgradeTimeout: 10_000,
    maxHandshakes: 1000,
    maxConnections: Infinity,
    maxSuspended: 10_000,
    maxResumeBytes: 256 * 1024 * 1024,
    pingInterval: 30_000,
    pongTimeout: 30_000,
    closeTimeout: 5000,
    drain: 0,
    perMessageDeflate: false,
    mailboxLimit: 10_000,
    mailboxBytes: 16777216,
    keepEnds: 512,
    node: 'local',
    websocket: {}
  }
}

/** Whether the options allow an origin. */
function lets (input: unknown, origin: string): boolean {
  return normalizeOptions(input).route.originAllowed({
    headers: { origin },
    host: 'own.test',
    protocol: 'https'
  })
}

t.test('gives every option its documented default', async (t) => {
  for (const input of [
    undefined,
    null,
    {},
    '',
    [],
    { allowedOrigins: undefined, node: undefined }
  ]) {
    const { route, server } = normalizeOptions(input)
    const { originAllowed, ...rest } = route
    t.match({ ...rest, allowedOrigins: undefined }, defaults.route)
    t.strictSame(server, defaults.server)
  }
  t.strictSame(normalizeOptions({ node: 'a' }).given, { node: 'a' })
  t.strictSame(normalizeOptions({}).given, {})
})

t.test('takes origins in every form', async (t) => {
  for (const input of [
    'https://a.test, b.test',
    ['https://a.test', 'b.test'],
    { allowedOrigins: 'https://a.test,b.test' },
    { allowedOrigins: [' https://a.test ', 'b.test'] }
  ]) {
    t.ok(lets(input, 'https://a.test'))
    t.ok(lets(input, 'http://b.test'))
    t.ok(lets(input, 'https://own.test'))
    t.notOk(lets(input, 'https://c.test'))
  }
})

t.test('allows only the own origin when no origins are given, in every form', async (t) => {
  for (const input of [
    '',
    ' ',
    ',',
    ' , ',
    [],
    [''],
    null,
    undefined,
    {},
    { allowedOrigins: '' },
    { allowedOrigins: [] },
    { allowedOrigins: undefined }
  ]) {
    t.ok(lets(input, 'https://own.test'), JSON.stringify(input))
    t.notOk(lets(input, 'https://a.test'))
    t.notOk(lets(input, 'null'))
  }
})

t.test('takes durations as numbers or strings', async (t) => {
  t.match(
    normalizeOptions({
      upgradeTimeout: 1,
      pingInterval: 0,
      pongTimeout: '1m30s',
      closeTimeout: '1.5h'
    }).server,
    {
      upgradeTimeout: 1,
      pingInterval: 0,
      pongTimeout: 90_000,
      closeTimeout: 5_400_000
    }
  )
})

t.test("ignores the options of Fastify's own register", async (t) => {
  t.strictSame(normalizeOptions({ logLevel: 'warn', logSerializers: {}, prefix: '' }).given, {})
})

t.test('names a wrong option, its value and the expected one', async (t) => {
  const cases: Array<[input: unknown, message: RegExp]> = [
    [42, /expected allowed origins or an object, got '42'/],
    [true, /expected allowed origins or an object/],
    [() => {}, /expected allowed origins or an object/],
    [Symbol('x'), /expected allowed origins or an object/],
    [new Map(), /expected allowed origins or an object/],
    [new Set(['https://a.test']), /expected allowed origins or an object/],
    [new Date(0), /expected allowed origins or an object/],
    [[1], /'allowedOrigins' must be a string or an array of strings, got '1'|allowedOrigins/],
    [
      { bogus: 1 },
      /there is no option 'bogus' here, only allowedOrigins, maxPayload, .*websocket\. If fastify-cli or @fastify\/autoload passed it on, .*fastify\.register\(wsRelay, {/
    ],
    [{ 'a/b': 1 }, /there is no option/],
    [{ toString: 1 }, /there is no option 'toString'/],
    [{ constructor: 1 }, /there is no option 'constructor'/],
    [
      { prefix: '/ws' },
      /'prefix' has no effect.*app\.register\(async \(scope\) =>.*prefix: '\/ws'.*fastify-cli/
    ],
    [{ prefix: '/' }, /'prefix' has no effect/],
    [{ prefix: null }, /'prefix' has no effect/],
    [
      { allowedOrigins: null },
      /'allowedOrigins' must be a string or an array of strings, got 'null'/
    ],
    [{ allowedOrigins: 1 }, /'allowedOrigins' must be/],
    [{ allowedOrigins: ['https://a.test', 1] }, /'allowedOrigins' must be/],
    [{ allowedOrigins: 'ftp://a.test' }, /'ftp:\/\/a\.test' is not an origin/],
    [{ allowedOrigins: 'https://a.test/path' }, /is not an origin/],
    ['a b', /is not an origin/],
    [{ overflow: 'wait' }, /'overflow' must be 'close' or 'drop', got 'wait'/],
    [{ forwardTopics: 'yes' }, /'forwardTopics' must be a boolean/],
    [{ node: '' }, /'node' must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -, got ''/],
    [{ node: 'a@b' }, /'node' must be/],
    [{ node: 'x'.repeat(65) }, /'node' must be/],
    [{ websocket: 'x' }, /'websocket' must be an object/],
    [{ websocket: null }, /'websocket' must be an object/],
    [{ perMessageDeflate: 'on' }, /'perMessageDeflate' must be a boolean or an object/],
    [
      { perMessageDeflate: { level: 9 } },
      /there is no option 'level' here, only serverNoContextTakeover, .*concurrencyLimit$/
    ],
    [
      { perMessageDeflate: { threshold: '1 KiB' } },
      /'threshold' must be an integer from 0, got '1 KiB'/
    ],
    [
      { perMessageDeflate: { serverMaxWindowBits: 16 } },
      /'serverMaxWindowBits' must be an integer from 8 to 15/
    ],
    [
      { perMessageDeflate: { concurrencyLimit: 0 } },
      /'concurrencyLimit' must be an integer from 1/
    ],
    [{ perMessageDeflate: { zlibDeflateOptions: 9 } }, /'zlibDeflateOptions' must be an object/],
    [
      { perMessageDeflate: { zlibDeflateOptions: { level: 99 } } },
      /'perMessageDeflate' has options that zlib does not take: .*level/
    ],
    [
      { perMessageDeflate: { zlibInflateOptions: { chunkSize: 1 } } },
      /'perMessageDeflate' has options that zlib does not take: .*chunkSize/
    ],
    [{ maxPayload: 2 ** 31 }, /'maxPayload' must be an integer from 1 to \d+/],
    [
      { upgradeTimeout: 0 },
      /'upgradeTimeout' must be a duration of 1 to 2147483647 ms \(24\.8 days\), got '0'/
    ],
    [
      { node: 'x', closeTimeout: 'soon' },
      /'closeTimeout' must be a duration of 0 to 2147483647 ms \(24\.8 days\), got 'soon'/
    ]
  ]
  for (const name of [
    'maxPayload',
    'maxFragments',
    'maxBufferedAmount',
    'maxConfigSize',
    'maxMetadataSize',
    'maxHandshakes',
    'maxConnections',
    'mailboxLimit',
    'mailboxBytes'
  ]) {
    for (const value of [0, -1, 1.5, NaN, Infinity, 2 ** 53, '10', null, true, [], {}, 10n]) {
      cases.push([{ [name]: value }, new RegExp(`'${name}' must be an integer from 1`)])
    }
  }
  for (const value of [-1, 1.5, 100_001, '10', null]) {
    cases.push([{ keepEnds: value }, /'keepEnds' must be an integer from 0 to 100000/])
  }
  for (const name of ['upgradeTimeout', 'pingInterval', 'pongTimeout', 'closeTimeout']) {
    for (const value of [-1, NaN, Infinity, 2 ** 31, '', 'soon', '-1s', '10', null, true, [], {}]) {
      cases.push([{ [name]: value }, new RegExp(`'${name}' must be`)])
    }
  }
  for (const [input, message] of cases) {
    t.throws(
      () => {
        normalizeOptions(input)
      },
      { code: 'FST_WS_RELAY_INVALID_OPTIONS', name: 'FastifyError', message },
      typeof input === 'object' ? Object.keys(input ?? {})[0] : typeof input
    )
  }
})

t.test('lets a route override its own options', async (t) => {
  const { route } = normalizeOptions({ allowedOrigins: 'https://a.test', maxPayload: 10 })
  const origin = (settings: typeof route, from: string) =>
    settings.originAllowed({ headers: { origin: from }, host: 'own.test', protocol: 'https' })
  t.strictSame(overrideSettings(route, {}), route)
  t.match(overrideSettings(route, { maxPayload: 20, overflow: 'drop' }), {
    maxPayload: 20,
    overflow: 'drop',
    maxConfigSize: 8192
  })
  t.match(overrideSettings(route, { maxPayload: undefined }), { maxPayload: 10 })
  t.ok(origin(overrideSettings(route, { maxPayload: 20 }), 'https://a.test'))
  const own = overrideSettings(route, { allowedOrigins: [] })
  t.notOk(origin(own, 'https://a.test'))
  t.ok(origin(own, 'https://own.test'))
})

t.test('rejects an override that is not an object', async (t) => {
  const { route } = normalizeOptions({})
  for (const [override, message] of [
    [true, /'config\.wsRelay' must be false or an object, got 'true'/],
    [null, /must be false or an object, got 'null'/],
    [[], /must be false or an object/],
    ['', /must be false or an object/],
    [
      { node: 'x' },
      /there is no option 'node' here, only allowedOrigins, maxPayload, maxBufferedAmount, overflow, forwardTopics, resume, maxConfigSize, maxMetadataSize, proxied$/
    ],
    [{ maxPayload: -1 }, /'maxPayload' must be an integer from 1/],
    [{ allowedOrigins: '*.' }, /is not an origin/]
  ] as Array<[unknown, RegExp]>) {
    t.throws(
      () => {
        overrideSettings(route, override)
      },
      { code: 'FST_WS_RELAY_INVALID_OPTIONS', message }
    )
  }
})
