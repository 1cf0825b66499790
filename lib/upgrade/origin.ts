import { domainToASCII, domainToUnicode } from 'node:url'
import { errorCodes, show } from '../errors.js'

const { FST_WS_RELAY_INVALID_OPTIONS } = errorCodes

/** What an origin check reads of a request; a `FastifyRequest` is one. */
export interface OriginRequest {
  /** `origin` is absent where the client is not a browser. Untrusted. */
  readonly headers: { readonly origin?: string | undefined }
  /** Fastify's, so that `trustProxy` decides whether a forwarded host counts. */
  readonly host: string
  /** Fastify's, for the same reason. */
  readonly protocol: string
}

/** Whether a request may become a WebSocket, as far as its origin is concerned. */
export type OriginCheck = (request: OriginRequest) => boolean

interface Origin {
  readonly scheme: string
  /** In lower case; international names in punycode, IPv6 compressed and in brackets. */
  readonly host: string
  /** The port in effect: the scheme's default where none was given. */
  readonly port: string
  readonly onDefaultPort: boolean
}

const expected = "expected one such as 'https://app.example.com', 'app.example.com:8080', '*.example.com', 'https://*.example.com', " +
  "'http://localhost:*', 'capacitor://localhost' or '*'"
const defaultPorts = new Map([['http', '80'], ['https', '443']])
// Some proxies announce the forwarded scheme of an upgrade as `wss`, and people write it in patterns.
const schemes = new Map([['ws', 'http'], ['wss', 'https']])
/** Schemes whose pages have no origin to compare, or are no pages. The first is a typing error. */
const pointless = /^(?:ht[a-z]*|about|blob|data|file|ftps?|javascript)$/
/** The only hosts with any port: whatever listens there is on the user's own machine. */
const loopback = new Set(['localhost', '127.0.0.1', '[::1]'])
// A name in the DNS has 253 characters and perhaps a dot at its end.
const longestHost = 254

// Neither has room for a path, a query, userinfo, white space, control characters or a second origin.
const scheme = '([a-z][a-z\\d+.-]*)://'
const host = '(\\[[\\da-f:.]+\\]|[\\w.\\-\\u0080-\\uffff]+)'
const port = '[1-9]\\d{0,4}'
const originShape = new RegExp(`^${scheme}${host}(?::(${port}))?$`, 'i')
const patternShape = new RegExp(`^(?:${scheme})?(\\*\\.)?${host}(?::(${port}|\\*))?$`, 'i')

/** The form in which hosts are compared; empty when it is not a host. */
function toHost (text: string): string {
  // An empty label, or punycode of nothing, which not every Node refuses.
  if (text.length > longestHost || /^\.|\.\.|(?:^|\.)xn--(?:\.|$)/i.test(text)) return ''
  const host = domainToASCII(text)
  const written = text.toLowerCase().normalize()
  // A browser sends the canonical form. Spellings that a URL parser merely maps to another host
  // ("127.1", full-width letters, invisible characters) are how a filter gets fooled.
  return host === written || text.startsWith('[') || domainToUnicode(host) === written ? host : ''
}

function toOrigin (schemeText: string, hostText: string, portText: string | undefined): Origin | undefined {
  const lowerCase = schemeText.toLowerCase()
  const scheme = schemes.get(lowerCase) ?? lowerCase
  const defaultPort = defaultPorts.get(scheme) ?? ''
  const port = portText ?? defaultPort
  const host = toHost(hostText)
  return host === '' || Number(port) > 65535 ? undefined : { scheme, host, port, onDefaultPort: port === defaultPort }
}

function parseOrigin (text: string): Origin | undefined {
  const parts = originShape.exec(text)
  return parts === null ? undefined : toOrigin(parts[1], parts[2], parts[3])
}

function listOf (allowed: unknown): string[] {
  const items: unknown[] = Array.isArray(allowed) ? Array.from(allowed) : [allowed ?? '']
  return items.flatMap((item) => {
    if (allowed === null || typeof item !== 'string') {
      throw new FST_WS_RELAY_INVALID_OPTIONS(`allowedOrigins: expected a comma-separated string or an array of strings, got ${show(allowed === null ? null : item)}`)
    }
    return item.split(',').map((pattern) => pattern.trim()).filter((pattern) => pattern !== '')
  })
}

