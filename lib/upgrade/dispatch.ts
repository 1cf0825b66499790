import { IncomingMessage, ServerResponse } from 'node:http'
import { errorCodes } from '../errors.js'
import { arrivalOf, attachArrival } from './arrival.js'
import { Handshake } from './handshake/handshake.js'
import { takeOffer } from '../session/offer.js'
import { stripHeader } from './relay-header.js'
import { routeIfKnown } from './route-probe.js'
import { writeErrorResponse, responseOn, setResponseOn } from './response.js'
import { closeWhenEnded } from '../websocket/socket.js'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Arrival } from './arrival.js'
import type { RouteUpgrade, Routing } from '../registration/fastify-websocket.js'
import type { UpgradeServer } from '../registration/upgrade-server.js'

/** The listeners of a `Dispatcher`: the first one tracks an upgrade, the last one dispatches it. */
const ownListeners = 2

/**
 * Decides which listener gets an upgrade of one HTTP server. A request is routed at most once, even
 * if several listeners route it, and only after earlier requests on its socket are answered.
 */
export class Dispatcher {
  readonly #server: Server
  readonly #relay: UpgradeServer
  readonly #routing: Routing
  #route: RouteUpgrade | undefined

  /** Tracks every upgrade before any other listener sees it. */
  constructor (fastify: FastifyInstance, relay: UpgradeServer) {
    this.#server = fastify.server as Server
    this.#relay = relay
    this.#routing = this.#wrapRouting(fastify)
    this.#server.prependListener('upgrade', (request, socket, head) => {
      this.#trackUpgrade(request, socket, head)
    })
  }

  /**
   * Called when all plugins are registered. The added listener comes after those of
   * `@fastify/websocket` and others, and routes the upgrades that none of them has routed.
   */
  addFinalListener (route: RouteUpgrade): void {
    this.#route = route
    this.#server.on('upgrade', (request) => { this.#dispatch(arrivalOf(request)!) })
  }

  /** `fastify.routing` for the plugin's own `@fastify/websocket`: `response` is on the socket. */
  readonly routeOwn = (request: IncomingMessage, response: ServerResponse): void => {
    this.#routeThrough(arrivalOf(request)!, response, this.#routing)
  }

  /** Every plugin that routes an upgrade through Fastify calls `fastify.routing`, wrapped here. */
  #wrapRouting (fastify: FastifyInstance): Routing {
    let root = fastify as unknown as { routing: Routing }
    while (!Object.hasOwn(root, 'routing')) root = Object.getPrototypeOf(root) as typeof root
    const { routing } = root
    root.routing = (request, response) => {
      const arrival = arrivalOf(request)
      if (arrival === undefined) routing(request, response)
      else this.#routingRequested(arrival, response, routing)
    }
    return routing
  }

  #trackUpgrade (request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const isInjected = !((request as unknown) instanceof IncomingMessage)
    if (isInjected) {
      completeInjected(request, socket)
      closeWhenEnded(socket)
    }
    const handshake = new Handshake(this.#relay, request, socket, head, isInjected)
    const earlier = responseOn(socket)
    // Other listeners assign their own response to the socket. Node throws if there is one already.
    if (earlier !== undefined) setResponseOn(socket, undefined)
    const arrival: Arrival = {
      handshake, head, earlier, routingListeners: 0, routing: undefined, areListenersDone: false
    }
    attachArrival(request, arrival)
  }

  /** A listener routes the request. The dispatcher makes another response when it really routes. */
  #routingRequested (arrival: Arrival, response: ServerResponse, routing: Routing): void {
    const { handshake } = arrival
    if (responseOn(handshake.socket) === response) response.detachSocket(handshake.socket as never)
    arrival.routingListeners++
    arrival.routing ??= routing
    // A listener may call routing late, while the request is left to the other listeners.
    if (arrival.areListenersDone && handshake.isLeftToOthers) {
      this.#routeOrAnswer(arrival, true)
    }
  }

  #dispatch (arrival: Arrival): void {
    const { earlier, handshake: { socket } } = arrival
    arrival.earlier = undefined
    if (earlier !== undefined && responseOn(socket) === undefined) setResponseOn(socket, earlier)
    // Listeners that were added after this one run first.
    if (this.#otherListeners(arrival) > 0) process.nextTick(listenersDone, this, arrival)
    else this.listenersDone(arrival)
  }

  /** How many listeners may take the socket without Fastify's routing, as Socket.IO and `ws` do. */
  #otherListeners ({ routingListeners: claims }: Arrival): number {
    return this.#server.listenerCount('upgrade') - ownListeners - claims
  }

  listenersDone (arrival: Arrival): void {
    arrival.areListenersDone = true
    const { handshake } = arrival
    const response = responseOn(handshake.socket)
    if (response === undefined) this.#routeOrAnswer(arrival, false)
    else if (response.req === handshake.request) {
      // Another listener answers with its own response.
      handshake.setResponse(response)
      handshake.startTimeout()
    } else {
      handshake.queueBehindEarlier()
      this.#waitForEarlier(response, arrival)
    }
  }

  /** Earlier requests on this socket are answered first. */
  #waitForEarlier (earlier: ServerResponse, arrival: Arrival): void {
    earlier.once('finish', () => {
      const next = responseOn(arrival.handshake.socket)
      if (next !== undefined) this.#waitForEarlier(next, arrival)
      else {
        arrival.handshake.earlierAnswered()
        // The hooks of the upgrade must not run in the context of the earlier request.
        arrival.handshake.runInContext(() => { this.#routeOrAnswer(arrival, false) })
      }
    })
  }

  /** @param isUnclaimed whether the relay answers without waiting for other listeners any more */
  #routeOrAnswer (arrival: Arrival, isUnclaimed: boolean): void {
    const { handshake, handshake: { request, socket }, head, routing } = arrival
    // No other listener is waited for any more.
    if (isUnclaimed) arrival.routingListeners = Infinity
    if (!handshake.isOpen || handshake.isTaken) handshake.startTimeout()
    else if (this.#relay.closing) {
      const error = new errorCodes.FST_WS_RELAY_CLOSING()
      handshake.refusalCode = error.code
      handshake.setResponse(writeErrorResponse(request, socket, error))
    } else if (routing === undefined) this.#route!(request, socket, head)
    else {
      const response = new ServerResponse(request)
      response.assignSocket(socket as never)
      this.#routeThrough(arrival, response, routing)
    }
  }

  #routeThrough (arrival: Arrival, response: ServerResponse, routing: Routing): void {
    const { handshake, handshake: { request, socket } } = arrival
    stripHeader(response)
    takeOffer(request, this.#relay)
    handshake.setResponse(response)
    if (this.#otherListeners(arrival) <= 0) routing(request, response)
    else if (!routeIfKnown(routing, request, response, socket)) {
      handshake.leaveToOthers(() => { this.#routeOrAnswer(arrival, true) })
    }
    handshake.startTimeout()
  }
}

function listenersDone (dispatcher: Dispatcher, arrival: Arrival): void {
  dispatcher.listenersDone(arrival)
}

/**
 * Makes the plain object of `injectWS` a complete request. Without this, Fastify would not take the
 * reply of an async handler that returns nothing, and `request.signal` would throw.
 */
function completeInjected (request: IncomingMessage, socket: Duplex): void {
  const whole = new IncomingMessage(socket as Socket)
  whole.complete = true
  whole.push(null)
  Object.setPrototypeOf(request, whole)
}
