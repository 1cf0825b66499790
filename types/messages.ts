import type { ApplicationTopics, Call, Monitor, Pid, Topics } from './pid.js'

/** The exit reasons of the package itself. */
export type SystemExitReason =
  // Processes: the body returned, was cancelled, was ended with `kill`, or threw.
  | 'normal' | 'shutdown' | 'killed' | 'error'
  // No process has the PID or the name; or its node cannot be reached.
  | 'noproc' | 'noconnection'
  // A supervisor gave up; or the node of a process with a cluster-wide name lost its lease.
  | 'restart_intensity' | 'name_lost'
  // Connections: see docs/close-codes.md.
  | 'connection_lost' | 'ping_timeout' | 'target_down' | 'protocol_error' | 'slow_client'
  | 'expired'

/**
 * Why a process ended: a reason of the package, or the string that was given to `exit` or `stop`.
 *
 * Linked processes survive `normal` (the body returned) and `shutdown` (it was cancelled). Any
 * other reason ends them. In Erlang/OTP they survive `normal` only.
 */
export type ExitReason = SystemExitReason | (string & {})

/** How a process ended, as {@link Sending.exited} reports it. */
export interface Exit {
  readonly pid: Pid
  readonly reason: ExitReason
  /** The error that the body threw. With reason `shutdown`: thrown by its clean-up. */
  readonly error?: Error
  /** The value that the body returned; for a connection a {@link ConnectionExit}. */
  readonly value?: unknown
}

/** The `value` in the exit of a connection. */
export interface ConnectionExit {
  /** Milliseconds for which the client was away, if the connection ended while it was. */
  readonly away?: number
  /** The close code that the client saw or sent (RFC 6455 section 7.4); undefined without one. */
  readonly code: number | undefined
  /** The close reason. When `cause` is `client`, it is the client's own text: untrusted. */
  readonly reason: string
  /** Decide on this field: it is never the client's text. */
  readonly cause: LeaveCause
}

/** Why a connection ended, or left its target (`transfer`). See docs/close-codes.md. */
export type LeaveCause =
  | 'client' | 'lost' | 'ping_timeout' | 'process' | 'target' | 'protocol' | 'slow' | 'shutdown'
  | 'killed' | 'exit' | 'expired' | 'transfer'

/**
 * Data that the handler attached to a connection in `X-WS-Relay`. Deeply frozen; all messages of a
 * connection share one object.
 */
export type Metadata = Readonly<Record<string, unknown>>

/** Payload of `ws.join`: a connection was bound to this process. */
export interface WsJoin {
  readonly client_pid: Pid
  readonly metadata: Metadata
  /** True if the connection was bound to another process of this name, which has failed. */
  readonly rejoined?: true
  /** False if the client is away at present: its socket is lost, and it may come back. */
  readonly connected?: false
}

/** Payload of `ws.message` or `message_topic`: one message of the client. `data` is untrusted. */
export type WsMessage =
  | {
    readonly client_pid: Pid
    readonly type: 'text'
    readonly data: string
    readonly metadata: Metadata
  }
  | {
    readonly client_pid: Pid
    readonly type: 'binary'
    readonly data: Buffer
    readonly metadata: Metadata
  }

/**
 * Payload of `ws.message` or `message_topic` if the connection has a protocol. `data` was checked.
 * `ClientMessages` of `fastify-ws-relay/protocol` has the types of `topic` and `data`.
 */
export interface WsCheckedMessage {
  readonly client_pid: Pid
  readonly type: 'json'
  readonly topic: string
  readonly data: unknown
  readonly metadata: Metadata
}

/** Payload of `ws.heartbeat`. */
export interface WsHeartbeat {
  readonly client_pid: Pid
  /** Milliseconds since the upgrade. */
  readonly uptime: number
  /** Messages the client has sent since the upgrade. */
  readonly message_count: number
  readonly metadata: Metadata
  /** False while the client is away: its socket is lost, and it may come back. */
  readonly connected?: false
}

/** Payload of `ws.suspend`: the socket is lost, and the client may come back. */
export interface WsSuspend {
  readonly client_pid: Pid
  readonly cause: 'lost' | 'ping_timeout'
  readonly metadata: Metadata
}

