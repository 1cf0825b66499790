import type { ServerResponse } from 'node:http'

/** The reply header that asks for the upgrade. It is between the handler and the relay. */
export const relayHeader = 'x-ws-relay'

const original = Symbol('fastify-ws-relay.writeHead')

type WriteHead = (this: object, ...args: unknown[]) => unknown

/**
 * Keeps the header off a response, whoever writes it. Hooks see most replies, but not those of an
 * `onSend` hook that fails, which Fastify writes without asking again, nor a hijacked one.
 */
export function withhold (response: ServerResponse): void {
  if (original in response) return
  Object.assign(response, { [original]: response.writeHead, writeHead: writeHeadWithout })
}

function writeHeadWithout (this: ServerResponse, ...args: unknown[]): unknown {
  if (!this.headersSent && this.hasHeader(relayHeader)) this.removeHeader(relayHeader)
  const last = args.length - 1
  if (typeof args[last] === 'object' && args[last] !== null) args[last] = without(args[last])
  return (this as unknown as { [original]: WriteHead })[original](...args)
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
