// Malicious handshakes. Each row has the bytes that a client writes and the response that it gets.
// Afterwards the server holds no more than before.
import t from 'tap'
import { Keeper, start } from '../integration/connection/support.js'
import { handshake, logs, raw } from '../helpers.js'
import { plain, relay, smuggledRequests } from './smuggled-requests.js'
import { held, letsGo } from './support.js'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import type { Server } from 'node:http'
import type { Test } from 'tap'
import type { Row, UpgradeHeaders } from './smuggled-requests.js'
import type { Rig } from '../integration/connection/support.js'
import type { WsRelayOptions } from '../../types/relay.js'

interface Desk extends Rig { target: Keeper, ran: string[] }

/** A server: `/` relays, `/plain` does not, and `/set` sets the header named in the query. */
async function open (
  t: Test, options: WsRelayOptions = {}, fastify: FastifyHttpOptions<Server> = {}
): Promise<Desk> {
  const ran: string[] = []
  const desk: { target?: Keeper } = {}
  const rig = await start(
    t,
    options,
    { logger: logs('fatal').logger, ...fastify },
    (app: FastifyInstance) => {
      app.addHook('preHandler', async (request) => {
        ran.push(request.method)
      })
      app.all('/relay', async (_, reply) => reply.relay(desk.target!.pid).send())
      app.all('/plain', async () => 'plain')
      app.get<{ Querystring: { name: string, value: string } }>('/set', async ({ query }, reply) =>
        reply.header(query.name, query.value).relay(desk.target!.pid).send()
      )
    }
  )
  desk.target = new Keeper(rig, { monitors: false })
  return Object.assign(rig, { target: desk.target, ran })
}

/** Runs a table. Only a client that gets a 101 becomes a connection. */
async function play (t: Test, desk: Desk, rows: Row[]): Promise<void> {
  const before = held(desk)
  for (const [what, writes, status, says = /(?:)/] of rows) {
    const joins = desk.target.of('ws.join').length
    const client = (await raw(t, desk.port)).write(writes)
    const text = status === 101 ? await client.until(/\r\n\r\n/) : await client.end()
    t.equal(Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), status, what)
    t.match(text, says, `${what}: text of the response`)
    t.notMatch(text, /x-ws-relay|x-smuggled/im, `${what}: headers that must not appear`)
    t.equal(
      (text.match(/^HTTP\/1\.1 /gm) ?? []).length,
      status === 0 ? 0 : 1,
      `${what}: number of responses`
    )
    client.socket.destroy()
    await letsGo(desk, before)
    t.equal(
      desk.target.of('ws.join').length - joins,
      status === 101 ? 1 : 0,
      `${what}: number of connections`
    )
  }
  t.comment(`${rows.length} cases`)
}

const notAllowed = /FST_WS_RELAY_ORIGIN_NOT_ALLOWED/

