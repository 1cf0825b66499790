import { loadClients } from './load-clients.js'
import { addressesOf } from './addresses.js'
import { engineParser } from './engine-settings.js'
import { dialRedis } from './redis/redis-session.js'
import { SessionTransport } from './session/session-transport.js'
import { errorCodes } from '../../errors.js'
import { custom } from '../../shared/options.js'
import type { RedisOptions as ClientOptions } from 'ioredis'
import type { ClusterEngine, ClusterEngineOptions } from '../../../types/cluster.js'

export type { ClusterEngine, ClusterEngineOptions, ClusterTiming } from '../../../types/cluster.js'

const { FST_CLUSTER_INVALID_OPTIONS } = errorCodes

/** Options about reconnecting, queueing and the shape of answers: this package sets them. */
const reservedOptions = [
  'retryStrategy', 'reconnectOnError', 'autoResubscribe', 'autoResendUnfulfilledCommands',
  'maxRetriesPerRequest', 'enableOfflineQueue', 'enableReadyCheck', 'lazyConnect',
  'connectTimeout', 'disconnectTimeout', 'commandTimeout', 'socketTimeout',
  'sentinelRetryStrategy', 'sentinelCommandTimeout', 'readOnly', 'stringNumbers',
  'replyMapping', 'keyPrefix', 'monitor', 'enableAutoPipelining', 'offlineQueue',
  'commandQueue', 'disableClientInfo'
] as const

/**
 * Options of {@link redis}: those of every engine, `url`, and those of `new Redis()` in `ioredis`.
 */
export interface RedisOptions
  extends ClusterEngineOptions, Omit<ClientOptions, typeof reservedOptions[number]> {
  /** `redis://` or `rediss://` (TLS), with user and password if they are needed. */
  url?: string
}

const parse = engineParser({
  url: {
    ...custom(undefined as string | undefined, 'a URL that begins with redis:// or rediss://', isUrl),
    // It may contain a password.
    secret: true
  }
}, 'client')

function isUrl (value: unknown): boolean {
  return typeof value === 'string' && /^rediss?:\/\//.test(value) && URL.canParse(value)
}

/**
 * Redis or Valkey as the engine of a cluster: one server, or a master with its Sentinels (then with
 * `timing: 'patient'`). Needs `ioredis` 6 to be installed. Opening it fails with
 * `FST_CLUSTER_CLIENT_MISSING`, `FST_CLUSTER_ACCESS_DENIED` or `FST_CLUSTER_UNSUPPORTED` (Redis
 * Cluster).
 *
 * @throws `FST_CLUSTER_INVALID_OPTIONS`, `FST_PROCESS_INVALID_DURATION`
 */
export function redis (options: RedisOptions = {}): ClusterEngine {
  const { settings, own: { url }, client } = parse(options)
  refuseReserved(Object.keys(client))
  // The client prefers options in the query of the URL to its arguments.
  if (url !== undefined) refuseReserved(new URL(url).searchParams.keys())
  const dial = dialRedis(url, client, settings.prefix, async () => {
    const { ioredis } = await loadClients('redis', { ioredis: () => import('ioredis') })
    return ioredis
  })
  const address = redisAddress(url, client)
  return { transport: new SessionTransport('redis', dial, address), ...settings }
}

/** In the order in which the client reads them. */
function redisAddress (url: string | undefined, options: ClientOptions): string {
  const { sentinels, path, host = '127.0.0.1', port = 6379 } = options
  if (sentinels !== undefined) {
    const hosts = sentinels.map((one) => `${one.host ?? host}:${one.port ?? 26379}`)
    return `Sentinels ${hosts.join(', ')}`
  }
  if (path !== undefined && path !== null) return path
  return url === undefined ? `${host}:${port}` : addressesOf(url)
}

function refuseReserved (names: Iterable<string>): void {
  for (const name of names) {
    if ((reservedOptions as readonly string[]).includes(name)) {
      throw new FST_CLUSTER_INVALID_OPTIONS(`'${name}' is not left to the client`)
    }
  }
}
