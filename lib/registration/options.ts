import { createDeflateRaw, createInflateRaw } from 'node:zlib'
import { errorCodes, show, toError } from '../errors.js'
import { toMilliseconds } from '../shared/duration.js'
import { defaultsOf, optionsCheck } from '../shared/options.js'
import { namelessNode } from '../process/options.js'
import { deflateOptions, optionTable, overrideOptions, serverOptions } from './option-table.js'
import { compileOrigins } from './origin.js'
import { resumeSettings } from './resume-options.js'
import type { Fail } from '../shared/options.js'
import type { ConnectionSettings, ServerSettings } from '../connection/settings.js'
import type { OriginCheck } from './origin.js'
import type { ResumeSettings } from './resume-options.js'
import type { DeflateOptions, RelayRouteConfig, WsRelayOptions } from '../../types/relay.js'

const { FST_WS_RELAY_INVALID_OPTIONS } = errorCodes

/** `fastify start --prefix` and `--options` reach each plugin that @fastify/autoload finds. */
const ownOptions =
  'If fastify-cli or @fastify/autoload passed it on, give this plugin options of its own: ' +
  'fastify.register(wsRelay, { … })'

const invalid: Fail = (problem, cause) => new FST_WS_RELAY_INVALID_OPTIONS(problem, { cause })
const checkOptions = optionsCheck(optionTable, invalid, { hint: `. ${ownOptions}` })
const checkOverride = optionsCheck(overrideOptions, invalid)
const checkDeflateOptions = optionsCheck(deflateOptions, invalid)

const routeDefaults = defaultsOf(overrideOptions)
const serverDefaults = serverSettings(defaultsOf(serverOptions))

/** Options of Fastify's own `register`. */
const fastifyOptions = ['logLevel', 'logSerializers']

/** The settings of the upgrades and connections of one scope or route. */
export interface RouteSettings extends ConnectionSettings {
  readonly allowedOrigins: RelayRouteConfig['allowedOrigins']
  readonly originAllowed: OriginCheck
  readonly resume: ResumeSettings | false
  readonly proxied: boolean
}

/** One registration's options, checked and complete. */
export interface NormalizedOptions {
  readonly route: RouteSettings
  readonly server: ServerSettings
  /** The server options that were given, for comparison with another registration's. */
  readonly given: Partial<ServerSettings>
}

/**
 * Whatever `register(wsRelay, …)` was given: a bare origin string, an array of them, or an object.
 *
 * @throws `FST_WS_RELAY_INVALID_OPTIONS`
 */
export function normalizeOptions (input: unknown): NormalizedOptions {
  const options = toObject(input)
  if ('prefix' in options) {
    throw new FST_WS_RELAY_INVALID_OPTIONS(
      "'prefix' has no effect: this plugin adds no routes. " +
      'Register it inside the scope that has the prefix: app.register(async (scope) => ' +
      "{ await scope.register(wsRelay); scope.get(…) }, { prefix: '/ws' }). " + ownOptions
    )
  }
  checkOptions(options)
  checkNode(options)
  checkDeflate((options as WsRelayOptions).perMessageDeflate)
  const {
    allowedOrigins,
    maxPayload,
    maxBufferedAmount,
    overflow,
    forwardTopics,
    resume,
    maxConfigSize,
    maxMetadataSize,
    ...rest
  } = options as WsRelayOptions
  const given = serverSettings(rest)
  return {
    route: routeSettings({
      allowedOrigins,
      maxPayload,
      maxBufferedAmount,
      overflow,
      forwardTopics,
      resume,
      maxConfigSize,
      maxMetadataSize
    }),
    server: { ...serverDefaults, ...given } as ServerSettings,
    given
  }
}

/**
 * A route's own options (`config.wsRelay`), on top of its scope's.
 *
 * @throws `FST_WS_RELAY_INVALID_OPTIONS`
 */
export function overrideSettings (scope: RouteSettings, override: unknown): RouteSettings {
  if (typeof override !== 'object' || override === null || Array.isArray(override)) {
    throw new FST_WS_RELAY_INVALID_OPTIONS(
      `a route's 'config.wsRelay' must be false or an object, got '${show(override)}'`
    )
  }
  checkOverride(override)
  return routeSettings(override, scope)
}

function toObject (input: unknown): object {
  if (typeof input === 'string' || Array.isArray(input)) return { allowedOrigins: input }
  if (input === undefined || input === null) return {}
  // A Set of origins has no options, either, and would go unnoticed.
  if (Object.prototype.toString.call(input) !== '[object Object]') {
    throw new FST_WS_RELAY_INVALID_OPTIONS(
      `expected allowed origins or an object, got '${show(input)}'`
    )
  }
  return Object.fromEntries(
    Object.entries(input as object).filter(
      ([name, value]) =>
        value !== undefined && !fastifyOptions.includes(name) && !isNoPrefix(name, value)
    )
  )
}

/** `@fastify/autoload` passes an empty prefix on for `prefixOverride = ''`. */
function isNoPrefix (name: string, value: unknown): boolean {
  return name === 'prefix' && value === ''
}

/** Without this check, zlib would throw at the first message, and that would end the program. */
function checkDeflate (options: boolean | DeflateOptions | undefined): void {
  if (typeof options !== 'object') return
  checkDeflateOptions(options)
  try {
    createDeflateRaw(options.zlibDeflateOptions).close()
    createInflateRaw(options.zlibInflateOptions).close()
  } catch (err) {
    throw new FST_WS_RELAY_INVALID_OPTIONS(
      `'perMessageDeflate' has options that zlib does not take: ${show(toError(err).message)}`,
      { cause: err }
    )
  }
}

/** A node of a cluster needs a name of its own. */
function checkNode ({ cluster, node }: WsRelayOptions): void {
  if (cluster !== undefined && node === undefined) {
    throw new FST_WS_RELAY_INVALID_OPTIONS(namelessNode)
  }
}

function routeSettings (options: RelayRouteConfig, scope?: RouteSettings): RouteSettings {
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined)
  ) as RelayRouteConfig
  const { allowedOrigins, ...rest } = { ...routeDefaults, ...scope, ...given }
  const originAllowed =
    scope !== undefined && given.allowedOrigins === undefined
      ? scope.originAllowed
      : compileOrigins(allowedOrigins)
  const resume = resumeSettings(given.resume, scope?.resume ?? false, rest.overflow)
  return { ...rest, allowedOrigins, originAllowed, resume }
}

/** Durations become milliseconds. */
function serverSettings (options: Partial<WsRelayOptions>): Partial<ServerSettings> {
  const { upgradeTimeout, pingInterval, pongTimeout, closeTimeout, drain, ...rest } = options
  return {
    ...rest,
    ...upgradeTimeout !== undefined && { upgradeTimeout: toMilliseconds(upgradeTimeout) },
    ...pingInterval !== undefined && { pingInterval: toMilliseconds(pingInterval) },
    ...pongTimeout !== undefined && { pongTimeout: toMilliseconds(pongTimeout) },
    ...closeTimeout !== undefined && { closeTimeout: toMilliseconds(closeTimeout) },
    ...drain !== undefined && { drain: toMilliseconds(drain) }
  }
}