/**
 * The key under which a pattern is found: `https://host:443`, `//host:8080` for any scheme, `//host`
 * for any scheme on its default port; with `*.` before the host for its subdomains, and `:*` behind it
 * for any port.
 */
function keyOf (pattern: string): string {
  if (pattern === '*') return pattern
  // A URL copied from the address bar ends with one slash.
  const parts = patternShape.exec(pattern.includes('://') ? pattern.replace(/\/$/, '') : pattern)
  const isAnyPort = parts?.[4] === '*'
  const origin = parts === null ? undefined : toOrigin(parts[1] ?? 'http', parts[3], isAnyPort ? undefined : parts[4])
  if (parts === null || origin === undefined || !isPattern(origin, parts[2] !== undefined, isAnyPort)) {
    // What stands before an @ may be a password.
    throw new FST_WS_RELAY_INVALID_OPTIONS(`allowedOrigins: '${show(pattern).replace(/[^/]*@/, '…@')}' is not an origin, ${expected}`)
  }
  const host = (parts[2] ?? '') + origin.host
  const port = isAnyPort ? '*' : origin.port
  if (parts[1] !== undefined) return `${origin.scheme}://${host}:${port}`
  return parts[4] === undefined ? `//${host}` : `//${host}:${port}`
}

/** Origins of web views and extensions, of other schemes than the web's, have no wildcards. */
function isPattern ({ scheme, host }: Origin, hasSubdomains: boolean, isAnyPort: boolean): boolean {
  const isWeb = defaultPorts.has(scheme)
  // `null` is what a browser sends for an opaque origin: taken as a host name it would mislead.
  if (host === 'null' || host.endsWith('.') || (!isWeb && pointless.test(scheme))) return false
  if (hasSubdomains && (!isWeb || isAnyPort || /^\[|\.\d+$/.test(host))) return false
  return !isAnyPort || (isWeb && loopback.has(host))
}

/**
 * Compiles an allow-list of origins into one check (RFC 6454 section 7; RFC 6455 section 10.2).
 *
 * A request without `Origin` is accepted: it does not come from a browser. So is the request's own
 * origin: same scheme, host and port, as Fastify's `request.protocol` and `request.host` tell them.
 * `Origin: null`, and whatever is not exactly one origin, is accepted by `*` alone.
 *
 * | pattern | accepts |
 * |---|---|
 * | `*` | everything |
 * | `https://app.example.com` | this origin; `wss` means `https`, `ws` means `http`; one slash may follow |
 * | `app.example.com` | every scheme on its default port |
 * | `app.example.com:8080` | every scheme on that port |
 * | `*.example.com`, `https://*.example.com` | subdomains of any depth, not `example.com` itself; ports as above |
 * | `http://localhost:*`, `127.0.0.1:*`, `[::1]:*` | any port of this very host, and of no other |
 * | `capacitor://localhost`, `chrome-extension://<id>` | exactly this origin of a web view or an extension |
 *
 * @param allowed patterns, comma-separated or as an array; blanks are trimmed, empty items ignored.
 * None: same-origin only
 * @throws `FST_WS_RELAY_INVALID_OPTIONS` for a malformed pattern
 */
export function compileOrigins (allowed: string | readonly string[] | undefined): OriginCheck {
  const keys = new Set(listOf(allowed).map(keyOf))
  if (keys.has('*')) return () => true
  const hasSubdomains = [...keys].some((key) => key.includes('*.'))
  const hasAnyPort = [...keys].some((key) => key.endsWith(':*'))

  function isListed ({ scheme, host, port, onDefaultPort }: Origin): boolean {
    const has = (name: string): boolean =>
      keys.has(`${scheme}://${name}:${port}`) || keys.has(`//${name}:${port}`) || (onDefaultPort && keys.has(`//${name}`))
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
