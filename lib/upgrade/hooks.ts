import { errorCodes, show } from '../errors.js'
import { Binding } from '../connection/binding.js'
import { parseConfig } from '../connection/config.js'
import { negotiate } from '../websocket/deflate.js'
import { handshakeOf } from './handshake.js'
import { relayHeader, stripHeader } from './relay-header.js'
import { unmark } from './fastify-websocket.js'
import { isProxied, trackProxy } from './proxied-replies.js'
import { Registration } from './registration.js'
import { retryAfter } from './response.js'
import { asTarget } from '../process/entity.js'
import { completeUpgrade, discardBody, switchingProtocolsHead, removeBodyHeaders } from './switching-protocols.js'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RemoteProblem } from '../process/remote-nodes.js'
import type { Target } from '../process/entity.js'
import type { ResolvedConfig } from '../connection/config.js'
import type { Handshake } from './handshake.js'
import type { RouteMode } from './registration.js'
import type { UpgradeServer } from './upgrade-server.js'
import type { RouteSettings } from './options.js'

const key = /^[+/0-9A-Za-z]{22}==$/

type Refusal = Error & { statusCode?: number }
type Next = (err?: Refusal | null, payload?: unknown) => void

/** Replies that answer an error: whatever their status, none of them opens a socket. */
const failed = new WeakSet<FastifyReply>()

/** Adds the hooks of one registration to its scope. */
export function addRelayHooks (fastify: FastifyInstance, registration: Registration): void {
  fastify.addHook('onRoute', function (routeOptions) {
    if (Registration.of(this) !== registration) return
    const mode = registration.markRoute(routeOptions)
    // A route's own hooks come last: cookies and security headers are on the reply by then.
    const own = routeOptions.onSend ?? []
    routeOptions.onSend = [...Array.isArray(own) ? own : [own], (request, reply, payload, done) => {
      afterHandler(Registration.of(request.server)!, mode, request, reply, payload, done)
    }]
  })
  fastify.addHook('onRequest', (request, reply, done) => {
    // A request of `inject` comes by no server.
    stripHeader(reply.raw)
    trackProxy(reply)
    if (Registration.of(request.server) === registration) beforeHandler(registration, request, reply, done)
    else done()
  })
  fastify.addHook('onError', (request, reply, _, done) => {
    failed.add(reply)
    request.wsUpgradable = false
    done()
  })
  // For routes declared before the plugin, and for what matches no route.
  fastify.addHook('onSend', (request, reply, payload, done) => {
    if (Registration.of(request.server) === registration && !isMarked(request)) afterHandler(registration, undefined, request, reply, payload, done)
    else done()
  })
}

/** What was found before the handler, unless the handler called for the 404 instead. */
function isMarked (request: FastifyRequest): boolean {
  return (handshakeOf(request.raw)?.isRouteMarked === true && !request.is404) || Registration.modeMarked(request) !== undefined
}

/** docs/relay.md, before the handler: nothing is spawned for what is refused here. */
function beforeHandler (registration: Registration, request: FastifyRequest, reply: FastifyReply, done: (refusal?: Refusal) => void): void {
  const handshake = handshakeOf(request.raw)
  if (handshake === undefined) return done()
  // Whatever the answer is, the socket ends with it: its HTTP parser is gone.
  reply.raw.shouldKeepAlive = false
  const mark = Registration.modeMarked(request)
  handshake.isRouteMarked = mark !== undefined
  const mode = request.is404 ? '404' : mark ?? registration.modeFor(request)
  if (mode === 'native' || (mark === undefined && registration.isNativeIn(request.server))) return done()
  unmark(request, handshake.socket)
  if (mode === 'off') return done()
  const settings = mode === '404' ? settingsOf404(registration, request) : mode
  if (settings === undefined || !handshake.isWebSocket) {
    handshake.bufferEarlyBytes()
    return done()
  }
  const refusal = findRefusal(registration.relay, settings, handshake, request, reply)
  if (refusal !== undefined) return done(withStatus(reply, refusal))
  handshake.handlerStarts(reply)
  request.wsUpgradable = true
  done()
  // Most handlers have answered by now: nothing has to wait for them.
  handshake.handlerReturned()
}

/** Only Fastify's own 404 handler relays nothing: what it answers needs no check. */
function settingsOf404 ({ settings }: Registration, request: FastifyRequest): RouteSettings | undefined {
  return request.routeOptions.handler?.name === 'basic404' ? undefined : settings
}

function findRefusal (relay: UpgradeServer, settings: RouteSettings, handshake: Handshake, request: FastifyRequest, reply: FastifyReply): Refusal | undefined {
  return checkHandshake(handshake, request, reply) ?? checkOrigin(relay, settings, request) ?? checkCapacity(relay, reply)
}

