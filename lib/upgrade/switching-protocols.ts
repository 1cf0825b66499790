import { hash } from 'node:crypto'
import { validateHeaderName, validateHeaderValue } from 'node:http'
import * as wsExports from 'ws'
import { show } from '../errors.js'
import { offerOf } from '../session/offer.js'
import { routeOf } from './refusals.js'
import { bodyHeaders } from './reply.js'
import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../shared/clock.js'
import type { WebSocketTransport } from '../websocket/transport.js'
import type { Handshake } from './handshake/handshake.js'
import type { Attempt } from './refusals.js'

// Exported since ws 8.19, but missing from its types.
const { subprotocol } = wsExports as unknown as {
  subprotocol: { parse (header: string): Set<string> }
}

/** RFC 6455 section 1.3. */
const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

const connectionHeaders =
  'connection|keep-alive|transfer-encoding|trailer|upgrade|date|sec-websocket-.*'
/** Reply headers that a 101 does not have: it has no body, and its own connection headers. */
const dropped = new RegExp(`^(?:${bodyHeaders}|${connectionHeaders})$`)

/**
 * The head of the 101 response (RFC 6455 section 4.2.2), which includes the headers of the reply.
 * @param protocol the subprotocol of the connection
 * @throws Node's `ERR_INVALID_CHAR` or `ERR_INVALID_HTTP_TOKEN` for a header that is not valid
 */
export function switchingProtocolsHead (
  request: FastifyRequest,
  reply: FastifyReply,
  protocol: string | undefined,
  extensions: string | undefined
): string {
  const accept = hash('sha1', request.headers['sec-websocket-key'] + guid, 'base64')
  let head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n`
  if (protocol !== undefined) head += `Sec-WebSocket-Protocol: ${protocol}\r\n`
  if (extensions !== undefined) head += `Sec-WebSocket-Extensions: ${extensions}\r\n`
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value === undefined || dropped.test(name)) continue
    validateHeaderName(name)
    for (const line of Array.isArray(value) ? value : [value]) {
      validateHeaderValue(name, String(line))
      head += `${name}: ${String(line)}\r\n`
    }
  }
  return `${head}\r\n`
}

/** The subprotocol that the handler chose, if the client has offered it. */
export function chosenProtocol (
  request: FastifyRequest, chosen: unknown
): string | undefined {
  const offered = request.headers['sec-websocket-protocol']
  if (typeof chosen !== 'string' || offered === undefined) return undefined
  try {
    return subprotocol.parse(offered).has(chosen) ? chosen : undefined
  } catch {
    // A malformed header offers nothing.
    return undefined
  }
}

/**
 * Called when a connection has no subprotocol. Browsers close it if their page offered some. A
 * client of this package has `v1.ws-relay` in any case.
 */
export function warnOfProtocol ({ relay, request, reply }: Attempt): void {
  const offered = request.headers['sec-websocket-protocol']
  if (offered === undefined || offered.trim() === '' || offerOf(request.raw) !== undefined) return
  const route = routeOf(request)
  const chosen = reply.getHeader('sec-websocket-protocol')
  relay.runtime.mistakes.warnings.warn(
    { label: route, logger: request.log },
    { route, offered: show(offered), ...chosen !== undefined && { chosen: show(chosen) } },
    'none of the offered subprotocols was chosen, so browsers close the connection: ' +
    'set the reply header Sec-WebSocket-Protocol to one of them'
  )
}

/**
 * Writes the 101 and opens a transport on the socket. From now on Fastify no longer deals with the
 * request and the reply, and the connection keeps no reference to them.
 */
export function completeUpgrade (
  reply: FastifyReply,
  head: string,
  handshake: Handshake,
  transport: WebSocketTransport,
  clock: Clock,
  open: (transport: WebSocketTransport) => void
): void {
  const { socket } = handshake
  reply.hijack()
  const response = reply.raw
  response.detachSocket(socket as never)
  const early = handshake.complete()
  socket.write(head, 'latin1')
  if (handshake.isInjected) holdUntilNextTurn(socket, clock)
  open(transport)
  for (const bytes of early) transport.onSocketData(bytes)
  // The onResponse hooks, metrics and Fastify's log line wait for this event.
  response.statusCode = 101
  response.emit('finish')
}

/** A client made by `injectWS` adds its listeners later in this turn of the event loop. */
function holdUntilNextTurn (socket: Duplex, clock: Clock): void {
  socket.cork()
  clock.later(() => { socket.uncork() })
}
