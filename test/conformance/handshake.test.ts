// The opening handshake: valid and invalid upgrade requests, and the exact response.
import { createHash } from 'node:crypto'
import t from 'tap'
import { handshake, key, raw } from '../helpers.js'
import { closing, frame, opcodes } from './fixtures/raw-client.js'
import { Suite, badText, closed, pong, protocolError, reserved, text } from './fixtures/suite.js'
import type { Case } from './fixtures/suite.js'

const suite = await Suite.start(t)
const good = frame(opcodes.text, 'good')

type Headers = Parameters<typeof handshake>[1]

/** The headers of a response. Names are in lower case. */
function headersOf (head: string): Record<string, string> {
  return Object.fromEntries(head.trim().split('\r\n').slice(1).map((line) => {
    const [name, ...value] = line.split(': ')
    return [name.toLowerCase(), value.join(': ')]
  }))
}

t.test('answers the example key of RFC 6455 section 1.3 with its accept header', async (t) => {
  t.equal(key, 'dGhlIHNhbXBsZSBub25jZQ==', 'its key')
  await suite.run(t, [{
    name: 'the connection works',
    sends: [({ head }) => {
      t.equal(head.split('\r\n')[0], 'HTTP/1.1 101 Switching Protocols')
      t.strictSame(headersOf(head), {
        upgrade: 'websocket',
        connection: 'Upgrade',
        'sec-websocket-accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
      })
    }, good],
    gets: [text('good')]
  }])
})

