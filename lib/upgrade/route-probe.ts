import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Routing } from '../registration/fastify-websocket.js'

/** Thrown inside Fastify's router to stop it, and caught in this file. */
const noRoute = new Error('no route has this path')

/**
 * Routes a request unless no route has its path. In that case no hook runs, nor does the 404
 * handler. Fastify has no function for this, so the probe relies on the order in which its router
 * reads the request: the method once to find a route, then the header `connection` for that route;
 * or the method a second time to find a 404 handler. If a future router reads in another order, the
 * request is routed as usual, perhaps to the 404 handler.
 *
 * @returns whether the request was routed. If so, `response` is on the socket
 */
export function routeIfKnown (
  routing: Routing, request: IncomingMessage, response: ServerResponse, socket: Duplex
): boolean {
  const { headers, headers: { connection }, method } = request
  let methodReads = 0
  let isKnown: boolean | undefined
  const recordResult = (known: boolean): void => {
    isKnown = known
    const plain = { writable: true, enumerable: true, configurable: true }
    Object.defineProperty(request, 'method', { value: method, ...plain })
    Object.defineProperty(headers, 'connection', { value: connection, ...plain })
    if (known) response.assignSocket(socket as never)
  }
  const onMethod = (): string | undefined => {
    if (++methodReads === 1) return method
    recordResult(false)
    throw noRoute
  }
  const onConnection = (): string | undefined => {
    recordResult(true)
    return connection
  }
  response.detachSocket(socket as never)
  const observed = { enumerable: true, configurable: true }
  Object.defineProperty(request, 'method', { get: onMethod, ...observed })
  Object.defineProperty(headers, 'connection', { get: onConnection, ...observed })
  try {
    routing(request, response)
  } catch (err) {
    if (err !== noRoute) throw err
  } finally {
    // With asynchronous constraints, or an error before the lookup, the request counts as routed.
    if (isKnown === undefined) recordResult(true)
  }
  return isKnown!
}