t.test('refuses an Origin that only looks like an allowed one', async (t) => {
  const desk = await open(t, { allowedOrigins: 'https://app.example.com, *.example.org' })
  const origin = (value: string | string[], more: UpgradeHeaders = {}): string => {
    return relay({ origin: value, ...more })
  }
  const allowed: Row[] = [
    ['the one that is listed', origin('https://app.example.com'), 101],
    ['a subdomain', origin('https://a.b.example.org'), 101],
    ["the server's own", origin('http://relay.test'), 101],
    ['none: no browser', relay(), 101],
    ['in capitals', origin('HTTPS://APP.EXAMPLE.COM'), 101],
    ['blanks around it are not part of it', origin('  https://app.example.com\t'), 101],
    [
      "what another header calls the origin doesn't count",
      relay({ 'sec-websocket-origin': 'https://evil.test', referer: 'https://evil.test/' }),
      101
    ]
  ]
  const refused = (
    [
      ['another', 'https://evil.test'],
      ['opaque', 'null'],
      ['empty', ''],
      ['without its scheme', 'app.example.com'],
      ['of another scheme', 'http://app.example.com'],
      ['of another port', 'https://app.example.com:8443'],
      ['of the port of another scheme', 'http://app.example.com:443'],
      ['with a path', 'https://app.example.com/'],
      ['with a query', 'https://app.example.com?'],
      ['with a fragment', 'https://app.example.com#.example.org'],
      ['as user of another host', 'https://app.example.com@evil.test'],
      ['with a user', 'https://evil.test@app.example.com'],
      ['with a password', 'https://app.example.com:443@evil.test'],
      ['as a subdomain of another', 'https://app.example.com.evil.test'],
      ['as the end of another name', 'https://evilexample.org'],
      ['with a dash', 'https://evil-example.org'],
      ['the domain of a wildcard itself', 'https://example.org'],
      ['an empty label', 'https://.example.org'],
      ['the wildcard itself', 'https://*.example.org'],
      ['with a dot behind it', 'https://app.example.com.'],
      ['behind a backslash', 'https://evil.test\\.example.org'],
      ['behind an escaped slash', 'https://evil.test%2f.example.org'],
      ['behind an escaped NUL', 'https://evil.test%00.example.org'],
      ['escaped', 'https://app.ex%61mple.com'],
      [
        'in full-width letters, as UTF-8 bytes',
        Buffer.from('https://app.ｅxample.com').toString('latin1')
      ],
      ['with a soft hyphen', 'https://app.exam\u00adple.com'],
      ['with an accent', 'https://app.exàmple.com'],
      ['two in one header', 'https://app.example.com, https://evil.test'],
      ['two of the same in one header', 'https://app.example.com, https://app.example.com'],
      ['two with a blank', 'https://app.example.com https://evil.test'],
      ['in quotes', '"https://app.example.com"'],
      ['in brackets', '<https://app.example.com>'],
      ['a scheme that is another one', 'javascript://app.example.com'],
      ['a file', 'file://app.example.com'],
      ['of an extension', 'chrome-extension://app.example.com'],
      ['a pattern', '*'],
      ['a blank inside', 'https://app.example .com'],
      ['a tab inside', 'https://app.example\t.com'],
      ['a name that is too long', `https://${'a.'.repeat(200)}example.org`],
      ['4000 characters', `https://${'a'.repeat(4000)}.example.org`],
      ["the server's own, with another port", 'http://relay.test:8080'],
      ["the server's own, by https", 'https://relay.test'],
      ['loopback as a number', 'http://2130706433'],
      ['loopback', 'http://127.0.0.1']
    ] as Array<[string, string]>
  ).map(([what, value]): Row => [what, origin(value), 403, notAllowed])
  await play(t, desk, [
    ...allowed,
    ...refused,
    [
      'twice, the good one first',
      origin(['https://app.example.com', 'https://evil.test']),
      403,
      notAllowed
    ],
    [
      'twice, the good one last',
      origin(['https://evil.test', 'https://app.example.com']),
      403,
      notAllowed
    ],
    [
      'the same twice',
      origin(['https://app.example.com', 'https://app.example.com']),
      403,
      notAllowed
    ],
    ['twice, an empty one first', origin(['', 'https://evil.test']), 403, notAllowed],
    [
      'one in lower and one in upper case',
      origin('https://evil.test', { ORIGIN: 'https://app.example.com' }),
      403,
      notAllowed
    ],
    [
      'as its own host, which the path names',
      relay({ origin: 'http://evil.test' }, 'GET http://evil.test/relay HTTP/1.1'),
      403,
      notAllowed
    ],
    [
      'as its own host, which a second Host names',
      relay({ origin: 'http://evil.test', host: ['relay.test', 'evil.test'] }),
      403,
      notAllowed
    ],
    [
      'a blank before the colon',
      relay().replace('upgrade:', 'origin : https://app.example.com\r\nupgrade:'),
      400
    ],
    [
      'folded over two lines',
      relay().replace('upgrade:', 'origin: https://evil.test\r\n .example.org\r\nupgrade:'),
      400
    ]
  ])
  t.equal(desk.ran.length, allowed.length, 'no handler ran for a refused request')
})

