import type { FastifyReply } from 'fastify'

const tracked = Symbol('fastify-ws-relay.watched')

/** `reply.from` of `@fastify/reply-from`, which `@fastify/http-proxy` uses as well. */
type From = ((this: FastifyReply, ...args: unknown[]) => unknown) & { [tracked]?: true }

interface Proxying {
  from?: From
}

/** Replies that come from another server, headers included. */
const proxied = new WeakSet<FastifyReply>()

/** Called before the handler, to learn whether the reply will go through `reply.from`. */
export function trackProxy (reply: FastifyReply): void {
  const { from } = reply as Proxying
  if (from !== undefined && from[tracked] === undefined) wrapFrom(reply, from)
}

/** A decorator stands on the prototype of all replies of its scope: it is replaced there, once. */
function wrapFrom (reply: object, from: From): void {
  let owner = reply
  while (!Object.hasOwn(owner, 'from')) owner = Object.getPrototypeOf(owner) as object
  const watching: From = function (...args) {
    proxied.add(this)
    return from.apply(this, args)
  }
  watching[tracked] = true
  ;(owner as Proxying).from = watching
}

/** Whether a reply's headers come from another server. When in doubt they do: an earlier hook has replied. */
export function isProxied (reply: FastifyReply): boolean {
  const { from } = reply as Proxying
  return proxied.has(reply) || (from !== undefined && from[tracked] === undefined)
}
