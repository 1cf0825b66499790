import { errorCodes } from '../errors.js'
import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'

type Next = (err?: Error) => void

const headers = {
  'content-security-policy': "default-src 'self'; base-uri 'self'; form-action 'none'; " +
    "object-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  // For browsers that do not know `frame-ancestors`.
  'x-frame-options': 'DENY'
}

/** An `onRequest` hook: also the answers of hooks that refuse a request have these headers. */
export function setHeaders (_request: FastifyRequest, reply: FastifyReply, done: Next): void {
  reply.headers(headers)
  done()
}

const loopbackHost = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i
const loopbackPeer = /^(?:::ffff:)?127(?:\.\d{1,3}){3}$|^::1$/i
/** Headers that proxies add. */
const proxyHeader = /^(?:forwarded|via|x-real-ip|x-forwarded-.*)$/

/**
 * An `onRequest` hook of a dashboard without protection. It reads the socket and the headers
 * themselves, because `trustProxy` lets a request say where it comes from. The host is checked
 * against DNS rebinding: a page of another site may have a name that leads to this computer.
 */
export function requireLocal (request: FastifyRequest, _reply: FastifyReply, done: Next): void {
  const problem = remoteSign(request.raw)
  if (problem === undefined) return done()
  done(new errorCodes.FST_WS_RELAY_NOT_LOCAL(problem))
}

/** Why a request may come from another computer. */
function remoteSign ({ socket, headers, httpVersion }: IncomingMessage): string | undefined {
  if (!loopbackPeer.test(socket.remoteAddress ?? '')) return 'its peer is another one'
  const host = headers.host ?? headers[':authority']
  if (typeof host !== 'string' || !loopbackHost.test(host)) return 'its host is another one'
  // Browsers use HTTP/1.1 or later. Some proxies use HTTP/1.0, and add no header.
  if (httpVersion === '1.0') return 'it came through a proxy'
  const hasProxy = Object.keys(headers).some((name) => proxyHeader.test(name))
  return hasProxy ? 'it came through a proxy' : undefined
}
