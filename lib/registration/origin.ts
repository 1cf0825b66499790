import { domainToASCII, domainToUnicode } from 'node:url'
import { errorCodes, show } from '../errors.js'
import { RecentKeys } from '../shared/recent-keys.js'
import type { FastifyRequest } from 'fastify'
import type { Clock } from '../shared/clock.js'

const { FST_WS_RELAY_INVALID_OPTIONS } = errorCodes

/** The part of a `FastifyRequest` that an origin check reads. */
export interface OriginRequest {
  /** Untrusted. `origin` is absent when the client is not a browser. */
  readonly headers: { readonly origin?: string | undefined }
  /** From Fastify, so that `trustProxy` decides whether a forwarded host counts. */
  readonly host: string
  /** From Fastify, for the same reason. */
  readonly protocol: string
}

/** Whether the origin of a request allows it to become a WebSocket. */
export type OriginCheck = (request: OriginRequest) => boolean

interface Origin {
  readonly scheme: string
  /** In lower case; international names in punycode, IPv6 compressed and in brackets. */
  readonly host: string
  /** The default port of the scheme when no port was given. */
  readonly port: string
  readonly onDefaultPort: boolean
}

const expected = "expected one such as 'https://app.example.com', 'app.example.com:8080', " +
  "'*.example.com', 'https://*.example.com', 'http://localhost:*', 'capacitor://localhost' or '*'"
const defaultPorts = new Map([['http', '80'], ['https', '443']])
// Some proxies forward the scheme of an upgrade as `wss`, and people write it in patterns.
const schemes = new Map([['ws', 'http'], ['wss', 'https']])
/** Schemes whose pages have no origin, or no pages. The first one is a misspelt `http`. */
const pointless = /^(?:ht[a-z]*|about|blob|data|file|ftps?|javascript)$/
/** Only these hosts may have `:*`: their servers run on the user's own machine. */
const loopback = new Set(['localhost', '127.0.0.1', '[::1]'])
// A DNS name has at most 253 characters, and an optional dot at its end.
const longestHost = 254

// Both exclude a path, a query, userinfo, white space, control characters and a second origin.
const scheme = '([a-z][a-z\\d+.-]*)://'
const host = '(\\[[\\da-f:.]+\\]|[\\w.\\-\\u0080-\\uffff]+)'
const port = '[1-9]\\d{0,4}'
const originShape = new RegExp(`^${scheme}${host}(?::(${port}))?$`, 'i')
const patternShape = new RegExp(`^(?:${scheme})?(\\*\\.)?${host}(?::(${port}|\\*))?$`, 'i')

/** The form in which hosts are compared; empty when the text is not a host. */
function toHost (text: string): string {
  // An empty label, or empty punycode, which some Node releases accept.
  if (text.length > longestHost || /^\.|\.\.|(?:^|\.)xn--(?:\.|$)/i.test(text)) return ''
  const host = domainToASCII(text)
  const written = text.toLowerCase().normalize()
  // A browser sends the canonical form. A URL parser maps other spellings to the same host
  // ("127.1", full-width letters, invisible characters), which attackers use to pass a filter.
  const isCanonical = host === written || domainToUnicode(host) === written
  return isCanonical || text.startsWith('[') ? host : ''
}

function toOrigin (
  schemeText: string, hostText: string, portText: string | undefined
): Origin | undefined {
  const lowerCase = schemeText.toLowerCase()
  const scheme = schemes.get(lowerCase) ?? lowerCase
  const defaultPort = defaultPorts.get(scheme) ?? ''
  const port = portText ?? defaultPort
  const host = toHost(hostText)
  if (host === '' || Number(port) > 65535) return undefined
  return { scheme, host, port, onDefaultPort: port === defaultPort }
}

function parseOrigin (text: string): Origin | undefined {
  const parts = originShape.exec(text)
  return parts === null ? undefined : toOrigin(parts[1], parts[2], parts[3])
}

function listOf (allowed: unknown): string[] {
  const items: unknown[] = Array.isArray(allowed) ? Array.from(allowed) : [allowed ?? '']
  return items.flatMap((item) => {
    if (allowed === null || typeof item !== 'string') {
      const got = show(allowed === null ? null : item)
      throw new FST_WS_RELAY_INVALID_OPTIONS(
        `allowedOrigins: expected a comma-separated string or an array of strings, got ${got}`
      )
    }
    return item.split(',').map((pattern) => pattern.trim()).filter((pattern) => pattern !== '')
  })
}

/**
 * The key of a pattern in the set of allowed origins: `https://host:443`; `//host:8080` for any
 * scheme; `//host` for any scheme on its default port. A `*.` before the host stands for its
 * subdomains, a `:*` after it for any port.
 */
