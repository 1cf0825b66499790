import { ServerResponse, STATUS_CODES } from 'node:http'
import { retryAfter } from '../errors.js'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError } from 'fastify'

/** Node's internal property: the response that is being written to a socket. */
interface RespondingSocket {
  _httpMessage?: ServerResponse | null
}

/** The response that is being written to a socket. */
export function responseOn (socket: Duplex): ServerResponse | undefined {
  return (socket as RespondingSocket)._httpMessage ?? undefined
}

/** Replaces Node's record of the current response. `assignSocket` throws while there is one. */
export function setResponseOn (socket: Duplex, response: ServerResponse | undefined): void {
  (socket as RespondingSocket)._httpMessage = response ?? null
}

/** Whether the client has ended its side, even when unread bytes come before its FIN. */
export function hasEnded (socket: Duplex): boolean {
  return (socket as { _readableState?: { ended: boolean } })._readableState?.ended === true
}

/** Whether the server completes its responses after the client's FIN: `httpAllowHalfOpen`. */
export function allowsHalfOpen (socket: Duplex): boolean {
  const { server } = socket as { server?: { httpAllowHalfOpen?: boolean } }
  return server?.httpAllowHalfOpen === true
}

/** Takes a response off its socket. Later writes to it are lost, as if the client had gone. */
export function detachResponse (response: ServerResponse, socket: Duplex): void {
  response.on('error', () => {})
  response.detachSocket(socket as never)
  Object.assign(response, { destroyed: true, _closed: true })
  response.emit('close')
}

/** Writes an error without Fastify. @returns the response, which ends the socket */
export function writeErrorResponse (
  request: IncomingMessage, socket: Duplex, { statusCode = 503, code, message }: FastifyError
): ServerResponse {
  const body = JSON.stringify({ statusCode, code, error: STATUS_CODES[statusCode], message })
  const response = new ServerResponse(request)
  response.assignSocket(socket as never)
  response.shouldKeepAlive = false
  response.writeHead(statusCode, {
    'retry-after': retryAfter,
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body)
  })
  response.end(body)
  return response
}

/** Ends a request that has its response, as Node does for any other request: without an abort. */
export function endRequest (request: IncomingMessage): void {
  request.once('end', () => { request.destroy() })
  request.resume()
}
