import { constants } from 'node:buffer'
import { createDeflateRaw, createInflateRaw } from 'node:zlib'
import { Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { errorCodes, show, toError } from '../errors.js'
import { durationRange, toMilliseconds } from '../shared/duration.js'
import { expectedEngine, isEngine, namelessNode, processesDefaults } from '../process/options.js'
import { compileOrigins } from './origin.js'
import type { TObject, TSchema } from '@sinclair/typebox'
import type { TypeCheck } from '@sinclair/typebox/compiler'
import type { ConnectionSettings, ServerSettings } from '../connection/settings.js'
import type { OriginCheck } from './origin.js'
import type { Duration } from '../../types/pid.js'
import type { DeflateOptions, RelayRouteConfig, WsRelayOptions } from '../../types/relay.js'

const { FST_WS_RELAY_INVALID_OPTIONS } = errorCodes

const MiB = 1024 * 1024
const count = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const duration = Type.Union([Type.Number(), Type.String()])

// What belongs to a route or a scope, and what to the server as a whole.
const routeSchema = Type.Object({
  allowedOrigins: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
  // A text message becomes one string.
  maxPayload: Type.Optional(Type.Integer({ minimum: 1, maximum: constants.MAX_STRING_LENGTH })),
  maxBufferedAmount: Type.Optional(count),
  overflow: Type.Optional(Type.Union([Type.Literal('close'), Type.Literal('drop')])),
  forwardTopics: Type.Optional(Type.Boolean()),
  maxConfigSize: Type.Optional(count),
  maxMetadataSize: Type.Optional(count)
}, { additionalProperties: false })

const overrideSchema = Type.Object({ ...routeSchema.properties, proxied: Type.Optional(Type.Boolean()) }, { additionalProperties: false })

const serverSchema = Type.Object({
  maxFragments: Type.Optional(count),
  upgradeTimeout: Type.Optional(duration),
  maxHandshakes: Type.Optional(count),
  maxConnections: Type.Optional(count),
  pingInterval: Type.Optional(duration),
  pongTimeout: Type.Optional(duration),
  closeTimeout: Type.Optional(duration),
  perMessageDeflate: Type.Optional(Type.Union([Type.Boolean(), Type.Record(Type.String(), Type.Unknown())])),
  mailboxLimit: Type.Optional(count),
  mailboxBytes: Type.Optional(count),
  node: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' })),
  cluster: Type.Optional(Type.Unknown()),
  websocket: Type.Optional(Type.Record(Type.String(), Type.Unknown()))
}, { additionalProperties: false })

const windowBits = Type.Integer({ minimum: 8, maximum: 15 })
const deflateSchema = Type.Object({
  serverNoContextTakeover: Type.Optional(Type.Boolean()),
  clientNoContextTakeover: Type.Optional(Type.Boolean()),
  serverMaxWindowBits: Type.Optional(windowBits),
  clientMaxWindowBits: Type.Optional(windowBits),
  zlibDeflateOptions: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  zlibInflateOptions: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  threshold: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  concurrencyLimit: Type.Optional(count)
}, { additionalProperties: false })

const optionsSchema = Type.Composite([routeSchema, serverSchema], { additionalProperties: false })
const overrideCheck: TypeCheck<TObject> = TypeCompiler.Compile(overrideSchema)
const optionsCheck: TypeCheck<TObject> = TypeCompiler.Compile(optionsSchema)
const deflateCheck: TypeCheck<TObject> = TypeCompiler.Compile(deflateSchema)

const routeDefaults = {
  allowedOrigins: undefined as RelayRouteConfig['allowedOrigins'],
  maxPayload: MiB,
  maxBufferedAmount: MiB,
  overflow: 'close',
  forwardTopics: true,
  maxConfigSize: 8 * 1024,
  maxMetadataSize: 4 * 1024,
  proxied: false
} satisfies RelayRouteConfig

const serverDefaults = {
  upgradeTimeout: '10s',
  maxHandshakes: 1000,
  maxConnections: Infinity,
  pingInterval: '30s',
  pongTimeout: '30s',
  perMessageDeflate: false,
  websocket: {},
  ...processesDefaults
} satisfies WsRelayOptions

/** `fastify start --prefix` and `--options` reach each plugin that @fastify/autoload finds. */
const ownOptions = 'If fastify-cli or @fastify/autoload passed it on, give this plugin options of its own: fastify.register(wsRelay, { … })'

/** Options of Fastify's own `register`. */
const fastifyOptions = ['logLevel', 'logSerializers']

/** The settings of the upgrades and connections of one scope or route. */
export interface RouteSettings extends ConnectionSettings {
  readonly allowedOrigins: RelayRouteConfig['allowedOrigins']
  readonly originAllowed: OriginCheck
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
    throw new FST_WS_RELAY_INVALID_OPTIONS(`'prefix' has no effect: this plugin adds no routes. Register it inside the scope that has the prefix: app.register(async (scope) => { await scope.register(wsRelay); scope.get(…) }, { prefix: '/ws' }). ${ownOptions}`)
  }
  check(optionsCheck, optionsSchema, options, `. ${ownOptions}`)
  checkCluster(options)
  checkDeflate((options as WsRelayOptions).perMessageDeflate)
  const { allowedOrigins, maxPayload, maxBufferedAmount, overflow, forwardTopics, maxConfigSize, maxMetadataSize, ...rest } = options as WsRelayOptions
  const given = serverSettings(rest)
  return {
    route: routeSettings({ allowedOrigins, maxPayload, maxBufferedAmount, overflow, forwardTopics, maxConfigSize, maxMetadataSize }),
    server: { ...serverSettings(serverDefaults), ...given } as ServerSettings,
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
    throw new FST_WS_RELAY_INVALID_OPTIONS(`a route's 'config.wsRelay' must be false or an object, got '${show(override)}'`)
  }
  check(overrideCheck, overrideSchema, override)
  return routeSettings(override, scope)
}