function keyOf (pattern: string): string {
  if (pattern === '*') return pattern
  // A URL copied from the address bar ends with one slash.
  const parts = patternShape.exec(pattern.includes('://') ? pattern.replace(/\/$/, '') : pattern)
  if (parts === null) throw notAnOrigin(pattern)
  const isAnyPort = parts[4] === '*'
  const origin = toOrigin(parts[1] ?? 'http', parts[3], isAnyPort ? undefined : parts[4])
  if (origin === undefined || !isPattern(origin, parts[2] !== undefined, isAnyPort)) {
    throw notAnOrigin(pattern)
  }
  const host = (parts[2] ?? '') + origin.host
  const port = isAnyPort ? '*' : origin.port
  if (parts[1] !== undefined) return `${origin.scheme}://${host}:${port}`
  return parts[4] === undefined ? `//${host}` : `//${host}:${port}`
}

function notAnOrigin (pattern: string): Error {
  // The text before an @ may be a password.
  const text = show(pattern).replace(/[^/]*@/, '…@')
  return new FST_WS_RELAY_INVALID_OPTIONS(`allowedOrigins: '${text}' is not an origin, ${expected}`)
}

/** Origins of web views and extensions, which have schemes of their own, take no wildcards. */
function isPattern ({ scheme, host }: Origin, hasSubdomains: boolean, isAnyPort: boolean): boolean {
  const isWeb = defaultPorts.has(scheme)
  // A browser sends `null` for an opaque origin. A host of that name would be confused with it.
  if (host === 'null' || host.endsWith('.') || (!isWeb && pointless.test(scheme))) return false
  if (hasSubdomains && (!isWeb || isAnyPort || /^\[|\.\d+$/.test(host))) return false
  return !isAnyPort || (isWeb && loopback.has(host))
}

/**
 * Compiles an allow-list of origins into one check (RFC 6454 section 7; RFC 6455 section 10.2).
 *
 * A request without `Origin` is accepted, because it does not come from a browser. The request's
 * own origin is accepted too: the same scheme, host and port as in Fastify's `request.protocol` and
 * `request.host`. Only `*` accepts `Origin: null`, or a value that is not exactly one origin.
 *
 * | pattern | accepts |
 * |---|---|
 * | `*` | everything |
 * | `https://app.example.com` | this origin; `wss` means `https`, `ws` `http`; a slash may follow |
 * | `app.example.com` | every scheme on its default port |
 * | `app.example.com:8080` | every scheme on that port |
 * | `*.example.com`, `https://*.example.com` | subdomains of any depth, but not `example.com` |
 * | `http://localhost:*`, `127.0.0.1:*`, `[::1]:*` | any port of this host, and of no other |
 * | `capacitor://localhost`, `chrome-extension://<id>` | this web view or extension |
 *
 * @param allowed patterns, comma-separated or as an array; blanks are trimmed, empty items ignored.
 * Without patterns only the request's own origin is accepted
 * @throws `FST_WS_RELAY_INVALID_OPTIONS` for a malformed pattern
 */
export function compileOrigins (allowed: string | readonly string[] | undefined): OriginCheck {
  const keys = new Set(listOf(allowed).map(keyOf))
  if (keys.has('*')) return () => true
  const hasSubdomains = [...keys].some((key) => key.includes('*.'))
  const hasAnyPort = [...keys].some((key) => key.endsWith(':*'))

  function isListed ({ scheme, host, port, onDefaultPort }: Origin): boolean {
    const has = (name: string): boolean =>
      keys.has(`${scheme}://${name}:${port}`) ||
      keys.has(`//${name}:${port}`) ||
      (onDefaultPort && keys.has(`//${name}`))
    if (has(host)) return true
    if (hasAnyPort && (keys.has(`${scheme}://${host}:*`) || keys.has(`//${host}:*`))) return true
    if (!hasSubdomains) return false
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      if (has(`*${host.slice(dot)}`)) return true
    }
    return false
  }

  function isOwn ({ scheme, host, port }: Origin, request: OriginRequest): boolean {
    const own = parseOrigin(`${request.protocol}://${request.host}`)
    return own !== undefined && own.scheme === scheme && own.host === host && own.port === port
  }

  return (request) => {
    const text = request.headers.origin
    if (text === undefined) return true
    const origin = parseOrigin(text)
    return origin !== undefined && (isListed(origin) || isOwn(origin, request))
  }
}

/** Milliseconds between two log lines about the same origin. */
const logInterval = 60_000
/** Remembered origins. A client can send any number of them. */
const maxLogged = 100
const refusedOrigin = 'refused the origin of an upgrade: list it in allowedOrigins. ' +
  'If it is the own origin of the server behind a proxy, turn trustProxy on'

/** Logs the origins that a server refuses: each once a minute, and at most 100 a minute. */
export class RefusedOrigins {
  readonly #logged: RecentKeys

  constructor (clock: Pick<Clock, 'now'>) {
    this.#logged = new RecentKeys({ limit: maxLogged, forgetAfter: logInterval }, clock)
  }

  logOnce ({ headers, host, log, protocol }: FastifyRequest): void {
    const origin = show(headers.origin)
    if (!this.#logged.add(origin)) return
    log.warn({ origin, ownOrigin: show(`${protocol}://${host}`) }, refusedOrigin)
  }
}