/** Payload of `ws.resume`: the client is back, on another socket. */
export interface WsResume {
  readonly client_pid: Pid
  /** Milliseconds for which the client was away. */
  readonly away: number
  readonly metadata: Metadata
}

/** Payload of `ws.expiring`: the connection expires soon. A `ws.control` can renew it. */
export interface WsExpiring {
  readonly client_pid: Pid
  /** Milliseconds since 1970. */
  readonly expires_at: number
  readonly metadata: Metadata
}

/** Payload of `ws.leave`: one for each `ws.join`, and the last message from that connection. */
export interface WsLeave {
  readonly client_pid: Pid
  /** May be the client's own text, which is untrusted. Decide on `cause` instead. */
  readonly reason: string
  readonly code: number | undefined
  readonly cause: LeaveCause
  readonly metadata: Metadata
}

/** Payload of `ws.send`: one message. Without `type`, a string is sent as text, bytes as binary. */
export interface WsSend {
  readonly type?: 'text' | 'binary'
  readonly data: string | Uint8Array
  /**
   * For `call`: whether it resolves when the client has acknowledged the message, instead of when
   * the operating system has it. Only clients of `fastify-ws-relay/client` can. @defaultValue false
   */
  readonly ack?: boolean
}

/** Payload of `ws.close`. The code is 1000 by default. A plain string is the reason. */
export type WsClose = { readonly code?: number, readonly reason?: string } | string | undefined

/** Payload of `ws.control`. A missing field is kept, `null` resets a field to its default. */
export interface WsControl {
  readonly target_pid?: string
  readonly message_topic?: string | null
  readonly heartbeat_interval?: number | string | null
  readonly metadata?: Record<string, unknown> | null
  /** `park` needs a `target_pid` that is a registered name, here or before. */
  readonly on_target_exit?: 'close' | 'park' | null
  readonly park?: number | string | null
  /** `null`: no limit any more. */
  readonly limit?: RelayLimit | null
  /** Milliseconds since 1970. `null`: never. Not together with `expires_in`. */
  readonly expires_at?: number | null
  readonly expires_in?: number | string | null
  readonly expiry_notice?: number | string | null
}

/** The most that a client may send. At least one of `messages` and `bytes` is given. */
export interface RelayLimit {
  /** Messages per second, minute or hour, such as `'50/s'`, `'3000/m'`, `'100/h'`. */
  readonly messages?: string
  /** Bytes of messages, with B, KiB, MiB or GiB, such as `'256KiB/s'`. */
  readonly bytes?: string
  /**
   * Seconds, from 0.1 to 3600: a client that was quiet may send at once what it may send in this
   * time, and one message at least. @defaultValue 1
   */
  readonly burst?: number
  /**
   * For a client over the limit. `pause`: it is not read until it may send again, and nothing is
   * lost. `close`: it is closed with 1008. @defaultValue 'pause'
   */
  readonly over?: 'pause' | 'close'
}

/** The topics of the system. Only the system can send a topic that begins with `@`. */
export interface SystemTopics {
  '@exit': {
    readonly pid: Pid
    readonly monitor: Monitor
    readonly reason: ExitReason
    readonly error?: Error
    readonly value?: unknown
  }
  '@link_down': { readonly pid: Pid, readonly reason: ExitReason, readonly error?: Error }
  '@cancel': { readonly from: Pid | undefined, readonly reason: string }
  '@node': { readonly node: string, readonly state: 'up' | 'down' }
  '@group': { readonly group: string, readonly joined: Pid[], readonly left: Pid[] }
}

/** The topics that a connection sends to its target. */
export interface RelayTopics {
  'ws.join': WsJoin
  'ws.message': WsMessage
  'ws.heartbeat': WsHeartbeat
  'ws.suspend': WsSuspend
  'ws.resume': WsResume
  'ws.expiring': WsExpiring
  'ws.leave': WsLeave
}

/** The topics that a connection handles. Other topics are forwarded to its client. */
export interface ConnectionTopics {
  'ws.send': WsSend
  'ws.close': WsClose
  'ws.control': WsControl
}