t.test('accepts valid upgrade requests', async (t) => {
  const connection = undefined
  const upgrade = undefined
  const other = 'AQIDBAUGBwgJCgsMDQ4PEA=='
  const rows: Array<[name: string, headers: Headers, key?: string]> = [
    [
      'header names in capitals',
      { connection, upgrade, CONNECTION: 'Upgrade', UPGRADE: 'websocket' }
    ],
    [
      'header names in the usual way',
      { connection, upgrade, Connection: 'Upgrade', Upgrade: 'websocket' }
    ],
    ['values in capitals', { connection: 'UPGRADE', upgrade: 'WEBSOCKET' }],
    ['values in the usual way', { connection: 'Upgrade', upgrade: 'WebSocket' }],
    ['several tokens', { connection: 'keep-alive, Upgrade' }],
    ['several tokens, the other way round', { connection: 'Upgrade, keep-alive' }],
    ['several tokens without blanks', { connection: 'close,te,upgrade' }],
    [
      'blanks around values',
      { connection: '  Upgrade  ', upgrade: ' \twebsocket\t ', 'sec-websocket-version': ' 13 ' }
    ],
    ['several Connection headers', { connection: ['keep-alive', 'Upgrade'] }],
    ['another key', { 'sec-websocket-key': other }, other],
    [
      'a key of zeros',
      { 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' },
      'AAAAAAAAAAAAAAAAAAAAAA=='
    ],
    [
      'a key of ones',
      { 'sec-websocket-key': '/////////////////////w==' },
      '/////////////////////w=='
    ],
    [
      'a key with every kind of letter',
      { 'sec-websocket-key': 'aZ09+/aZ09+/aZ09+/aZ0Q==' },
      'aZ09+/aZ09+/aZ09+/aZ0Q=='
    ],
    ['blanks around the key', { 'sec-websocket-key': `   ${other}  ` }, other],
    ['subprotocols of which none was chosen', { 'sec-websocket-protocol': 'chat, superchat' }],
    [
      'extensions, none of which is on',
      { 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits, x-other' }
    ],
    ['extensions that cannot be read', { 'sec-websocket-extensions': ';;,=' }],
    ['headers that nobody knows', { 'x-unknown': 'x'.repeat(4000), cookie: 'a=b' }]
  ]
  await suite.run(t, rows.map(([name, headers, key = 'dGhlIHNhbXBsZSBub25jZQ==']) => ({
    name,
    request: (path) => [handshake(path, headers)],
    sends: [({ head }) => {
      const accept = createHash('sha1')
        .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest('base64')
      t.strictSame(
        headersOf(head),
        { upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-accept': accept },
        `${name}: the answer`
      )
    }, good],
    gets: [text('good')]
  })))
  await suite.run(t, [{
    name: 'an extension that was not agreed on may not be used',
    request: (path) => [handshake(path, { 'sec-websocket-extensions': 'permessage-deflate' })],
    sends: [frame(opcodes.text, Buffer.from('f248cdc9c90700', 'hex'), { rsv: 4 })],
    ends: reserved
  }])
})

t.test('refuses requests that are no valid upgrades', async (t) => {
  const version = (value: string | string[] | undefined): Headers => ({
    'sec-websocket-version': value
  })
  const ofKey = (value: string | string[] | undefined): Headers => ({ 'sec-websocket-key': value })
  const rows: Array<
    [name: string, status: number, headers: Headers, says?: RegExp, line?: string]
  > = [
    ['no key', 400, ofKey(undefined)],
    ['an empty key', 400, ofKey('')],
    ['a key of 15 octets', 400, ofKey('AQIDBAUGBwgJCgsMDQ4P')],
    ['a key of 17 octets', 400, ofKey('AQIDBAUGBwgJCgsMDQ4PEBE=')],
    ['a key without its padding', 400, ofKey('AQIDBAUGBwgJCgsMDQ4PEA')],
    ['a key in another base64', 400, ofKey('AQIDBAUG_wgJCgsMDQ-PEA==')],
    ['a key with a blank inside', 400, ofKey('AQIDBAUGBwgJ CgsMDQ4PEA==')],
    ['two keys', 400, ofKey([key, key])],
    ...[undefined, '', '0', '7', '8', '12', '14', '013', '13.0', '+13', '13, 8', '255'].map(
      (value): (typeof rows)[0] => [
        `version ${value}`,
        426,
        version(value),
        /^sec-websocket-version: 13\r$/im
      ]
    ),
    ['two versions', 426, version(['13', '13']), /^sec-websocket-version: 13\r$/im],
    ['no host', 400, { host: undefined }],
    ['HTTP/1.0', 400, {}, undefined, 'GET /refused HTTP/1.0'],
    ['another method', 405, {}, /^allow: GET\r$/im, 'PUT /refused HTTP/1.1'],
    ['no Upgrade header', 426, { upgrade: undefined }, /^upgrade: websocket\r$/im],
    ['no Connection header', 426, { connection: undefined }, /^upgrade: websocket\r$/im],
    [
      'a Connection header without the token',
      426,
      { connection: 'keep-alive' },
      /^upgrade: websocket\r$/im
    ],
    [
      'a token that only begins like it',
      426,
      { connection: 'upgrade-insecure-requests' },
      /^upgrade: websocket\r$/im
    ],
    ['another protocol', 426, { upgrade: 'h2c' }, /^upgrade: websocket\r$/im],
    [
      'a protocol that only begins like it',
      426,
      { upgrade: 'websocket2' },
      /^upgrade: websocket\r$/im
    ]
  ]
  for (const [name, status, headers, says = /^/, line] of rows) {
    const client = (await raw(t, suite.port)).write(handshake('/refused', headers, line))
    const all = await client.until(/\r\n\r\n/)
    client.socket.destroy()
    t.match(all, new RegExp(`^HTTP/1\\.1 ${status} `), name)
    t.match(all, says, `${name}: what it says`)
    t.notMatch(all, /sec-websocket-accept/i, `${name}: no accept header`)
  }
  t.equal(suite.app.processes.list().length, 1, 'no connection was made of any')
  suite.count(rows.length)
})

t.test('reads a handshake that TCP splits at any place', async (t) => {
  const behind: Array<[name: string, bytes: Buffer, rest: Partial<Case>]> = [
    ['nothing', Buffer.alloc(0), {}],
    ['a text', good, { gets: [text('good')] }],
    [
      'a ping and a text',
      Buffer.concat([frame(opcodes.ping), good]),
      { gets: [pong(), text('good')] }
    ],
    ['half a text', good.subarray(0, 5), { sends: [good.subarray(5)], gets: [text('good')] }],
    ['64 KiB of text', frame(opcodes.text, 'x'.repeat(65536)), { gets: [text('x'.repeat(65536))] }],
    ['a close frame', frame(opcodes.close, closing(4000)), { ends: closed(4000) }],
    ['an error', frame(3), { ends: protocolError('unknown opcode 3') }],
    ['bad UTF-8', frame(opcodes.text, Buffer.from([0xff])), { ends: badText }]
  ]
  await suite.run(t, behind.flatMap(([name, bytes, rest]) => {
    const one: Case = {
      name: `${name} behind it`,
      request: (path) => [Buffer.concat([Buffer.from(handshake(path)), bytes])],
      sends: [],
      ...rest
    }
    return [
      one,
      { ...one, name: `${name} right after it`, request: (path) => [handshake(path), bytes] },
      ...(bytes.length > 1000
        ? []
        : [
            { ...one, name: `${name} behind it, octet by octet`, chop: 1 },
            { ...one, name: `${name} behind it, 7 at a time`, chop: 7 }
          ])
    ]
  }))
})

t.test('no connection is left afterwards', (t) => suite.finish(t))
