import type { ServerResponse } from 'node:http'

/** The reply header that asks for the upgrade. It is between the handler and the relay. */
export const relayHeader = 'x-ws-relay'

const original = Symbol('fastify-ws-relay.writeHead')

type WriteHead = (this: object, ...args: unknown[]) => unknown

interface Patched {
  [original]?: WriteHead
  writeHead: WriteHead
}

/**
 * Keeps the header off a response, whoever writes it. Hooks see most replies, but not those of an
 * `onSend` hook that fails, which Fastify writes without asking again, nor a hijacked one.
 */
export function withhold (response: ServerResponse): void {
  const patched = response as unknown as Patched
  if (patched[original] !== undefined) return
  patched[original] = patched.writeHead
  patched.writeHead = writeHeadWithout
}

function writeHeadWithout (this: object, ...args: unknown[]): unknown {
  const response = this as ServerResponse & Required<Patched>
  if (!response.headersSent && response.hasHeader(relayHeader)) response.removeHeader(relayHeader)
  const last = args.length - 1
  if (typeof args[last] === 'object' && args[last] !== null) args[last] = without(args[last])
  return response[original](...args)
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
