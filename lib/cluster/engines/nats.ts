import { loadClients } from './load-clients.js'
import { addressesOf } from './addresses.js'
import { engineParser } from './engine-settings.js'
import { dialNats } from './nats/nats-session.js'
import { SessionTransport } from './session/session-transport.js'
import { choice } from '../../shared/options.js'
import type { NatsClient } from './nats/nats-client.js'
import type { NodeConnectionOptions } from '@nats-io/transport-node'
import type { ClusterEngine, ClusterEngineOptions } from '../../../types/cluster.js'

export type { ClusterEngine, ClusterEngineOptions, ClusterTiming } from '../../../types/cluster.js'

/** Options about reconnecting: this package reconnects, not the client. */
type ReservedOption =
  'reconnect' | 'maxReconnectAttempts' | 'reconnectTimeWait' | 'reconnectJitter' |
  'reconnectJitterTLS' | 'reconnectDelayHandler' | 'reconnectToServer' | 'waitOnFirstConnect' |
  'ignoreAuthErrorAbort' | 'pingInterval' | 'maxPingOut' | 'timeout' | 'noEcho' | 'verbose' |
  'pedantic' | 'port'

/**
 * Options of {@link nats}: those of every engine, and those of `connect()` in
 * `@nats-io/transport-node`.
 */
export interface NatsOptions
  extends ClusterEngineOptions, Omit<NodeConnectionOptions, ReservedOption> {
  /** Host and port of all servers of the NATS cluster. @defaultValue '127.0.0.1:4222' */
  servers?: string | string[]
  /**
   * Replicas of the register in a NATS cluster, used when it is created: 1, 3 or 5.
   * @defaultValue 1
   */
  replicas?: 1 | 3 | 5
  /** @defaultValue '_INBOX_' and the prefix */
  inboxPrefix?: string
}

const parse = engineParser({ replicas: choice([1, 3, 5], 1) }, 'client')

/**
 * NATS as the engine of a cluster: nats-server 2.9 or later with JetStream. The key-value bucket
 * named `prefix` is created if it does not exist. Needs `@nats-io/transport-node`,
 * `@nats-io/jetstream` and `@nats-io/kv` to be installed. Opening it fails with
 * `FST_CLUSTER_CLIENT_MISSING`, `FST_CLUSTER_ACCESS_DENIED` or `FST_CLUSTER_UNSUPPORTED` (no
 * JetStream).
 *
 * @throws `FST_CLUSTER_INVALID_OPTIONS`, `FST_PROCESS_INVALID_DURATION`
 */
export function nats (options: NatsOptions = {}): ClusterEngine {
  const { settings, own: { replicas }, client } = parse(options)
  const connectOptions = { inboxPrefix: `_INBOX_${settings.prefix}`, ...client }
  const dial = dialNats(connectOptions, settings.prefix, replicas, loadNats)
  const address = addressesOf(client.servers ?? '127.0.0.1:4222')
  return { transport: new SessionTransport('nats', dial, address), ...settings }
}

async function loadNats (): Promise<NatsClient> {
  const packages = await loadClients('nats', {
    '@nats-io/transport-node': () => import('@nats-io/transport-node'),
    '@nats-io/jetstream': () => import('@nats-io/jetstream'),
    '@nats-io/kv': () => import('@nats-io/kv')
  })
  return {
    ...packages['@nats-io/transport-node'],
    ...packages['@nats-io/jetstream'],
    ...packages['@nats-io/kv']
  }
}
