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
import type { Attempt, UpgradeAttempt } from './refusals.js'

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
  const headers = reply.getHeaders()
  for (const name of Object.keys(headers)) {
    const value = headers[name]
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
export function chooseProtocol (attempt: Attempt): string | undefined {
  const offered = attempt.request.headers['sec-websocket-protocol']
  if (offered === undefined) return undefined
  const chosen = attempt.reply.getHeader('sec-websocket-protocol')
  if (typeof chosen === 'string' && isOffered(chosen, offered)) return chosen
  warnOfProtocol(attempt, offered, chosen)
  return undefined
}

function isOffered (chosen: string, offered: string): boolean {
  try {
    return subprotocol.parse(offered).has(chosen)
  } catch {
    // A malformed header offers nothing.
    return false
  }
}

/**
 * Called when a connection has no subprotocol. Browsers close it if their page offered some. A
 * client of this package has `v1.ws-relay` in any case.
 */
function warnOfProtocol ({ relay, request }: Attempt, offered: string, chosen: unknown): void {
  if (offered.trim() === '' || offerOf(request.raw) !== undefined) return
  const route = routeOf(request)
  relay.runtime.mistakes.warnings.warn(
    { label: route, logger: request.log },
    { route, offered: show(offered), ...chosen !== undefined && { chosen: show(chosen) } },
    'none of the offered subprotocols was chosen, so browsers close the connection: ' +
    'set the reply header Sec-WebSocket-Protocol to one of them'
  )
}

/**
 * Writes the 101. From now on Fastify no longer deals with the request and the reply, and the
 * connection keeps no reference to them.
 */
export function beginUpgrade ({ relay, handshake, reply }: UpgradeAttempt, head: string): void {
  const { socket } = handshake
  reply.hijack()
  reply.raw.detachSocket(socket as never)
  handshake.complete()
  socket.write(head, 'latin1')
  if (handshake.isInjected) holdUntilNextTurn(socket, relay.runtime.clock)
}

/** Called when the transport is open. */
export function endUpgrade (
  { handshake, reply: { raw: response } }: UpgradeAttempt, transport: WebSocketTransport
): void {
  for (const bytes of handshake.early) transport.onSocketData(bytes)
  // The onResponse hooks, metrics and Fastify's log line wait for this event.
  response.statusCode = 101
  response.emit('finish')
}

/** A client made by `injectWS` adds its listeners later in this turn of the event loop. */
function holdUntilNextTurn (socket: Duplex, clock: Clock): void {
  socket.cork()
  clock.later(() => { socket.uncork() })
}