function toObject (input: unknown): object {
  if (typeof input === 'string' || Array.isArray(input)) return { allowedOrigins: input }
  if (input === undefined || input === null) return {}
  // A Set of origins has no options, either, and would go unnoticed.
  if (Object.prototype.toString.call(input) !== '[object Object]') throw new FST_WS_RELAY_INVALID_OPTIONS(`expected allowed origins or an object, got '${show(input)}'`)
  return Object.fromEntries(Object.entries(input as object).filter(([name, value]) => value !== undefined && !fastifyOptions.includes(name) && !isNoPrefix(name, value)))
}

/** What `@fastify/autoload` makes of `prefixOverride = ''`: then a folder's name is no prefix. */
function isNoPrefix (name: string, value: unknown): boolean {
  return name === 'prefix' && value === ''
}

/** ws looks at none of it, and zlib not before a message is there: its error would end the application. */
function checkDeflate (options: boolean | DeflateOptions | undefined): void {
  if (typeof options !== 'object') return
  check(deflateCheck, deflateSchema, options)
  try {
    createDeflateRaw(options.zlibDeflateOptions).close()
    createInflateRaw(options.zlibInflateOptions).close()
  } catch (err) {
    throw new FST_WS_RELAY_INVALID_OPTIONS(`'perMessageDeflate' has options that zlib does not take: ${show(toError(err).message)}`, { cause: err })
  }
}

/** @param hint what to do about an unknown option */
function check (compiled: TypeCheck<TObject>, { properties }: TObject, value: object, hint = ''): void {
  if (compiled.Check(value)) return
  const { path } = compiled.Errors(value).First()!
  const name = path.split('/')[1]
  if (!Object.hasOwn(properties, name)) throw new FST_WS_RELAY_INVALID_OPTIONS(`there is no option '${show(name)}' here, only ${Object.keys(properties).join(', ')}${hint}`)
  const got = show((value as Record<string, unknown>)[name])
  throw new FST_WS_RELAY_INVALID_OPTIONS(`'${name}' must be ${describe(properties[name])}, got '${got}'`)
}

function checkCluster ({ cluster, node }: WsRelayOptions): void {
  if (cluster === undefined) return
  if (!isEngine(cluster)) throw new FST_WS_RELAY_INVALID_OPTIONS(`'cluster' must be ${expectedEngine}, got '${show(cluster)}'`)
  if (node === undefined) throw new FST_WS_RELAY_INVALID_OPTIONS(namelessNode)
}

function describe (schema: TSchema): string {
  if (schema.anyOf) return (schema.anyOf as TSchema[]).map(describe).join(' or ')
  if (schema.const !== undefined) return `'${schema.const}'`
  if (schema.type === 'integer') return schema.maximum < Number.MAX_SAFE_INTEGER ? `an integer from ${schema.minimum} to ${schema.maximum}` : `an integer from ${schema.minimum}`
  if (schema.pattern) return `a string like ${schema.pattern}`
  return schema.type === 'object' || schema.type === 'array' ? `an ${schema.type}` : `a ${schema.type}`
}

function routeSettings (options: RelayRouteConfig, scope?: RouteSettings): RouteSettings {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as RelayRouteConfig
  const { allowedOrigins, ...rest } = { ...routeDefaults, ...scope, ...given }
  const originAllowed = scope !== undefined && given.allowedOrigins === undefined ? scope.originAllowed : compileOrigins(allowedOrigins)
  return { ...rest, allowedOrigins, originAllowed }
}

function serverSettings (options: Partial<WsRelayOptions>): Partial<ServerSettings> {
  const { upgradeTimeout, pingInterval, pongTimeout, closeTimeout, ...rest } = options
  return {
    ...rest,
    ...upgradeTimeout !== undefined && { upgradeTimeout: milliseconds('upgradeTimeout', upgradeTimeout, 1) },
    ...pingInterval !== undefined && { pingInterval: milliseconds('pingInterval', pingInterval, 0) },
    ...pongTimeout !== undefined && { pongTimeout: milliseconds('pongTimeout', pongTimeout, 0) },
    ...closeTimeout !== undefined && { closeTimeout: milliseconds('closeTimeout', closeTimeout, 0) }
  }
}

function milliseconds (name: string, value: Duration, min: number): number {
  try {
    return toMilliseconds(value, min)
  } catch (err) {
    throw new FST_WS_RELAY_INVALID_OPTIONS(`'${name}' must be a duration of ${durationRange(min)}, got '${show(value)}'`, { cause: err })
  }
}
