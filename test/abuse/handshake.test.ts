// Malicious handshakes. Each row has the bytes that a client writes and the response that it gets.
// Afterwards the server holds no more than before.
import t from 'tap'
import { Keeper, start } from '../integration/connection/support.js'
import { frame, handshake, logs, raw } from '../helpers.js'
import { held, letsGo } from './support.js'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import type { Server } from 'node:http'
import type { Test } from 'tap'
import type { Rig } from '../integration/connection/support.js'
import type { WsRelayOptions } from '../../types/relay.js'

type Headers = Parameters<typeof handshake>[1]

/** The bytes written, the status of the response (0: no response), and a pattern of its text. */
type Row = [what: string, writes: string | Buffer, status: number, says?: RegExp]

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

const relay = (headers: Headers = {}, line?: string): string => handshake('/relay', headers, line)
const notAllowed = /FST_WS_RELAY_ORIGIN_NOT_ALLOWED/

t.test('refuses an Origin that only looks like an allowed one', async (t) => {
  const desk = await open(t, { allowedOrigins: 'https://app.example.com, *.example.org' })
  const origin = (value: string | string[], more: Headers = {}): string => {
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
  const plain = 'GET /plain HTTP/1.1\r\nhost: relay.test\r\n\r\n'
  await play(t, desk, [
    [
      "a request's X-WS-Relay is nothing",
      handshake('/plain', { 'x-ws-relay': desk.target.pid }),
      200,
      /plain$/
    ],
    [
      "a request's X-WS-Relay is not the handler's",
      relay({ 'x-ws-relay': '{"target_pid":"nobody"}' }),
      101
    ],
    [
      'CR and LF in a reply header',
      handshake('/set?name=x-a&value=1%0d%0ax-smuggled:1'),
      500,
      /INVALID_CONFIG/
    ],
    [
      'LF alone in a reply header',
      handshake('/set?name=x-a&value=1%0ax-smuggled:1'),
      500,
      /INVALID_CONFIG/
    ],
    ['NUL in a reply header', handshake('/set?name=x-a&value=1%00'), 500, /INVALID_CONFIG/],
    [
      'CR and LF in the name of a reply header',
      handshake('/set?name=x-a:1%0d%0ax-smuggled&value=1'),
      500,
      /INVALID_CONFIG/
    ],
    [
      'CR and LF in a cookie',
      handshake('/set?name=set-cookie&value=a=1%0d%0a%0d%0aHTTP/1.1%20200%20OK'),
      500,
      /INVALID_CONFIG/
    ],
    [
      'CR and LF in a subprotocol',
      handshake('/set?name=sec-websocket-protocol&value=a%0d%0ax-smuggled:1', {
        'sec-websocket-protocol': 'a'
      }),
      101,
      /^(?![^]*sec-websocket-protocol)/i
    ],
    [
      'a handler cannot overwrite the answer itself',
      handshake('/set?name=sec-websocket-accept&value=mine'),
      101,
      /^(?![^]*mine)/
    ],
    ['a body of a length', relay({ 'content-length': '5' }) + 'hello', 400, /BAD_HANDSHAKE/],
    ['a body of length 0', relay({ 'content-length': '0' }), 101],
    [
      'a body in chunks',
      relay({ 'transfer-encoding': 'chunked' }) + '5\r\nhello\r\n0\r\n\r\n',
      400,
      /BAD_HANDSHAKE/
    ],
    [
      'a request in a body',
      relay({ 'content-length': String(plain.length) }) + plain,
      400,
      /BAD_HANDSHAKE/
    ],
    [
      'a length and chunks',
      relay({ 'content-length': '5', 'transfer-encoding': 'chunked' }) + '0\r\n\r\n',
      400
    ],
    ['two lengths', relay({ 'content-length': ['0', '5'] }), 400],
    ['a length that is none', relay({ 'content-length': '+5' }), 400],
    ['chunks by another name', relay({ 'transfer-encoding': 'xchunked' }), 400],
    ['a line that ends with LF', relay().replaceAll('\r\n', '\n'), 400],
    ['a NUL in a header', relay({ 'x-a': 'a\0b' }), 400],
    ['a header without a name', relay().replace('host:', ': x\r\nhost:'), 400],
    ['a request behind the upgrade is no request', relay() + plain, 101],
    ['an upgrade behind the upgrade is no upgrade', relay() + relay(), 101],
    ['an upgrade with the token twice', relay({ upgrade: ['websocket', 'websocket'] }), 101],
    ['an upgrade to one of two', relay({ upgrade: 'h2c, websocket' }), 101],
    ['an upgrade to a version of it', relay({ upgrade: 'websocket/13' }), 426],
    [
      'h2c',
      relay({
        upgrade: 'h2c',
        connection: 'Upgrade, HTTP2-Settings',
        'http2-settings': 'AAMAAABkAAQAAP__'
      }),
      426
    ],
    [
      'h2c where nothing is relayed',
      handshake('/plain', { upgrade: 'h2c', connection: 'Upgrade, HTTP2-Settings' }),
      200,
      /plain$/
    ],
    ['HTTP/2 by prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['HTTP/1.0', relay({}, 'GET /relay HTTP/1.0'), 400, /BAD_HANDSHAKE/],
    ['HTTP/0.9', 'GET /relay\r\n\r\n', 426],
    ['HTTP/1.2', relay({}, 'GET /relay HTTP/1.2'), 400],
    ['HTTP/9.9', relay({}, 'GET /relay HTTP/9.9'), 400],
    ['CONNECT', relay({}, 'CONNECT relay.test:80 HTTP/1.1'), 0],
    ['TRACE', relay({}, 'TRACE /relay HTTP/1.1'), 405],
    ['POST', relay({}, 'POST /relay HTTP/1.1'), 405, /^allow: GET\r$/m],
    ['a method that nobody knows', relay({}, 'UPGRADE /relay HTTP/1.1'), 400],
    ['two hosts', relay({ host: ['relay.test', 'evil.test'] }), 101],
    [
      'two keys',
      relay({ 'sec-websocket-key': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ=='] }),
      400,
      /BAD_HANDSHAKE/
    ],
    ['two versions', relay({ 'sec-websocket-version': ['13', '13'] }), 426],
    ['20 KiB of headers', relay({ cookie: 'x'.repeat(20 * 1024) }), 431],
    ['20 KiB of path', handshake(`/relay?${'x'.repeat(20 * 1024)}`), 431],
    [
      '20 KiB of header lines',
      relay(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x${i}`, 'x'.repeat(16)]))),
      431
    ],
    ['20 KiB of one header name', relay({ ['x'.repeat(20 * 1024)]: '' }), 431],
    ['15 KiB are none too many', relay({ cookie: 'x'.repeat(15 * 1024) }), 101],
    ['the beginning of TLS', Buffer.from('1603010200010001fc0303', 'hex'), 400],
    ['a frame', frame('hello'), 400],
    ['64 KiB of noise', Buffer.alloc(65536, 0x2a), 400]
  ])
})

t.test('never answers a request that is pipelined after a refused upgrade', async (t) => {
  const desk = await open(t)
  const plain = 'GET /plain HTTP/1.1\r\nhost: relay.test\r\n\r\n'
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
