import { unmark } from '../registration/fastify-websocket.js'
import { asksForWebSocket, checkUpgrade, notAnUpgrade } from './refusals.js'
import { extractHeader } from './relay-header.js'
import { relayReply, sendRefusal, settle } from './relayed-reply.js'
import { isFailed, isProxied } from './reply.js'
import { foundSession } from './resume.js'
import { WebSocketAttempt } from './websocket-attempt.js'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Handshake } from './handshake/handshake.js'
import type { Next } from './relayed-reply.js'
import type { Registration, RouteMode } from '../registration/registration.js'

/**
 * The `onSend` hook: the table "After the handler" in docs/upgrades.md. Takes the relay's header
 * off the reply, and upgrades the request if it may.
 *
 * @param mode the mode of the route; undefined when it was declared before the plugin
 * @param handshake of the request; undefined if it is no upgrade
 */
export function afterHandler (
  registration: Registration,
  mode: RouteMode | undefined,
  handshake: Handshake | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
  sent: unknown,
  done: Next
): void {
  // An async handler called reply.send() and then returned while the remote node was still being
  // asked, so Fastify runs onSend a second time.
  if (handshake?.isWaitingForRemote === true) return
  const { value, payload } = extractHeader(reply, sent)
  const found = handshake && foundSession(request)
  const isAsked = value !== undefined || found !== undefined
  const mayUpgrade = isAsked && isSuccess(reply.statusCode) && !isFailed(reply)
  const settings = mayUpgrade ? settingsFor(registration, mode, request, reply) : 'off'
  // When the client has gone, the reply goes its ordinary way: nobody will receive it.
  if (settings === 'off' || settings === 'native' || handshake?.isOpen === false) {
    handshake?.responseStarted(reply.statusCode)
    return done(null, payload)
  }
  const isUpgrade = handshake?.hasPassedChecks === true || asksForWebSocket(request)
  if (handshake === undefined || !isUpgrade) {
    return sendRefusal(notAnUpgrade(request, reply), reply, payload, done)
  }
  const { relay } = registration
  // The checks have not run yet if an earlier hook replied, or if no route matched.
  if (!handshake.hasPassedChecks) {
    const refusal = checkUpgrade(relay, settings, handshake, request, reply)
    if (refusal !== undefined) return sendRefusal(refusal, reply, payload, done)
    unmark(request, handshake.socket)
  }
  const attempt = new WebSocketAttempt(relay, settings, handshake, request, reply)
  if (found === undefined) relayReply(attempt, value, payload, done)
  else settle(attempt.continueSession(found), reply, payload, done)
}

function isSuccess (statusCode: number): boolean {
  return statusCode === 101 || (statusCode >= 200 && statusCode <= 299)
}

/** A header that comes from another server opens a socket only where the route allows it. */
function settingsFor (
  registration: Registration,
  mode: RouteMode | undefined,
  request: FastifyRequest,
  reply: FastifyReply
): RouteMode {
  const settings = mode ?? registration.modeFor(request)
  return typeof settings === 'object' && !settings.proxied && isProxied(reply) ? 'off' : settings
}
