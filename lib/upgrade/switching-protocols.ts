import { hash } from 'node:crypto'
import { validateHeaderName, validateHeaderValue } from 'node:http'
import * as wsExports from 'ws'
import { Connection } from '../connection/connection.js'
import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ConnectionOptions } from '../connection/connection.js'
import type { Handshake } from './handshake.js'

// Exported since ws 8.19; its types do not know it yet.
const { subprotocol } = wsExports as unknown as { subprotocol: { parse (header: string): Set<string> } }

/** RFC 6455 section 1.3. */
const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Headers that say something about a reply's body: a reply without that body has none of them. */
const ofBody = 'content-(?:disposition|digest|encoding|language|length|location|md5|range|type)|accept-ranges|etag|last-modified'
const aboutBody = new RegExp(`^(?:${ofBody})$`)
/** Nor has a 101 those about its connection, but for its own. */
const dropped = new RegExp(`^(?:${ofBody}|connection|keep-alive|transfer-encoding|trailer|upgrade|date|sec-websocket-.*)$`)

/**
 * The lines of the 101 (RFC 6455 section 4.2.2), with the reply's own headers on it.
 * @throws Node's `ERR_INVALID_CHAR` or `ERR_INVALID_HTTP_TOKEN` for a header that no response may have
 */
export function switchingProtocolsHead (request: FastifyRequest, reply: FastifyReply, extensions?: string): string {
  const accept = hash('sha1', request.headers['sec-websocket-key'] + guid, 'base64')
  let head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`
  const headers = reply.getHeaders()
  const protocol = chosenProtocol(request, headers['sec-websocket-protocol'])
  if (protocol !== undefined) head += `Sec-WebSocket-Protocol: ${protocol}\r\n`
  if (extensions !== undefined) head += `Sec-WebSocket-Extensions: ${extensions}\r\n`
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || dropped.test(name)) continue
    validateHeaderName(name)
    for (const line of Array.isArray(value) ? value : [value]) {
      validateHeaderValue(name, String(line))
      head += `${name}: ${String(line)}\r\n`
    }
  }
  return `${head}\r\n`
}

/** A subprotocol must be one that the handler chose and the client offered. */
function chosenProtocol (request: FastifyRequest, chosen: unknown): string | undefined {
  const offered = request.headers['sec-websocket-protocol']
  if (typeof chosen !== 'string' || offered === undefined) return undefined
  try {
    return subprotocol.parse(offered).has(chosen) ? chosen : undefined
  } catch {
    // A malformed offer offers nothing.
    return undefined
  }
}

/**
 * Makes the request's socket a connection. From here on Fastify is done with request and reply, and
 * nothing of them is held by the connection.
 */
export function completeUpgrade (reply: FastifyReply, head: string, handshake: Handshake, options: ConnectionOptions): void {
  const { socket } = options
  reply.hijack()
  const response = reply.raw
  response.detachSocket(socket as never)
  const early = handshake.complete()
  socket.write(head, 'latin1')
  if (handshake.isInjected) hold(socket)
  new Connection(options).open(early)
  // What onResponse hooks, metrics and the log line wait for.
  response.statusCode = 101
  response.emit('finish')
}

/** A client that `injectWS` makes has no listener yet. It is added in this turn of the event loop, after `await`. */
function hold (socket: Duplex): void {
  socket.cork()
  setImmediate(() => { socket.uncork() })
}

/** Takes the headers off that speak of a body which is not sent. */
export function removeBodyHeaders (reply: FastifyReply): void {
  for (const name of Object.keys(reply.getHeaders())) if (aboutBody.test(name)) reply.removeHeader(name)
}

/** A reply's body that nobody will read. */
export function discardBody (payload: unknown): void {
  if (typeof payload !== 'object') return
  const stream = payload as { destroy?: () => void, cancel?: () => Promise<void>, on?: Duplex['on'] } | null | undefined
  if (typeof stream?.destroy === 'function') {
    stream.on?.('error', () => {})
    stream.destroy()
  } else if (typeof stream?.cancel === 'function') stream.cancel().catch(() => {})
}