/** RFC 6455 section 4.2.1. */
function checkHandshake ({ isInjected }: Handshake, request: FastifyRequest, reply: FastifyReply): Refusal | undefined {
  const { method, headers, raw } = request
  const version: unknown = headers['sec-websocket-version']
  if (method !== 'GET') {
    reply.header('allow', 'GET')
    return badHandshakeError(405, `expected the method GET, got ${method}`)
  }
  if (!isInjected && (raw.httpVersion !== '1.1' || headers.host === undefined)) return badHandshakeError(400, 'expected HTTP/1.1 with a Host header')
  // Node takes a body for what comes behind the upgrade: it would be read as frames.
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0) return badHandshakeError(400, 'expected a request without a body')
  if (!key.test(headers['sec-websocket-key'] ?? '')) return badHandshakeError(400, "expected a 'Sec-WebSocket-Key' of 16 bytes in base64")
  if (version !== '13' && !(isInjected && version === 13)) {
    reply.header('sec-websocket-version', '13')
    return badHandshakeError(426, "expected 'Sec-WebSocket-Version: 13'")
  }
  return undefined
}

function badHandshakeError (statusCode: number, problem: string): Refusal {
  return Object.assign(new errorCodes.FST_WS_RELAY_BAD_HANDSHAKE(problem), { statusCode })
}

function checkOrigin (relay: UpgradeServer, { originAllowed }: RouteSettings, request: FastifyRequest): Refusal | undefined {
  if (originAllowed(request)) return undefined
  relay.refusedOrigins.logOnce(request)
  return new errorCodes.FST_WS_RELAY_ORIGIN_NOT_ALLOWED()
}

function checkCapacity (relay: UpgradeServer, reply: FastifyReply): Refusal | undefined {
  const { maxConnections, maxHandshakes } = relay.options
  if (relay.closing) return withRetryAfter(reply, new errorCodes.FST_WS_RELAY_CLOSING())
  if (relay.sockets.size < maxConnections && relay.handshakes.size < maxHandshakes) return undefined
  return withRetryAfter(reply, new errorCodes.FST_WS_RELAY_OVERLOADED())
}

function withRetryAfter (reply: FastifyReply, refusal: Refusal): Refusal {
  reply.header('retry-after', retryAfter)
  return refusal
}

/**
 * docs/relay.md, after the handler. The header never goes further than here.
 *
 * @param mode the route's; undefined where it was declared before the plugin
 */
function afterHandler (registration: Registration, mode: RouteMode | undefined, request: FastifyRequest, reply: FastifyReply, sent: unknown, done: Next): void {
  const handshake = handshakeOf(request.raw)
  // An asynchronous handler called `send`, and returned before a node was asked: Fastify sends again.
  if (handshake?.isWaitingForRemote === true) return
  const { value, payload } = extractHeader(reply, sent)
  const settings = value === undefined || !isSuccess(reply.statusCode) || failed.has(reply) ? 'off' : settingsFor(registration, mode, request, reply)
  // Also when the client has gone: there is nobody to answer.
  if (settings === 'off' || settings === 'native' || handshake?.isOpen === false) {
    handshake?.responseStarted()
    return done(null, payload)
  }
  if (handshake?.isWebSocket !== true) return sendRefusal(notAnUpgrade(request, reply), reply, payload, done)
  const attempt = { relay: registration.relay, settings, handshake, request, reply }
  // The checks before the handler did not come first: an earlier hook replied, or no route matched.
  const refusal = handshake.hasPassedChecks ? undefined : findRefusal(registration.relay, settings, handshake, request, reply)
  if (refusal !== undefined) return sendRefusal(refusal, reply, payload, done)
  const result = parseConfig(value, settings)
  if (!result.ok) {
    request.log.error(`invalid X-WS-Relay header: ${result.problem}`)
    return sendRefusal(new errorCodes.FST_WS_RELAY_INVALID_CONFIG(), reply, payload, done)
  }
  const { runtime } = registration.relay
  const { config } = result
  const binding = Binding.ifRemote(runtime, config.target)
  if (binding === undefined) sendRefusal(upgrade(attempt, config, asTarget(runtime.findEntity(config.target))), reply, payload, done)
  else upgradeWith(binding, attempt, config, payload, done)
}

/** A header that comes from another server opens a socket only where the route says so. */
function settingsFor (registration: Registration, mode: RouteMode | undefined, request: FastifyRequest, reply: FastifyReply): RouteMode {
  const settings = mode ?? registration.modeFor(request)
  return typeof settings === 'object' && !settings.proxied && isProxied(reply) ? 'off' : settings
}

