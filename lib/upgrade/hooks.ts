import { afterHandler } from './after-handler.js'
import { unmark } from '../registration/fastify-websocket.js'
import { handshakeOf } from './arrival.js'
import { asksForWebSocket, checkUpgrade, withStatus } from './refusals.js'
import { mayHaveHeader, stripHeader } from './relay-header.js'
import { Registration } from '../registration/registration.js'
import { markFailed, trackProxy } from './reply.js'
import { wrapHandler } from './resume.js'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Handshake } from './handshake/handshake.js'
import type { Refusal } from './refusals.js'
import type { RouteSettings } from '../registration/options.js'

/**
 * Adds the hooks of one registration to its scope. Three of them run for each request of the scope:
 * they return at once when it is no upgrade and its reply does not have the header.
 */
export function addRelayHooks (fastify: FastifyInstance, registration: Registration): void {
  fastify.addHook('onRoute', function (routeOptions) {
    if (Registration.of(this) !== registration) return
    const mode = registration.markRoute(routeOptions)
    if (typeof mode === 'object' && mode.resume !== false) {
      routeOptions.handler = wrapHandler(routeOptions.handler, registration.relay, mode.resume)
    }
    // The relay's hook comes after the route's own hooks, which may set cookies and other headers.
    const own = routeOptions.onSend ?? []
    routeOptions.onSend = [
      ...Array.isArray(own) ? own : [own],
      function relayOnSend (request, reply, payload, done) {
        const handshake = handshakeOf(request.raw)
        if (handshake === undefined && !mayHaveHeader(reply, payload)) return done()
        const responsible = Registration.of(request.server)!
        afterHandler(responsible, mode, handshake, request, reply, payload, done)
      }
    ]
  })
  fastify.addHook('onRequest', function relayOnRequest (request, reply, done) {
    // The responses of inject() and HTTP/2 have classes of their own.
    stripHeader(reply.raw)
    if ('from' in reply) trackProxy(reply)
    const handshake = handshakeOf(request.raw)
    if (handshake === undefined) return done()
    if (Registration.of(request.server) === registration) {
      beforeHandler(registration, handshake, request, reply, done)
    } else {
      registration.native.markRequest(request, reply)
      done()
    }
  })
  fastify.addHook('onError', (request, reply, _, done) => {
    markFailed(reply)
    request.wsUpgradable = false
    done()
  })
  // For routes that were declared before the plugin, and for requests that match no route.
  fastify.addHook('onSend', function relayOnSend (request, reply, payload, done) {
    const handshake = handshakeOf(request.raw)
    if (handshake === undefined && !mayHaveHeader(reply, payload)) return done()
    const isOther = isRouteMarked(handshake, request) ||
      Registration.of(request.server) !== registration
    if (isOther) done()
    else afterHandler(registration, undefined, handshake, request, reply, payload, done)
  })
}

/**
 * Whether the request's route was declared after the plugin. The answer from before the handler
 * holds, unless the handler called for the 404 handler, which replaces the route's options.
 */
function isRouteMarked (handshake: Handshake | undefined, request: FastifyRequest): boolean {
  if (handshake?.isRouteMarked === true && !request.is404) return true
  return Registration.modeMarked(request) !== undefined
}

/**
 * The table "Before the handler" in docs/upgrades.md: a refused request never reaches the handler,
 * so nothing is spawned for it.
 */
function beforeHandler (
  registration: Registration,
  handshake: Handshake,
  request: FastifyRequest,
  reply: FastifyReply,
  done: (refusal?: Refusal) => void
): void {
  // The socket ends with any response, because Node has detached its HTTP parser.
  reply.raw.shouldKeepAlive = false
  const mark = Registration.modeMarked(request)
  handshake.isRouteMarked = mark !== undefined
  const mode = request.is404 ? '404' : mark ?? registration.modeFor(request)
  const isNative = mark === undefined && registration.isNativeIn(request.server)
  if (mode === 'native' || isNative) {
    registration.native.markRequest(request, reply)
    return done()
  }
  unmark(request, handshake.socket)
  if (mode === 'off') return done()
  const settings = mode === '404' ? settingsOf404(registration, request) : mode
  if (settings === undefined || !asksForWebSocket(request)) {
    handshake.leaveUnchecked()
    return done()
  }
  const refusal = checkUpgrade(registration.relay, settings, handshake, request, reply)
  if (refusal !== undefined) return done(withStatus(reply, refusal))
  handshake.handlerStarts(reply)
  request.wsUpgradable = true
  done()
  // Most handlers have replied by now, and the handshake does not wait for them.
  handshake.handlerReturned()
}

/** Fastify's own 404 handler never upgrades, so its requests need no check. */
function settingsOf404 (
  { settings }: Registration, request: FastifyRequest
): RouteSettings | undefined {
  return request.routeOptions.handler?.name === 'basic404' ? undefined : settings
}
