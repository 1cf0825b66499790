import { retryAfter } from '../errors.js'
import type { Duplex } from 'node:stream'
import type { FastifyError, FastifyReply } from 'fastify'

const sendWasCalled = Symbol('fastify-ws-relay.sendWasCalled')
/** The own state of a reply whose `send` is tracked. */
interface Tracked {
  [sendWasCalled]?: boolean
}

const isTracked = Symbol('fastify-ws-relay.isTracked')

/**
 * A pending question to another node, or a wait for the start of a process. At most one of the two
 * methods is called, once.
 */
export interface RemoteQuery {
  readonly waitsFor: 'node' | 'key'
  /** The upgrade is refused instead: it took too long, or the server closes. */
  onRefused (error: FastifyError): void
  onClientGone (): void
}

/** Records when the handler calls `reply.send`, or Fastify does with the returned value. */
export function trackSend (reply: FastifyReply): void {
  (reply as Tracked)[sendWasCalled] = false
  reply.send = trackedSend
}

function trackedSend (this: FastifyReply, payload?: unknown): FastifyReply {
  (this as Tracked)[sendWasCalled] = true
  return (Object.getPrototypeOf(this) as FastifyReply).send.call(this, payload)
}

/** Whether `send` was called on a tracked reply. Its `onSend` hooks may still be running. */
export function isSending (reply: FastifyReply): boolean {
  return (reply as Tracked)[sendWasCalled] === true
}

/**
 * Called by `reply.relay`. A reply is a thenable that settles when the response has ended. This one
 * is sent first, so that a handler may return or await it.
 */
export function sendWhenAwaited (reply: FastifyReply): void {
  // Somebody else has replaced `send`, and nobody knows whether it was called.
  if ((reply as Tracked)[sendWasCalled] === undefined) {
    if (Object.hasOwn(reply, 'send')) return
    trackSend(reply)
  }
  reply.then = thenOfRelayed
}

function thenOfRelayed (this: FastifyReply, ...callbacks: Parameters<FastifyReply['then']>): void {
  if (!isSending(this) && !this.sent) this.send()
  thenOfReply(this).apply(this, callbacks)
}

/** Settles when the response has ended. In contrast to `reply.then`, it never sends. */
export function responseEnded (reply: FastifyReply): Promise<void> {
  return new Promise((resolve, reject) => { thenOfReply(reply).call(reply, resolve, reject) })
}

function thenOfReply (reply: FastifyReply): FastifyReply['then'] {
  return (Object.getPrototypeOf(reply) as FastifyReply).then
}

const handlerTimeout = 'upgrade timed out: its handler did not reply. ' +
  'A synchronous handler must call reply.send(), and so must an async one that returns the reply'
const hijackTimeout = 'upgrade timed out: its handler hijacked the reply and sent no response. ' +
  'To let a handler answer upgrades itself, set config: { wsRelay: false } on its route'

/** Logs the cause when an upgrade has no response within `upgradeTimeout`. */
export function logTimeout (reply: FastifyReply, query: RemoteQuery | undefined): void {
  if (reply.sent) reply.log.warn(hijackTimeout)
  else if (query?.waitsFor === 'key') {
    reply.log.warn('upgrade timed out: the process of its key did not ask for mail')
  } else if (query !== undefined) {
    reply.log.warn('upgrade timed out: the remote node of the target did not answer')
  } else if (isSending(reply)) {
    reply.log.warn('upgrade timed out: the hooks of its reply did not finish')
  } else reply.log.warn(handlerTimeout)
}

/** Replies with an error in place of a handler that has not replied. */
export function sendError (
  reply: FastifyReply, query: RemoteQuery | undefined, error: FastifyError
): void {
  // The status holds unless an error handler sets another one.
  reply.code(error.statusCode!).header('retry-after', retryAfter)
  if (query === undefined) reply.send(error)
  else query.onRefused(error)
}

/** `reply.from` of `@fastify/reply-from`, which `@fastify/http-proxy` uses as well. */
type From = ((this: FastifyReply, ...args: unknown[]) => unknown) & { [isTracked]?: true }

interface Proxying {
  from?: From
}

/** Replies that come from another server, headers included. */
const proxied = new WeakSet<FastifyReply>()

/** Called before the handler, to find out whether the reply will go through `reply.from`. */
export function trackProxy (reply: FastifyReply): void {
  const { from } = reply as Proxying
  if (from !== undefined && from[isTracked] === undefined) wrapFrom(reply, from)
}

/** A decorator stands on the prototype of all replies of its scope: it is replaced there, once. */
function wrapFrom (reply: object, from: From): void {
  let owner = reply
  while (!Object.hasOwn(owner, 'from')) owner = Object.getPrototypeOf(owner) as object
  const trackedFrom: From = function (...args) {
    proxied.add(this)
    return from.apply(this, args)
  }
  trackedFrom[isTracked] = true
  ;(owner as Proxying).from = trackedFrom
}

/**
 * Whether the headers of a reply come from another server. The answer is yes when it is unknown,
 * because an earlier hook replied before `reply.from` was tracked.
 */
export function isProxied (reply: FastifyReply): boolean {
  const { from } = reply as Proxying
  return proxied.has(reply) || (from !== undefined && from[isTracked] === undefined)
}

/** Replies that answer an error. Whatever their status, none of them opens a socket. */
const failed = new WeakSet<FastifyReply>()

export function markFailed (reply: FastifyReply): void {
  failed.add(reply)
}

export function isFailed (reply: FastifyReply): boolean {
  return failed.has(reply)
}

/** Headers that describe the body of a reply, as alternatives of a regular expression. */
export const bodyHeaders =
  'content-(?:disposition|digest|encoding|language|length|location|md5|range|type)|' +
  'accept-ranges|etag|last-modified'
const ofBody = new RegExp(`^(?:${bodyHeaders})$`)

/** Called when the body is removed. */
export function removeBodyHeaders (reply: FastifyReply): void {
  for (const name of Object.keys(reply.getHeaders())) {
    if (ofBody.test(name)) reply.removeHeader(name)
  }
}

interface MaybeStream {
  destroy?: () => void
  cancel?: () => Promise<void>
  on?: Duplex['on']
}

/** Frees the body of a reply that is not sent: a Node or web stream would stay open. */
export function discardBody (payload: unknown): void {
  if (typeof payload !== 'object') return
  const stream = payload as MaybeStream | null
  if (typeof stream?.destroy === 'function') {
    stream.on?.('error', () => {})
    stream.destroy()
  } else if (typeof stream?.cancel === 'function') stream.cancel().catch(() => {})
}
