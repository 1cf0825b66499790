import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** `fastify.routing` */
export type Routing = (request: IncomingMessage, response: ServerResponse) => void

/** Thrown through Fastify's router, and caught here. */
const noRoute = new Error('no route has this path')

/**
 * Routes a request, unless no route has its path: then neither a hook nor the 404 handler runs.
 * Fastify has no question for that. But its router looks at the method once for a route, and once
 * more for a 404 handler, and the first thing that it reads for a route is the header `connection`.
 * Where that is ever different, the request is routed as any other, to the 404 handler too.
 *
 * @returns whether the request was routed. If so, `response` is on the socket
 */
export function routeIfKnown (routing: Routing, request: IncomingMessage, response: ServerResponse, socket: Duplex): boolean {
  const { headers, headers: { connection }, method } = request
  let looks = 0
  let isKnown: boolean | undefined
  const settle = (known: boolean): void => {
    isKnown = known
    Object.defineProperty(request, 'method', { value: method, writable: true, enumerable: true, configurable: true })
    Object.defineProperty(headers, 'connection', { value: connection, writable: true, enumerable: true, configurable: true })
    if (known) response.assignSocket(socket as never)
  }
  const onMethod = (): string | undefined => {
    if (++looks === 1) return method
    settle(false)
    throw noRoute
  }
  const onConnection = (): string | undefined => {
    settle(true)
    return connection
  }
  response.detachSocket(socket as never)
  Object.defineProperty(request, 'method', { get: onMethod, enumerable: true, configurable: true })
  Object.defineProperty(headers, 'connection', { get: onConnection, enumerable: true, configurable: true })
  try {
    routing(request, response)
  } catch (err) {
    if (err !== noRoute) throw err
  } finally {
    // Constraints that are derived asynchronously, or an error before the look-up: it is as routed.
    if (isKnown === undefined) settle(true)
  }
  return isKnown!
}
