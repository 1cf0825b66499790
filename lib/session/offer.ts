// Reads the entries of `Sec-WebSocket-Protocol` that belong to the protocol of docs/resume.md.
import type { IncomingMessage } from 'node:http'

/** The subprotocol of clients that count and acknowledge messages. */
export const relayProtocol = 'v1.ws-relay'
/** An offered protocol that begins with it carries a token, and a number of received messages. */
const resumePrefix = 'resume.ws-relay.'

const header = 'sec-websocket-protocol'
const ofRequest = Symbol('fastify-ws-relay.offer')

/** `<node>.<incarnation>.<serial>.<mac>`: the address of a session, and the proof of its owner. */
export interface Token {
  readonly node: string
  /** In base 36, as in a PID. */
  readonly incarnation: string
  /** The serial number of the PID, in decimal. */
  readonly serial: string
  /** 22 characters of base64url. */
  readonly mac: string
}

/** The part of a request that the mac of a token covers, besides the PID and the generation. */
export interface TokenScope {
  /** The request's `Origin`; empty if it has none. */
  readonly origin: string
  /** The request's URL up to `?`: a hook that guards `/rooms/7` must have run for room 7. */
  readonly path: string
}

/** An offer to resume a session. Untrusted. */
export interface ResumeOffer {
  readonly token: Token
  /** Data messages of the session that the client has. It may be out of date. */
  readonly received: number
}

/** The offer of a client that speaks `v1.ws-relay`. */
export interface Offer {
  /** Undefined: the client asks for a new session. `malformed`: its entry cannot be read. */
  readonly resume: ResumeOffer | 'malformed' | undefined
  /** The number of resumes that the server had granted when the request came. */
  readonly resumesBefore: number
}

/** A server, as far as offers need it. */
interface ResumingServer {
  readonly sessions: { readonly resumes: number }
}

const resumeShape =
  /^([\w-]{1,64})\.([a-z0-9]{1,16})\.([1-9]\d{0,15})\.([\w-]{22})\.(0|[1-9]\d{0,15})$/

/**
 * Takes the entries of this package off a request, before any hook sees them: a token must not
 * reach a log. The handler finds the protocols of the application only.
 * @param server with the number of resumes that it has granted so far. Not read without an offer
 */
export function takeOffer (request: IncomingMessage, server: ResumingServer): void {
  const { headers, rawHeaders } = request
  const offered = headers[header]
  if (typeof offered !== 'string' || !offered.includes('ws-relay')) return
  const { own, others } = split(offered)
  if (own.length === 0) return
  if (others.length > 0) headers[header] = others.join(', ')
  else delete headers[header]
  removeFromRaw(rawHeaders)
  // A client that does not speak the protocol cannot resume.
  if (!own.includes(relayProtocol)) return
  const offer: Offer = { resume: resumeIn(own), resumesBefore: server.sessions.resumes }
  Object.assign(request, { [ofRequest]: offer })
}

/** @returns undefined for a plain client */
export function offerOf (request: object): Offer | undefined {
  return (request as { [ofRequest]?: Offer })[ofRequest]
}

/** The scope of a token has no query, because the tickets in it are new in each request. */
export function scopeOf ({ headers, url }: IncomingMessage): TokenScope {
  return { origin: headers.origin ?? '', path: url!.split('?', 1)[0] }
}

function split (offered: string): { own: string[], others: string[] } {
  const entries = offered.split(',').map((entry) => entry.trim())
  return {
    own: entries.filter(isOwn),
    others: entries.filter((entry) => !isOwn(entry))
  }
}

function isOwn (entry: string): boolean {
  return entry === relayProtocol || entry.startsWith(resumePrefix)
}

/** Node keeps the headers a second time, as a flat list of names and values. */
function removeFromRaw (rawHeaders: string[] = []): void {
  for (let i = rawHeaders.length - 2; i >= 0; i -= 2) {
    if (rawHeaders[i].toLowerCase() !== header) continue
    const { others } = split(rawHeaders[i + 1])
    if (others.length > 0) rawHeaders[i + 1] = others.join(', ')
    else rawHeaders.splice(i, 2)
  }
}

function resumeIn (own: readonly string[]): Offer['resume'] {
  const entries = own.filter((entry) => entry !== relayProtocol)
  if (entries.length === 0) return undefined
  const match = resumeShape.exec(entries[0].slice(resumePrefix.length))
  if (match === null || entries.length > 1) return 'malformed'
  const [, node, incarnation, serial, mac, received] = match
  return { token: { node, incarnation, serial, mac }, received: Number(received) }
}
