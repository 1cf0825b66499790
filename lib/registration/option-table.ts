import { constants } from 'node:buffer'
import { Type } from '@sinclair/typebox'
import { drainOptions, sharedOptions } from '../process/options.js'
import { choice, duration, flag, integer } from '../shared/options.js'
import type { Option } from '../shared/options.js'
import type {
  DeflateOptions,
  RelayRouteConfig,
  RelayRouteOptions,
  WsRelayOptions
} from '../../types/relay.js'

const KiB = 1024
const MiB = 1024 * KiB

const record = Type.Record(Type.String(), Type.Unknown())

/** An object whose fields are not looked at here. */
function fields<const D> (byDefault: D): Option<D> {
  return { schema: record, default: byDefault, expected: 'an object' }
}

/** Options of a registration, which a route may override. */
export const routeOptions = {
  allowedOrigins: {
    schema: Type.Union([Type.String(), Type.Array(Type.String())]),
    default: undefined as RelayRouteOptions['allowedOrigins'],
    expected: 'a string or an array of strings'
  },
  // A text message becomes one string.
  maxPayload: integer(MiB as number, 'bytes', 1, constants.MAX_STRING_LENGTH),
  maxBufferedAmount: integer(MiB as number, 'bytes'),
  overflow: choice(['close', 'drop'], 'close'),
  forwardTopics: flag(true as boolean),
  resume: {
    // Its own fields are checked by `resumeSettings`.
    schema: Type.Union([Type.Boolean(), record]),
    default: false as RelayRouteOptions['resume'],
    expected: 'a boolean or an object'
  },
  maxConfigSize: integer(8 * KiB as number, 'bytes'),
  maxMetadataSize: integer(4 * KiB as number, 'bytes')
} satisfies Record<keyof RelayRouteOptions, Option>

/** Options of one route (`config.wsRelay`). */
export const overrideOptions = {
  ...routeOptions,
  proxied: flag(false as boolean)
} satisfies Record<keyof RelayRouteConfig, Option>

/** Options that a server has once, however often the plugin is registered. */
export const serverOptions = {
  // Its default follows from `maxPayload`: `defaultFragments`.
  maxFragments: integer(undefined, 'fragments'),
  upgradeTimeout: duration('10s', 1),
  maxHandshakes: integer(1000, 'upgrades'),
  maxConnections: integer(Infinity, 'connections'),
  maxSuspended: integer(10_000, 'connections'),
  maxResumeBytes: integer(256 * MiB, 'bytes'),
  pingInterval: duration('30s'),
  pongTimeout: duration('30s'),
  drain: { ...drainOptions.over, default: '0s' },
  perMessageDeflate: {
    schema: Type.Union([Type.Boolean(), record]),
    default: false,
    expected: 'a boolean or an object'
  },
  ...sharedOptions,
  websocket: fields({})
} satisfies Record<Exclude<keyof WsRelayOptions, keyof RelayRouteOptions>, Option>

/** Every option of `register(wsRelay, …)`. */
export const optionTable = {
  ...routeOptions,
  ...serverOptions
} satisfies Record<keyof WsRelayOptions, Option>

/** Options of `perMessageDeflate`; the defaults are those of `ws`. */
export const deflateOptions = {
  serverNoContextTakeover: flag(false),
  clientNoContextTakeover: flag(false),
  serverMaxWindowBits: integer(undefined, undefined, 8, 15),
  clientMaxWindowBits: integer(undefined, undefined, 8, 15),
  zlibDeflateOptions: fields(undefined),
  zlibInflateOptions: fields(undefined),
  threshold: integer(KiB, 'bytes', 0),
  concurrencyLimit: integer(10)
} satisfies Record<keyof DeflateOptions, Option>
