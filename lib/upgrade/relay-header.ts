import { handshakeOf } from './handshake.js'
import type { ServerResponse } from 'node:http'

/** The reply header that asks for the upgrade. It is between the handler and the relay. */
export const relayHeader = 'x-ws-relay'

type Method = (this: object, ...args: unknown[]) => unknown

const writeHead = Symbol('fastify-ws-relay.writeHead')
const writeEarlyHints = Symbol('fastify-ws-relay.writeEarlyHints')
const addTrailers = Symbol('fastify-ws-relay.addTrailers')
const setTrailer = Symbol('fastify-ws-relay.setTrailer')

/** A response with its own methods under symbols. Those of HTTP/1.1 and HTTP/2 differ. */
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
 * Keeps the header off a response, whoever writes it, and off its early hints and trailers. Hooks see
 * most replies, but not those of an `onSend` hook that fails, which Fastify writes without asking
 * again, nor a hijacked one.
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
  // Another name of `writeHead` in HTTP/1.1.
  if (patched.writeHeader !== undefined) {
    patched.writeHeader = writeHeadWithout
  } else if (patched.setTrailer !== undefined) {
    patched[setTrailer] = patched.setTrailer
    patched.setTrailer = setTrailerWithout
  }
}

function writeHeadWithout (this: object, ...args: unknown[]): unknown {
  const response = this as ServerResponse & Required<Patched>
  if (!response.headersSent && response.hasHeader(relayHeader)) response.removeHeader(relayHeader)
  const last = args.length - 1
  args[last] = withoutIn(args[last])
  return response[writeHead](...args)
}

function writeEarlyHintsWithout (this: object, hints: unknown, ...rest: unknown[]): unknown {
  const response = this as ServerResponse & Required<Patched>
  const result = response[writeEarlyHints](withoutIn(hints), ...rest)
  // They are no answer.
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

/** Headers in any form that Node takes: an object, a list of pairs, a flat list. */
function without (headers: object): object {
  if (!Array.isArray(headers)) {
    const names = Object.keys(headers)
    if (!names.some(isRelayHeader)) return headers
    return Object.fromEntries(Object.entries(headers).filter(([name]) => !isRelayHeader(name)))
  }
  if (Array.isArray(headers[0])) return headers.filter(([name]: unknown[]) => !isRelayHeader(name))
  return headers.filter((_, i) => !isRelayHeader(headers[i - i % 2]))
}

function isRelayHeader (name: unknown): boolean {
  return String(name).toLowerCase() === relayHeader
}
