import type { FastifyRequest } from 'fastify'
import type { ClusterEngine } from './cluster.js'
import type { RelayLimit } from './messages.js'
import type { Duration } from './pid.js'
import type { Protocol } from './protocol.js'

/** The value of `X-WS-Relay`. */
export interface RelayConfig {
  /** A PID, a registered name, which is looked up at the upgrade, or the address of a key. */
  target_pid: string
  /** The topic of the client's messages; 1 to 128 characters. @defaultValue 'ws.message' */
  message_topic?: string
  /** How often the target gets `ws.heartbeat`: 100 ms to 24 h. @defaultValue no heartbeat */
  heartbeat_interval?: Duration
  /** Attached to every message to the target. @defaultValue {} */
  metadata?: Record<string, unknown>
  /**
   * Whether the client may resume this connection. A duration replaces `window` of the route, and
   * must not be longer; otherwise the upgrade is a 500. @defaultValue as the route's option says
   */
  resume?: boolean | Duration
  /**
   * Fate of the connection when its target fails, that is, ends with another reason than `normal`
   * and `shutdown`. `close` closes the connection. `park` keeps it: it is not read until the name
   * of the target is registered again, for example by a supervisor. Then the new process gets
   * `ws.join` with `rejoined: true`, and the messages that waited. `park` needs a `target_pid` that
   * is a name or a key; otherwise the upgrade is a 500. @defaultValue 'close', for a key as its
   * kind says
   */
  on_target_exit?: 'close' | 'park'
  /**
   * How long a connection waits for a successor of its target: 100 ms to 5 min. Then it is closed,
   * as it is without `park`. @defaultValue '10s', for a key as its kind says
   */
  park?: Duration
  /**
   * Checks the messages of the client: a value of the function `protocol` of
   * `fastify-ws-relay/protocol`, by reference. The target gets `type: 'json'` only.
   * @defaultValue none: the target gets each message as it is
   */
  protocol?: Protocol
  /** The most that the client may send. @defaultValue no limit */
  limit?: RelayLimit
  /**
   * When the connection ends: milliseconds since 1970. It is closed with 1008 `session expired`. A
   * number below 10^11 is a 500, because it is in seconds. Not together with `expires_in`.
   * @defaultValue never
   */
  expires_at?: number
  /** The same as a time from the upgrade: 100 ms to 366 days. @defaultValue never */
  expires_in?: Duration
  /**
   * How long before the end the target gets `ws.expiring`: 100 ms to 24 h. If less than twice as
   * much is left from the start, it comes when half of the time is over. @defaultValue not at all
   */
  expiry_notice?: Duration
}

/** The options of a connection with a process of its own; `A` are the arguments of its body. */
export interface RelayBodyConfig<A extends unknown[] = unknown[]>
  extends Omit<RelayConfig, 'target_pid' | 'on_target_exit' | 'park'> {
  /** The arguments of the body after `self`. */
  args?: A
}

/** The options of `reply.relay` with a body. They are required, with `args`, if it takes any. */
export type RelayArgs<A extends unknown[]> =
  [] extends A ? [options?: RelayBodyConfig<A>] : [options: RelayBodyConfig<A> & { args: A }]

/** For clients that read too slowly: `close` with 1013, or `drop` the newest message. */
export type Overflow = 'close' | 'drop'

/**
 * How clients of `fastify-ws-relay/client` resume a connection on a new socket, with the same PID
 * and without the loss of a message. See docs/resume.md.
 */
export interface ResumeOptions {
  /**
   * How long a connection lives without its socket: 1 s to 1 h. Then it ends with the cause `lost`
   * or `ping_timeout`. @defaultValue '60s'
   */
  window?: Duration
  /**
   * Bytes of messages that are kept until the client has acknowledged them, with at most 4096
   * messages. A client that comes back and has missed older ones gets a new connection. While the
   * client is away, `maxBufferedAmount` bytes may wait in addition. @defaultValue 256 KiB
   */
  buffer?: number
  /**
   * Names the user of a request, for example by its session. A connection is resumed only if the
   * name is the same as at its first upgrade. It runs after all hooks, and before the handler.
   *
   * A route with logins needs it: a hook tells whether somebody may connect, and `owner` that it is
   * the same somebody. Checks of the handler itself are not repeated when a connection is resumed.
   *
   * If it throws at the first upgrade, the connection cannot be resumed. If it throws later, the
   * offer is refused, and the handler runs. @defaultValue none
   */
  owner?: (request: FastifyRequest) => string | undefined | Promise<string | undefined>
  /** Whether the target gets `ws.suspend` and `ws.resume`. @defaultValue false */
  notify?: boolean
}

