import { errorCodes, retryAfter, show } from '../errors.js'
import { offerOf, scopeOf } from '../session/offer.js'
import { Session } from '../session/session.js'
import { handshakeOf } from './arrival.js'
import type { IncomingMessage } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { MisspeltField, ResolvedConfig } from '../connection/config.js'
import type { Transport } from '../connection/transport.js'
import type { Handshake } from './handshake/handshake.js'
import type { RouteSettings } from '../registration/options.js'
import type { UpgradeServer } from '../registration/upgrade-server.js'
import type { KeyProblem, RemoteProblem } from '../process/remote/remote-nodes.js'
import type { RemoteQuery } from './reply.js'

/** An error that Fastify sends in place of the upgrade. */
export type Refusal = FastifyError

/**
 * Makes the connection of an attempt, and opens it on its transport. A process of the connection's
 * own is started first.
 * @param made called when the connection has its PID, before its target hears of it
 */
export type Connect = (transport: Transport, made?: () => void) => void

/** A request whose reply may become a connection, whatever the transport. */
export interface Attempt {
  readonly relay: UpgradeServer
  readonly settings: RouteSettings
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** Whether the client is still connected and has no response yet. */
  readonly isOpen: boolean
  /**
   * Called when the reply waits for another node, or for the start of a process. The attempt limits
   * the wait, and notices a client that leaves: it calls one of the query's methods then.
   */
  waitForRemote (query: RemoteQuery): void
  /** Called at the end of the wait. From now on no method of the query is called. */
  remoteAnswered (): void
  /**
   * Answers the request with a transport, and calls `connect` once. Nothing else can refuse the
   * connection any more.
   * @returns the refusal if the reply cannot be sent: then `connect` was not called
   */
  open (config: ResolvedConfig, connect: Connect): Refusal | undefined
}

/** A request for a WebSocket. */
export interface UpgradeAttempt extends Attempt {
  readonly handshake: Handshake
}

const key = /^[+/0-9A-Za-z]{22}==$/

/** The checks before the handler. @returns undefined when all of them pass */
export function checkUpgrade (
  relay: UpgradeServer,
  settings: RouteSettings,
  handshake: Handshake,
  request: FastifyRequest,
  reply: FastifyReply
): Refusal | undefined {
  return checkHandshake(handshake, request, reply) ?? checkOrigin(relay, settings, request) ??
    checkCapacity(relay, request, reply)
}

/** Whether a request asks for a WebSocket, perhaps among other protocols such as `h2c`. */
export function asksForWebSocket ({ headers: { upgrade } }: FastifyRequest): boolean {
  if (upgrade === 'websocket') return true
  return String(upgrade).toLowerCase().split(',').some((token) => token.trim() === 'websocket')
}

/** RFC 6455 section 4.2.1. */
function checkHandshake (
  { isInjected }: Handshake, request: FastifyRequest, reply: FastifyReply
): Refusal | undefined {
  const { method, headers, raw } = request
  const version: unknown = headers['sec-websocket-version']
  if (method !== 'GET') {
    reply.header('allow', 'GET')
    return badHandshake(405, `expected the method GET, got ${method}`)
  }
  if (!isInjected && (raw.httpVersion !== '1.1' || headers.host === undefined)) {
    return badHandshake(400, 'expected HTTP/1.1 with a Host header')
  }
  // Node treats all bytes after the upgrade as frames, also the bytes of a body.
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0) {
    return badHandshake(400, 'expected a request without a body')
  }
  if (!key.test(headers['sec-websocket-key'] ?? '')) {
    return badHandshake(400, "expected a 'Sec-WebSocket-Key' of 16 bytes in base64")
  }
  if (version !== '13' && !(isInjected && version === 13)) {
    reply.header('sec-websocket-version', '13')
    return badHandshake(426, "expected 'Sec-WebSocket-Version: 13'")
  }
  return undefined
}

function badHandshake (statusCode: number, problem: string): Refusal {
  return Object.assign(new errorCodes.FST_WS_RELAY_BAD_HANDSHAKE(problem), { statusCode })
}

function checkOrigin (
  relay: UpgradeServer, settings: RouteSettings, request: FastifyRequest
): Refusal | undefined {
  if (settings.originAllowed(request)) return undefined
  relay.refusedOrigins.logOnce(request)
  return new errorCodes.FST_WS_RELAY_ORIGIN_NOT_ALLOWED()
}