/** The topics that a process with the topics `T` can receive. */
type Received<T extends Topics> = SystemTopics & Undeclared<T> & ApplicationTopics & T

/** The relay's topics. A process whose clients have a protocol declares some of them itself. */
type Undeclared<T extends Topics> =
  [keyof T & keyof RelayTopics] extends [never] ? RelayTopics : Omit<RelayTopics, keyof T>

/** The declared topics of a receiver. A name, and a PID without topics, take others too. */
type Accepted<T extends Topics> = [keyof T] extends [never]
  ? ConnectionTopics & RelayTopics & ApplicationTopics
  : Undeclared<T> & ApplicationTopics & T

type IsAny<D> = 0 extends 1 & D ? true : false
type PayloadOf<D> = IsAny<D> extends true ? D : [D] extends [Call<infer P, unknown>] ? P : D
type ReplyOf<D> = IsAny<D> extends true ? D : [D] extends [Call<unknown, infer R>] ? R : unknown
/** An argument of type `V`, optional if it may be undefined. */
type Optionally<V> = undefined extends V ? [value?: V] : [value: V]

/** A message of one topic, with its payload and the reply that a `call` expects. */
export interface MessageOf<K extends string, P, R = unknown> {
  readonly topic: K
  readonly payload: P
  /** The sender; undefined for code outside a process. */
  readonly from: Pid | undefined
  /** Answers the `call` that sent this message. Has an effect once, and none for a `send`. */
  reply (...value: Optionally<R>): void
  /** Rejects the `call` of this message: `FST_PROCESS_CALL_FAILED` with `error` as its cause. */
  fail (error: unknown): void
}

type Declared<K extends string, D> = MessageOf<K, PayloadOf<D>, ReplyOf<D>>

/** A message to a process with the topics `T`: a closed union, discriminated by `topic`. */
export type Message<T extends Topics = {}> = {
  [K in keyof Received<T> & string]: Declared<K, Received<T>[K]>
}[keyof Received<T> & string]

/** A message of one of the topics `K`. The payload of an undeclared topic is unknown. */
export type MessageUnder<T extends Topics, K extends string> = {
  [E in K]: Declared<E, E extends keyof Received<T> ? Received<T>[E] : unknown>
}[K]

/** Handlers of `serve`, called with the payload and the message, one at a time, in order. */
export type Handlers<T extends Topics = {}> = {
  readonly [K in keyof Received<T> & string]?: (
    payload: PayloadOf<Received<T>[K]>, message: Declared<K, Received<T>[K]>
  ) => unknown
}

/** As `keyof A`, but the compiler's messages list each key. */
type Names<A> = keyof { [N in keyof A & string]: N }

/**
 * The topic `K`, if it may be sent to a `Pid<T>`. A process that declared topics takes these, those
 * of the application, and the relay's. Any other PID, and a name, take any topic that does not
 * begin with `@`, and no unknown `ws.*` topic.
 */
export type TopicFor<T extends Topics, K extends string> = K extends keyof Accepted<T>
  ? K
  : [keyof T] extends [never]
      ? K extends `@${string}`
        ? never
        : K extends `ws.${string}`
          ? Names<ConnectionTopics & RelayTopics>
          : K
      : Names<Accepted<NoInfer<T>>>

type PayloadFor<T extends Topics, K extends string> = K extends keyof Accepted<T>
  ? PayloadOf<Accepted<T>[K]>
  : unknown

/** The arguments of `send` after the topic: the payload, checked if the topic is declared. */
export type PayloadArgs<T extends Topics, K extends string> =
  undefined extends PayloadFor<T, K> ? [payload?: PayloadFor<T, K>] : [payload: PayloadFor<T, K>]

/** The arguments of `call` and `broadcast` after the topic: the payload, and options. */
export type PayloadAndOptions<T extends Topics, K extends string, O> =
  undefined extends PayloadFor<T, K>
    ? [payload?: PayloadFor<T, K>, options?: O]
    : [payload: PayloadFor<T, K>, options?: O]

/** The reply that `call` resolves with: declared with {@link Call}, otherwise unknown. */
export type ReplyFor<T extends Topics, K extends string> = K extends keyof Accepted<T>
  ? ReplyOf<Accepted<T>[K]>
  : unknown
