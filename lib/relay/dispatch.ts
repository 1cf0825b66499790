import { AsyncResource } from 'node:async_hooks'
import { IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http'
import { errorCodes } from '../errors.js'
import { Handshake, retryAfter } from './handshake.js'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { RelayServer } from './server.js'

/** Routes an upgrade through Fastify. */
export type RouteUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

const ofRequest = Symbol('fastify-ws-relay.handshake')

/** Which handshake a request belongs to; only upgrades have one. */
export function handshakeOf (request: object): Handshake | undefined {
  return (request as { [ofRequest]?: Handshake })[ofRequest]
}

/** The two here: one notes, the other dispatches. */
const ownListeners = 2

/** Notes every upgrade before anybody else sees it. */
export function noteUpgrades (server: Server, relay: RelayServer): void {
  server.prependListener('upgrade', (request, socket, head) => {
    const isInjected = !((request as unknown) instanceof IncomingMessage)
    if (isInjected) fillIn(request, socket)
    const isShared = server.listenerCount('upgrade') > ownListeners
    ;(request as { [ofRequest]?: Handshake })[ofRequest] = new Handshake(relay, request, socket, head, isInjected, isShared)
  })
}

/**
 * `injectWS` makes a plain object. Fastify asks more of a request: it would not take the reply of an
 * asynchronous handler that returns nothing, and `request.signal` would throw.
 */
function fillIn (request: IncomingMessage, socket: Duplex): void {
  const whole = new IncomingMessage(socket as Socket)
  whole.complete = true
  whole.push(null)
  Object.setPrototypeOf(request, whole)
}

/**
 * Routes the upgrades that nobody else has routed, and sees to it that those with an ordinary
 * answer give their socket back. Added last: `@fastify/websocket` may be there, and others.
 */
export function dispatchUpgrades (server: Server, relay: RelayServer, route: RouteUpgrade): void {
  server.on('upgrade', (request, socket, head) => {
    const handshake = handshakeOf(request)!
    if (attach(handshake)) return
    // Listeners that were added behind this one have their chance first.
    if (handshake.isShared) process.nextTick(dispatch, handshake, head)
    else dispatch(handshake, head)
  })

  function dispatch (handshake: Handshake, head: Buffer): void {
    const { request, socket } = handshake
    const earlier = responseOn(socket)
    if (earlier !== undefined) {
      // A request that came before on this socket has its answer first, in a context of its own.
      earlier.once('finish', AsyncResource.bind(() => {
        handshake.touched()
        dispatch(handshake, head)
      }))
    } else if (handshake.isOpen && !handshake.isTaken) {
      if (relay.closing) refuseRouting(handshake)
      else route(request, socket, head)
      attach(handshake)
    }
  }
}

/** Node's own link from a socket to the response that is being written to it. */
function responseOn (socket: Duplex): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}

/** Whether the request has been routed: then its response is on the socket. */
function attach (handshake: Handshake): boolean {
  const response = responseOn(handshake.socket)
  if (response?.req !== handshake.request) return false
  handshake.answer(response)
  return true
}

/** A closing Fastify routes nothing, and would refuse without saying when to come back. */
function refuseRouting ({ request, socket }: Handshake): void {
  const { statusCode = 503, code, message } = new errorCodes.FST_WS_RELAY_CLOSING()
  const body = JSON.stringify({ statusCode, code, error: STATUS_CODES[statusCode], message })
  const response = new ServerResponse(request)
  response.assignSocket(socket as never)
  response.shouldKeepAlive = false
  response.writeHead(statusCode, { 'retry-after': retryAfter, 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
