import { handshakeOf } from './arrival.js'
import type { Server, ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'

/** The reply header by which a handler asks for the upgrade. Clients never see it. */
export const relayHeader = 'x-ws-relay'

type Method = (this: object, ...args: unknown[]) => unknown

const writeHead = Symbol('fastify-ws-relay.writeHead')
const writeEarlyHints = Symbol('fastify-ws-relay.writeEarlyHints')
const addTrailers = Symbol('fastify-ws-relay.addTrailers')
const setTrailer = Symbol('fastify-ws-relay.setTrailer')

/** A response whose original methods are under symbols. HTTP/1.1 and HTTP/2 have different ones. */
interface Patched {
  [writeHead]?: Method
  [writeEarlyHints]?: Method
  [addTrailers]?: Method
  [setTrailer]?: Method
  writeHead: Method
  writeHeader?: Method
  writeEarlyHints: Method
  addTrailers: Method
  setTrailer?: Method
}

/**
 * Makes all responses of an HTTP/1 server without the header: their class is replaced by one of its
 * own, so that nothing is done for a single response. Responses of HTTP/2 and of `inject` have
 * other classes, and `stripHeader` patches them one by one.
 */
export function stripHeaders (server: Server): void {
  const internals = server as unknown as Record<symbol, typeof ServerResponse>
  const symbol = Object.getOwnPropertySymbols(server).find(isResponseClass)
  if (symbol === undefined) {
    server.prependListener('request', (_, response) => { stripHeader(response) })
    return
  }
  // The property gives the class the name that `util.inspect` shows. A static `name` would make
  // each construction slow.
  const stripped = { ServerResponse: class extends internals[symbol] {} }
  stripHeader(stripped.ServerResponse.prototype)
  internals[symbol] = stripped.ServerResponse as typeof ServerResponse
}

/** Node's internal property of an HTTP/1 server: the class of its responses. */
function isResponseClass ({ description }: symbol): boolean {
  return description === 'ServerResponse'
}

/**
 * Patches a response so that neither its headers nor its early hints or trailers have the header.
 * The `onSend` hook alone is not enough: it does not run for a hijacked reply, nor for the error
 * reply of another `onSend` hook that fails.
 */
export function stripHeader (response: ServerResponse): void {
  const patched = response as unknown as Patched
  if (patched[writeHead] !== undefined) return
  patched[writeHead] = patched.writeHead
  patched.writeHead = writeHeadWithout
  patched[writeEarlyHints] = patched.writeEarlyHints
  patched.writeEarlyHints = writeEarlyHintsWithout
  patched[addTrailers] = patched.addTrailers
  patched.addTrailers = addTrailersWithout
  // In HTTP/1.1 `writeHeader` is another name of `writeHead`.
  if (patched.writeHeader !== undefined) {
    patched.writeHeader = writeHeadWithout
  } else if (patched.setTrailer !== undefined) {
    patched[setTrailer] = patched.setTrailer
    patched.setTrailer = setTrailerWithout
  }
}

/** Runs for each response: it allocates nothing where the header is not set. */
function writeHeadWithout (
  this: object, status: unknown, reason?: unknown, headers?: unknown
): unknown {
  const response = this as ServerResponse & Required<Patched>
  if (!response.headersSent && response.hasHeader(relayHeader)) response.removeHeader(relayHeader)
  if (typeof reason === 'string') {
    return response[writeHead](status, reason, withoutIn(headers))
  }
  return response[writeHead](status, withoutIn(headers ?? reason))
}

function writeEarlyHintsWithout (this: object, hints: unknown, ...rest: unknown[]): unknown {
  const response = this as ServerResponse & Required<Patched>
  const result = response[writeEarlyHints](withoutIn(hints), ...rest)
  // Early hints are not an answer to the upgrade.
  handshakeOf(response.req)?.ignoreWrittenBytes()
  return result
}

function addTrailersWithout (this: object, trailers: unknown): unknown {
  return (this as Required<Patched>)[addTrailers](withoutIn(trailers))
}

function setTrailerWithout (this: object, name: unknown, value: unknown): void {
  if (!isRelayHeader(name)) (this as Required<Patched>)[setTrailer](name, value)
}

function withoutIn (headers: unknown): unknown {
  return typeof headers === 'object' && headers !== null ? without(headers) : headers
}

/** Removes the header from any form that Node takes: an object, a list of pairs, a flat list. */
function without (headers: object): object {
  if (!Array.isArray(headers)) {
    for (const name in headers) if (isRelayHeader(name)) return withoutField(headers)
    return headers
  }
  if (Array.isArray(headers[0])) return headers.filter(([name]: unknown[]) => !isRelayHeader(name))
  return headers.filter((_, i) => !isRelayHeader(headers[i - i % 2]))
}

function withoutField (headers: object): object {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !isRelayHeader(name)))
}

function isRelayHeader (name: unknown): boolean {
  const text = String(name)
  return text.length === relayHeader.length && text.toLowerCase() === relayHeader
}

/** Whether a reply has the header. A web `Response` as payload has headers of its own. */
export function mayHaveHeader (reply: FastifyReply, payload: unknown): boolean {
  return reply.hasHeader(relayHeader) ||
    (typeof payload === 'object' && isResponse(payload) && payload.headers.has(relayHeader))
}

/**
 * Takes the header off a reply.
 * @returns the value that the handler set, and the payload to send. A web `Response` as payload is
 * opened here: its status and headers go to the reply, and its body is the payload
 */
export function extractHeader (
  reply: FastifyReply, payload: unknown
): { value: unknown, payload: unknown } {
  const value = removeHeader(reply)
  if (!isResponse(payload)) return { value, payload }
  if (value === undefined && !payload.headers.has(relayHeader)) return { value, payload }
  // Fastify does the same after the onSend hooks. Here the status and the header are needed now.
  reply.code(payload.status)
  for (const [name, text] of payload.headers) reply.header(name, text)
  const ofResponse = removeHeader(reply)
  return { value: value ?? ofResponse, payload: payload.body }
}

/** @returns the value of the header, undefined if there is none */
function removeHeader (reply: FastifyReply): unknown {
  const value: unknown = reply.getHeader(relayHeader)
  if (value === undefined) return undefined
  reply.removeHeader(relayHeader)
  // The first releases of Fastify 5 do not remove it from the raw response.
  reply.raw.removeHeader(relayHeader)
  return value
}

/** Fastify's own test, which also accepts the `Response` of another library. */
function isResponse (payload: unknown): payload is Response {
  return Object.prototype.toString.call(payload) === '[object Response]'
}
