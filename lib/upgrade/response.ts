import { ServerResponse, STATUS_CODES } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError } from 'fastify'

/** Seconds after which a client that was turned away may try again. */
export const retryAfter = '5'

/** Node's own link from a socket to the response that is being written to it. */
interface Answered {
  _httpMessage?: ServerResponse | null
}

/** The response that is being written to a socket. */
export function responseOn (socket: Duplex): ServerResponse | undefined {
  return (socket as Answered)._httpMessage ?? undefined
}

/** Changes the response that a socket seems to have: `assignSocket` throws where there is one. */
export function setResponseOn (socket: Duplex, response: ServerResponse | undefined): void {
  (socket as Answered)._httpMessage = response ?? null
}

/** Whether the client has ended its side, even where bytes that nobody has read stand before its FIN. */
export function hasEnded (socket: Duplex): boolean {
  return (socket as { _readableState?: { ended: boolean } })._readableState?.ended === true
}

/** Whether answers are completed behind the client's FIN, as Node's servers do when they are told to. */
export function allowsHalfOpen (socket: Duplex): boolean {
  return (socket as { server?: { httpAllowHalfOpen?: boolean } }).server?.httpAllowHalfOpen === true
}

/** Takes a response off its socket. What is written to it from now on goes nowhere, as if the client had gone. */
export function detachResponse (response: ServerResponse, socket: Duplex): void {
  response.on('error', () => {})
  response.detachSocket(socket as never)
  Object.assign(response, { destroyed: true, _closed: true })
  response.emit('close')
}

/** Answers an upgrade with an error, without Fastify. @returns the response, which ends the socket */
export function writeErrorResponse (request: IncomingMessage, socket: Duplex, { statusCode = 503, code, message }: FastifyError): ServerResponse {
  const body = JSON.stringify({ statusCode, code, error: STATUS_CODES[statusCode], message })
  const response = new ServerResponse(request)
  response.assignSocket(socket as never)
  response.shouldKeepAlive = false
  response.writeHead(statusCode, { 'retry-after': retryAfter, 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body) })
  response.end(body)
  return response
}
