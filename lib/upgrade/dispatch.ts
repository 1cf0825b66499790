import { IncomingMessage, ServerResponse } from 'node:http'
import { errorCodes } from '../errors.js'
import { Handshake, setHandshake } from './handshake.js'
import { stripHeader } from './relay-header.js'
import { routeIfKnown } from './route-probe.js'
import { writeErrorResponse, responseOn, setResponseOn } from './response.js'
import { closeWhenEnded } from '../websocket/socket.js'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Routing } from './route-probe.js'
import type { UpgradeServer } from './upgrade-server.js'

/** Marks a request as an upgrade of `@fastify/websocket`'s, and routes it. */
export type RouteUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** The two here: one notes, the other dispatches. */
const ownListeners = 2

/** One upgrade while the listeners of the server's `'upgrade'` run, and until it is routed. */
interface Arrival {
  readonly handshake: Handshake
  readonly head: Buffer
  /** The answer to an earlier request of this socket, while it is hidden from the other listeners. */
  earlier: ServerResponse | undefined
  /** Listeners that route through Fastify: those of `@fastify/websocket` and `@fastify/http-proxy`. */
  routingListeners: number
  /** `fastify.routing`, as the listener that came first has it. */
  routing: Routing | undefined
  /** All listeners have run. */
  areListenersDone: boolean
}

const ofRequest = Symbol('fastify-ws-relay.arrival')

function arrivalOf (request: object): Arrival | undefined {
  return (request as { [ofRequest]?: Arrival })[ofRequest]
}

/**
 * Decides who gets an upgrade of one HTTP server. A request is routed once at the most, whoever wants
 * to route it, and after the requests that came earlier on its socket are answered.
 */
export class Dispatcher {
  readonly #server: Server
  readonly #relay: UpgradeServer
  readonly #routing: Routing
  #route: RouteUpgrade | undefined

  /** Notes every upgrade before any other listener sees it. */
  constructor (fastify: FastifyInstance, relay: UpgradeServer) {
    this.#server = fastify.server as Server
    this.#relay = relay
    this.#routing = this.#wrapRouting(fastify)
    this.#server.prependListener('upgrade', (request, socket, head) => { this.#trackUpgrade(request, socket, head) })
  }

  /**
   * Called when everything is registered. The listener that routes what no other has routed comes
   * last: `@fastify/websocket` may be there, and others.
   */
  addFinalListener (route: RouteUpgrade): void {
    this.#route = route
    this.#server.on('upgrade', (request) => { this.#dispatch(arrivalOf(request)!) })
  }

  /** Routes for the plugin's own layer of `@fastify/websocket`, which has put `response` on the socket. */
  readonly routeOwn = (request: IncomingMessage, response: ServerResponse): void => {
    this.#routeThrough(arrivalOf(request)!, response, this.#routing)
  }

  /** Every plugin that routes an upgrade through Fastify calls `fastify.routing`. */
  #wrapRouting (fastify: FastifyInstance): Routing {
    let root = fastify as unknown as { routing: Routing }
    while (!Object.hasOwn(root, 'routing')) root = Object.getPrototypeOf(root) as { routing: Routing }
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
    setHandshake(request, handshake)
    const earlier = responseOn(socket)
    // Other listeners put a response of theirs on the socket: Node throws where there is one already.
    if (earlier !== undefined) setResponseOn(socket, undefined)
    const arrival: Arrival = { handshake, head, earlier, routingListeners: 0, routing: undefined, areListenersDone: false }
    ;(request as { [ofRequest]?: Arrival })[ofRequest] = arrival
  }

  /** A listener routes the request. Its response is replaced, so that it can wait for its turn. */
  #routingRequested (arrival: Arrival, response: ServerResponse, routing: Routing): void {
    const { handshake } = arrival
    if (responseOn(handshake.socket) === response) response.detachSocket(handshake.socket as never)
    arrival.routingListeners++
    arrival.routing ??= routing
    if (arrival.areListenersDone && handshake.route !== undefined) this.#routeOrAnswer(arrival, true)
  }

  #dispatch (arrival: Arrival): void {
    const { earlier, handshake: { socket } } = arrival
    arrival.earlier = undefined
    if (earlier !== undefined && responseOn(socket) === undefined) setResponseOn(socket, earlier)
    // Listeners that were added behind this one have their chance first.
    if (this.#otherListeners(arrival) > 0) process.nextTick(listenersDone, this, arrival)
    else this.listenersDone(arrival)
  }

  /** Listeners that may take the socket and do not route it through Fastify: Socket.IO, `ws`. */
  #otherListeners ({ routingListeners: claims }: Arrival): number {
    return this.#server.listenerCount('upgrade') - ownListeners - claims
  }

  listenersDone (arrival: Arrival): void {
    arrival.areListenersDone = true
    const { handshake } = arrival
    const response = responseOn(handshake.socket)
    if (response === undefined) this.#routeOrAnswer(arrival, false)
    else if (response.req === handshake.request) {
      // Another listener answers with a response of its own.
      handshake.setResponse(response)
      handshake.startTimeout()
    } else {
      handshake.queueBehindEarlier()
      this.#waitForEarlier(response, arrival)
    }
  }

  /** The requests that came before on this socket have their answers first. */
  #waitForEarlier (earlier: ServerResponse, arrival: Arrival): void {
    earlier.once('finish', () => {
      const next = responseOn(arrival.handshake.socket)
      if (next !== undefined) this.#waitForEarlier(next, arrival)
      else {
        arrival.handshake.earlierAnswered()
        // Its hooks run in a context of their own, and not in that of the request before.
        arrival.handshake.runInContext(() => { this.#routeOrAnswer(arrival, false) })
      }
    })
  }

  /** @param isLast whether other listeners have had `upgradeTimeout` to take the socket */
  #routeOrAnswer (arrival: Arrival, isLast: boolean): void {
    const { handshake, handshake: { request, socket }, head, routing } = arrival
    if (isLast) arrival.routingListeners = Infinity
    if (!handshake.isOpen || handshake.isTaken) handshake.startTimeout()
    else if (this.#relay.closing) {
      handshake.setResponse(writeErrorResponse(request, socket, new errorCodes.FST_WS_RELAY_CLOSING()))
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
    handshake.setResponse(response)
    if (this.#otherListeners(arrival) <= 0) routing(request, response)
    else if (!routeIfKnown(routing, request, response, socket)) handshake.leaveToOthers(() => { this.#routeOrAnswer(arrival, true) })
    handshake.startTimeout()
  }
}

function listenersDone (dispatcher: Dispatcher, arrival: Arrival): void {
  dispatcher.listenersDone(arrival)
}

/**
 * `injectWS` makes a plain object. Fastify asks more of a request: it would not take the reply of an
 * asynchronous handler that returns nothing, and `request.signal` would throw.
 */
function completeInjected (request: IncomingMessage, socket: Duplex): void {
  const whole = new IncomingMessage(socket as Socket)
  whole.complete = true
  whole.push(null)
  Object.setPrototypeOf(request, whole)
}