/** Upgrades when the node of the target has answered. */
function upgradeWith (binding: Binding, attempt: Attempt, config: ResolvedConfig, payload: unknown, done: Next): void {
  const { handshake, reply } = attempt
  const gone = (): void => {
    binding.release()
    done(null, payload)
  }
  const refused = (error: Error): void => {
    binding.release()
    sendRefusal(error, reply, payload, done)
  }
  handshake.waitForRemote(reply, { onClientGone: gone, onRefused: refused })
  binding.requestBinding((target) => {
    handshake.remoteAnswered()
    if (!handshake.isOpen) return gone()
    const refusal = upgrade(attempt, config, target, binding)
    if (refusal !== undefined) binding.release()
    sendRefusal(refusal, reply, payload, done)
  })
}

/** Of an upgrade nothing more is sent; a refusal takes the place of the reply's own body. */
function sendRefusal (refusal: Refusal | undefined, reply: FastifyReply, payload: unknown, done: Next): void {
  discardBody(payload)
  if (refusal === undefined) return
  removeBodyHeaders(reply)
  done(withStatus(reply, refusal))
}

/** A status that the handler has set, a 101 even, would be kept by an error handler that sets none. */
function withStatus (reply: FastifyReply, refusal: Refusal): Refusal {
  reply.code(refusal.statusCode!)
  return refusal
}

function isSuccess (statusCode: number): boolean {
  return statusCode === 101 || (statusCode >= 200 && statusCode <= 299)
}

/** The header as the handler set it, and the payload without it. */
function extractHeader (reply: FastifyReply, payload: unknown): { value: unknown, payload: unknown } {
  const value: unknown = reply.getHeader(relayHeader)
  if (value !== undefined) removeHeader(reply)
  if (!isResponse(payload) || (value === undefined && !payload.headers.has(relayHeader))) return { value, payload }
  // What Fastify does with a web Response, a little earlier: its status and headers count, too.
  reply.code(payload.status)
  for (const [name, text] of payload.headers) reply.header(name, text)
  const inner: unknown = reply.getHeader(relayHeader)
  removeHeader(reply)
  return { value: value ?? inner, payload: payload.body }
}

function removeHeader (reply: FastifyReply): void {
  reply.removeHeader(relayHeader)
  // The first releases of Fastify 5 leave it there.
  reply.raw.removeHeader(relayHeader)
}

/** Fastify's own test, so that another library's `Response` is one, too. */
function isResponse (payload: unknown): payload is Response {
  return Object.prototype.toString.call(payload) === '[object Response]'
}

function notAnUpgrade (request: FastifyRequest, reply: FastifyReply): Refusal {
  if (request.raw.httpVersionMajor >= 2) return badHandshakeError(505, 'expected HTTP/1.1')
  // With a header of its own Node would forget that the client wants the connection closed.
  reply.headers({ upgrade: 'websocket', connection: reply.raw.shouldKeepAlive ? 'upgrade' : 'upgrade, close' })
  return new errorCodes.FST_WS_RELAY_UPGRADE_REQUIRED()
}

/** A request that is about to become a connection. */
interface Attempt {
  readonly relay: UpgradeServer
  readonly settings: RouteSettings
  readonly handshake: Handshake
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

function upgrade (attempt: Attempt, config: ResolvedConfig, target: Target | RemoteProblem, binding?: Binding): Refusal | undefined {
  const { relay, settings, handshake, request, reply } = attempt
  if (typeof target === 'string') return noTarget(request, reply, config.target, target)
  if (relay.sockets.size >= relay.options.maxConnections) return withRetryAfter(reply, new errorCodes.FST_WS_RELAY_OVERLOADED())
  const deflate = negotiate(request.headers['sec-websocket-extensions'], relay.options.perMessageDeflate, settings.maxPayload)
  let head: string
  try {
    head = switchingProtocolsHead(request, reply, deflate?.response)
  } catch (err) {
    // The error's own reply would fail on the same header.
    for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name)
    request.log.error({ err }, 'a reply header cannot be sent')
    return new errorCodes.FST_WS_RELAY_INVALID_CONFIG({ cause: err })
  }
  if (!handshake.hasPassedChecks) unmark(request, handshake.socket)
  completeUpgrade(reply, head, handshake, { relay, settings, socket: handshake.socket, target, binding, config, deflate })
  return undefined
}

function noTarget (request: FastifyRequest, reply: FastifyReply, target: string, problem: RemoteProblem): Refusal {
  const text = `no connection can be bound to '${show(target)}': ${problem}`
  if (problem === 'it is a connection') {
    request.log.error(text)
    return new errorCodes.FST_WS_RELAY_INVALID_CONFIG()
  }
  request.log.warn(text)
  const refusal = new errorCodes.FST_WS_RELAY_TARGET_NOT_ALIVE()
  return problem === 'its node is closing' ? withRetryAfter(reply, refusal) : refusal
}
