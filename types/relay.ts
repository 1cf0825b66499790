import type { ClusterEngine } from './cluster.js'
import type { Duration } from './pid.js'

/** The value of `X-WS-Relay`. */
export interface RelayConfig {
  /** A PID, or a registered name (resolved at the upgrade). */
  target_pid: string
  /** The topic of the client's messages; 1 to 128 characters. @defaultValue 'ws.message' */
  message_topic?: string
  /** From 100 ms to 24 h. @defaultValue no heartbeat */
  heartbeat_interval?: Duration
  /** Attached to every message to the target. @defaultValue {} */
  metadata?: Record<string, unknown>
}

/** What happens when a client reads too slowly: close with 1013, or drop the newest frame. */
export type Overflow = 'close' | 'drop'

/** Options that may differ from scope to scope, and from route to route (`config.wsRelay`). */
export interface RelayRouteOptions {
  /** Comma-separated string or array of origins. @defaultValue same-origin only */
  allowedOrigins?: string | readonly string[]
  /** Largest inbound message in bytes; a larger one closes with 1009. @defaultValue 1 MiB */
  maxPayload?: number
  /**
   * Outbound bytes already waiting for one client above which `overflow` applies. What one turn of the
   * event loop sends to a client whose buffer was empty is judged after the socket had a turn to drain;
   * at 16 times the value `overflow` applies at once. @defaultValue 1 MiB
   */
  maxBufferedAmount?: number
  /** @defaultValue 'close' */
  overflow?: Overflow
  /** Whether other topics reach the client as `{topic, data}`. @defaultValue true */
  forwardTopics?: boolean
  /** Bytes of the `X-WS-Relay` value; a larger one is a 500. @defaultValue 8 KiB */
  maxConfigSize?: number
  /** Bytes of `metadata` as JSON (8 levels at the most); more is a 500. @defaultValue 4 KiB */
  maxMetadataSize?: number
}

/** Options of one route (`config.wsRelay`). */
export interface RelayRouteConfig extends RelayRouteOptions {
  /**
   * Whether a header `X-WS-Relay` that came from an upstream server, by `reply.from` of
   * `@fastify/reply-from` or by `@fastify/http-proxy`, may open a socket. Such a server can then
   * connect its clients to every process: turn it on only where it is your own.
   * @defaultValue false
   */
  proxied?: boolean
}

/** `perMessageDeflate` options, as in `ws`. */
export interface DeflateOptions {
  serverNoContextTakeover?: boolean
  clientNoContextTakeover?: boolean
  serverMaxWindowBits?: number
  clientMaxWindowBits?: number
  zlibDeflateOptions?: Record<string, unknown>
  zlibInflateOptions?: Record<string, unknown>
  /** Messages below this many bytes are not compressed. @defaultValue 1024 */
  threshold?: number
  /** @defaultValue 10 */
  concurrencyLimit?: number
}

/** Options of `register(wsRelay, …)`; all are optional. */
export interface WsRelayOptions extends RelayRouteOptions {
  /**
   * Fragments of one message; more close with 1008.
   * @defaultValue one for each KiB of `maxPayload`, and at least 1024
   */
  maxFragments?: number
  /** A handler's time on an upgrade; then 503. @defaultValue '10s' */
  upgradeTimeout?: Duration
  /** Upgrades under way; more are answered 503 with `Retry-After`. @defaultValue 1000 */
  maxHandshakes?: number
  /** Open connections; more are answered 503 with `Retry-After`. @defaultValue no limit */
  maxConnections?: number
  /** How often a client is pinged; 0 turns pings off. @defaultValue '30s' */
  pingInterval?: Duration
  /** How long a pong may take. @defaultValue '30s' */
  pongTimeout?: Duration
  /** How long a closing handshake may take, and each half of the stop on `app.close()`. @defaultValue '5s' */
  closeTimeout?: Duration
  /** permessage-deflate (RFC 7692), as in `ws`. @defaultValue false */
  perMessageDeflate?: boolean | DeflateOptions
  /** Messages a mailbox holds. @defaultValue 10000 */
  mailboxLimit?: number
  /** Bytes of client data a mailbox holds. @defaultValue 16 MiB */
  mailboxBytes?: number
  /** This node's name inside PIDs. @defaultValue 'local' */
  node?: string
  /** Makes this server a node of a cluster; `node` must be given, too. @defaultValue none */
  cluster?: ClusterEngine
  /** Options of `@fastify/websocket`, used when the application has not registered it. @defaultValue {} */
  websocket?: Record<string, unknown>
}