t.test('ignores forwarded headers of a client that is not a trusted proxy', async (t) => {
  const https = {
    host: 'inner:3000',
    'x-forwarded-host': 'app.example.com',
    'x-forwarded-proto': 'https'
  }
  const page = 'https://app.example.com'
  const forwarded = {
    host: 'inner:3000',
    origin: page,
    forwarded: 'host=app.example.com;proto=https'
  }
  const tables: Array<[trusted: boolean | string, rows: Row[]]> = [
    [
      false,
      [
        ['the forwarded host and scheme', relay({ ...https, origin: page }), 403, notAllowed],
        ['the true host', relay({ ...https, origin: 'http://inner:3000' }), 101],
        [
          'only the scheme',
          relay({ 'x-forwarded-proto': 'https', origin: 'https://relay.test' }),
          403,
          notAllowed
        ],
        ['the standard header', relay(forwarded), 403, notAllowed]
      ]
    ],
    [
      '10.0.0.0/8',
      [
        ['the forwarded host and scheme', relay({ ...https, origin: page }), 403, notAllowed],
        [
          'a chain that names a trusted proxy',
          relay({ ...https, origin: page, 'x-forwarded-for': '10.0.0.1, 10.0.0.2' }),
          403,
          notAllowed
        ],
        ['the true host', relay({ ...https, origin: 'http://inner:3000' }), 101]
      ]
    ],
    [
      '127.0.0.1',
      [
        ['the forwarded host and scheme', relay({ ...https, origin: page }), 101],
        ['the true host', relay({ ...https, origin: 'http://inner:3000' }), 403, notAllowed],
        [
          'a list, of which the proxy has added the last',
          relay({
            ...https,
            'x-forwarded-host': 'evil.test, app.example.com',
            'x-forwarded-proto': 'http, https',
            origin: page
          }),
          101
        ],
        [
          'a list, of which the client has sent the first',
          relay({
            ...https,
            'x-forwarded-host': 'evil.test, app.example.com',
            'x-forwarded-proto': 'https, https',
            origin: 'https://evil.test'
          }),
          403,
          notAllowed
        ],
        [
          'two headers, of which the client has sent the first',
          relay({
            ...https,
            'x-forwarded-host': ['evil.test', 'app.example.com'],
            origin: 'https://evil.test'
          }),
          403,
          notAllowed
        ],
        [
          'a host with a path',
          relay({ ...https, 'x-forwarded-host': 'evil.test/', origin: 'https://evil.test' }),
          403,
          notAllowed
        ],
        [
          'a host with a user',
          relay({ ...https, 'x-forwarded-host': 'a@evil.test', origin: 'https://evil.test' }),
          403,
          notAllowed
        ],
        [
          'a scheme that is none',
          relay({ ...https, 'x-forwarded-proto': 'https://x?', origin: page }),
          403,
          notAllowed
        ],
        ['wss', relay({ ...https, 'x-forwarded-proto': 'wss', origin: page }), 101],
        ['the standard header, which nobody reads', relay(forwarded), 403, notAllowed]
      ]
    ]
  ]
  for (const [trustProxy, rows] of tables) {
    await t.test(`trustProxy ${String(trustProxy)}`, async (t) => {
      await play(t, await open(t, {}, { trustProxy }), rows)
    })
  }
})

t.test('refuses smuggled and ambiguous requests', async (t) => {
  const desk = await open(t)
  await play(t, desk, smuggledRequests(desk.target.pid))
})

t.test('never answers a request that is pipelined after a refused upgrade', async (t) => {
  const desk = await open(t)
  await play(t, desk, [
    ['another origin', relay({ origin: 'https://evil.test' }) + plain, 403],
    ['no key', relay({ 'sec-websocket-key': undefined }) + plain, 400],
    ['no route', handshake('/nowhere') + plain, 404],
    ['a reply of its own', handshake('/plain') + plain, 200],
    ['another protocol', relay({ upgrade: 'h2c' }) + plain, 426]
  ])
  const many = (await raw(t, desk.port)).write(plain.repeat(100) + relay() + plain)
  const text = await many.until(/101 Switching/)
  t.equal(
    text.match(/HTTP\/1\.1 200 /g)?.length,
    100,
    'the earlier requests are answered, in order'
  )
})