/** Options that may differ between scopes, and between routes (`config.wsRelay`). */
export interface RelayRouteOptions {
  /** Origins, as an array or a comma-separated string. @defaultValue same-origin only */
  allowedOrigins?: string | readonly string[]
  /** Bytes of a client's largest message. A larger one closes with 1009. @defaultValue 1 MiB */
  maxPayload?: number
  /**
   * Bytes that wait for one client above which `overflow` applies. If the buffer was empty, one
   * turn of the event loop may send up to 16 times as much, because the socket could not drain yet.
   * @defaultValue 1 MiB
   */
  maxBufferedAmount?: number
  /** The action above `maxBufferedAmount`. @defaultValue 'close' */
  overflow?: Overflow
  /** Whether topics other than `ws.*` reach the client as `{topic, data}`. @defaultValue true */
  forwardTopics?: boolean
  /**
   * Whether clients of `fastify-ws-relay/client` may resume a connection after its socket is lost.
   * @defaultValue false
   */
  resume?: boolean | ResumeOptions
  /** Bytes of the value of `X-WS-Relay`. A larger one is a 500. @defaultValue 8 KiB */
  maxConfigSize?: number
  /** Bytes of `metadata` as JSON, with at most 8 levels. More is a 500. @defaultValue 4 KiB */
  maxMetadataSize?: number
}

/** Options of one route (`config.wsRelay`). */
export interface RelayRouteConfig extends RelayRouteOptions {
  /**
   * Whether a header `X-WS-Relay` that came from an upstream server, by `reply.from` of
   * `@fastify/reply-from` or by `@fastify/http-proxy`, may open a socket. The upstream server can
   * then connect clients to every process. Turn it on only for a server of your own.
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
   * Fragments of one message. More of them close with 1008.
   * @defaultValue one for each KiB of `maxPayload`, and at least 1024
   */
  maxFragments?: number
  /** How long a handler may take for an upgrade. Then the client gets 503. @defaultValue '10s' */
  upgradeTimeout?: Duration
  /** Upgrades under way. Further ones get 503 with `Retry-After`. @defaultValue 1000 */
  maxHandshakes?: number
  /** Open connections. Further ones get 503 with `Retry-After`. @defaultValue no limit */
  maxConnections?: number
  /**
   * Connections whose clients are away, and notices for clients whose connection was ended
   * meanwhile. Beyond it, the connection that has been away longest ends. @defaultValue 10000
   */
  maxSuspended?: number
  /**
   * Bytes that wait for all clients that are away, and 96 more for each message. Beyond it, the
   * connection that has been away longest ends. @defaultValue 256 MiB
   */
  maxResumeBytes?: number
  /** How often a client gets a ping. 0 turns pings off. @defaultValue '30s' */
  pingInterval?: Duration
  /** How long a pong may take. Then the socket is cut. @defaultValue '30s' */
  pongTimeout?: Duration
  /**
   * How long a closing handshake may take, and each half of the stop on `app.close()`.
   * @defaultValue '5s'
   */
  closeTimeout?: Duration
  /**
   * The time over which `app.close()` closes the connections, at most a day. `processes.drain()`
   * closes them while HTTP is still served. @defaultValue '0s': all at once
   */
  drain?: Duration
  /** permessage-deflate (RFC 7692), as in `ws`. @defaultValue false */
  perMessageDeflate?: boolean | DeflateOptions
  /** How many messages a mailbox may hold. @defaultValue 10000 */
  mailboxLimit?: number
  /** Bytes of client data in a mailbox above which its sockets are paused. @defaultValue 16 MiB */
  mailboxBytes?: number
  /**
   * How many ends of processes, and how many of connections, `processes.explain` remembers. 0:
   * none. Ends of one cause count once. An end takes about 400 bytes.
   * @defaultValue 512
   */
  keepEnds?: number
  /** The name of this node in its PIDs. @defaultValue 'local' */
  node?: string
  /** Makes this server a node of a cluster. It needs the option `node`. @defaultValue none */
  cluster?: ClusterEngine
  /**
   * Options of `@fastify/websocket`, used when the application has not registered it.
   * @defaultValue {}
   */
  websocket?: Record<string, unknown>
}