function checkCapacity (
  relay: UpgradeServer, request: FastifyRequest, reply: FastifyReply
): Refusal | undefined {
  const { maxConnections, maxHandshakes } = relay.options
  const isClosing = relay.closing || (relay.draining && !namesLivingSession(relay, request.raw))
  if (isClosing) return withRetryAfter(reply, new errorCodes.FST_WS_RELAY_CLOSING())
  const hasRoom =
    relay.connections.size < maxConnections || namesLivingSession(relay, request.raw)
  if (hasRoom && relay.handshakes.size < maxHandshakes) return undefined
  return overloaded(reply)
}

/** Whether a connection would resume a session, which counts for `maxConnections` already. */
function namesLivingSession (relay: UpgradeServer, request: IncomingMessage): boolean {
  const resume = offerOf(request)?.resume
  if (resume === undefined || resume === 'malformed') return false
  const found = relay.sessions.find(resume, scopeOf(request))
  if (!found.ok) return false
  const { session } = found.value
  return session instanceof Session && session.acceptsOffers
}

export function overloaded (reply: FastifyReply): Refusal {
  return withRetryAfter(reply, new errorCodes.FST_WS_RELAY_OVERLOADED())
}

/** The session has ended while the hooks of the reply were running: the client tries again. */
export function goneMeanwhile (reply: FastifyReply): Refusal {
  return withRetryAfter(reply, new errorCodes.FST_WS_RELAY_TARGET_NOT_ALIVE())
}

/** The handler replied with the relay's header to a request that is not an upgrade. */
export function notAnUpgrade (request: FastifyRequest, reply: FastifyReply): Refusal {
  if (request.raw.httpVersionMajor >= 2) return badHandshake(505, 'expected HTTP/1.1')
  // Node drops its own 'close' when the reply has a header `connection`.
  const connection = reply.raw.shouldKeepAlive ? 'upgrade' : 'upgrade, close'
  reply.headers({ upgrade: 'websocket', connection })
  return new errorCodes.FST_WS_RELAY_UPGRADE_REQUIRED()
}

/** Problems that are over after a while. */
const comesBack = new Set<RemoteProblem | KeyProblem>([
  'its node is closing', 'it has failed too often', 'too many of its kind',
  'nothing can start now', 'its start has failed', 'the cluster is unavailable'
])

/** Logs why the target cannot have connections. */
export function badTarget (
  { request, reply }: Attempt, target: string, problem: RemoteProblem | KeyProblem
): Refusal {
  const text = `no connection can be bound to '${show(target)}': ${problem}`
  if (problem === 'it is a connection') {
    request.log.error(text)
    return new errorCodes.FST_WS_RELAY_INVALID_CONFIG()
  }
  request.log.warn(text)
  const refusal = problem === 'too many of its kind'
    ? new errorCodes.FST_PROCESS_TOO_MANY(show(target))
    : new errorCodes.FST_WS_RELAY_TARGET_NOT_ALIVE()
  return comesBack.has(problem) ? withRetryAfter(reply, refusal) : refusal
}

/** The client may try again soon. */
export function withRetryAfter (reply: FastifyReply, refusal: Refusal): Refusal {
  reply.header('retry-after', retryAfter)
  return refusal
}

/** Warns of a field of the header that does not exist, and looks like one that does. */
export function warnOfField (
  { relay, request }: Attempt, { field, expected }: MisspeltField
): void {
  const route = routeOf(request)
  relay.runtime.mistakes.warnings.warn(
    { label: `${route} ${field}`, logger: request.log },
    { route, field, expected },
    'ignored an unknown field of X-WS-Relay'
  )
}

/** The pattern of the route: a URL would be another one for each client. */
export function routeOf ({ routeOptions: { url = 'no route' } }: FastifyRequest): string {
  return url
}

/**
 * Records the code of a refusal for the counters, and sets its status on the reply. Otherwise an
 * error handler that sets no status would send that of the handler, which may even be 101.
 */
export function withStatus (reply: FastifyReply, refusal: Refusal): Refusal {
  const handshake = handshakeOf(reply.request.raw)
  if (handshake !== undefined) handshake.refusalCode = refusal.code
  reply.code(refusal.statusCode!)
  return refusal
}
