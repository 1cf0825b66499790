// Requests that try to smuggle a header, a body or a second request, and the response to each.
import { frame, handshake } from '../helpers.js'

export type UpgradeHeaders = Parameters<typeof handshake>[1]

/** The bytes written, the status of the response (0: no response), and a pattern of its text. */
export type Row = [what: string, writes: string | Buffer, status: number, says?: RegExp]

/** An upgrade of the relayed route. */
export const relay = (headers: UpgradeHeaders = {}, line?: string): string => handshake('/relay', headers, line)
/** A complete request of the ordinary route. */
export const plain = 'GET /plain HTTP/1.1\r\nhost: relay.test\r\n\r\n'

/** @param target the target of the relayed route */
export function smuggledRequests (target: string): Row[] {
  return [
    [
      "a request's X-WS-Relay is nothing",
      handshake('/plain', { 'x-ws-relay': target }),
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
  ]
}
