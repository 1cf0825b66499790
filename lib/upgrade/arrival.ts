import type { ServerResponse } from 'node:http'
import type { Handshake } from './handshake/handshake.js'
import type { Routing } from '../registration/fastify-websocket.js'

/** One upgrade, while the listeners of the server's `'upgrade'` run, and until it is routed. */
export interface Arrival {
  readonly handshake: Handshake
  readonly head: Buffer
  /** The response to an earlier request on this socket, while it is hidden from other listeners. */
  earlier: ServerResponse | undefined
  /** How many listeners route through Fastify: `@fastify/websocket`, `@fastify/http-proxy`. */
  routingListeners: number
  /** `fastify.routing` of the first listener that called it. */
  routing: Routing | undefined
  areListenersDone: boolean
}

const ofRequest = Symbol('fastify-ws-relay.arrival')

/** Assigned directly: `Object.assign` with a literal is slow in code that has just started. */
export function attachArrival (request: object, arrival: Arrival): void {
  (request as { [ofRequest]?: Arrival })[ofRequest] = arrival
}

/** The arrival of a request. Only upgrades have one. */
export function arrivalOf (request: object): Arrival | undefined {
  return (request as { [ofRequest]?: Arrival })[ofRequest]
}

/** The handshake of a request. Only upgrades have one. */
export function handshakeOf (request: object): Handshake | undefined {
  return (request as { [ofRequest]?: Arrival })[ofRequest]?.handshake
}
