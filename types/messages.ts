import type { ApplicationTopics, Call, Monitor, Pid, Topics } from './pid.js'

/** Exit reasons that the package itself gives. */
export type SystemExitReason =
  // Processes: the body returned, was cancelled, was ended with `kill`, or threw.
  | 'normal' | 'shutdown' | 'killed' | 'error'
  // Nobody has the PID or the name; its node cannot be reached.
  | 'noproc' | 'noconnection'
  // A supervisor gave up; the node of a cluster-wide name lost its lease.
  | 'restart_intensity' | 'name_lost'
  // Connections: `docs/close-codes.md`, "Close codes", says when.
  | 'connection_lost' | 'ping_timeout' | 'target_down' | 'protocol_error' | 'slow_client'

/**
 * Why a process ended: a reason of the package's own, or the string given to `exit` or `stop`.
 *
 * `normal` (the body returned) and `shutdown` (it was cancelled) do not bring linked processes
 * down; every other reason does. Erlang/OTP differs: there only `normal` does not.
 */
export type ExitReason = SystemExitReason | (string & {})

/** How a process ended, as a watcher outside the process system sees it. */
export interface Exit {
  readonly pid: Pid
  readonly reason: ExitReason
  /** What the body threw. With reason `shutdown`: what it threw while it was cleaning up. */
  readonly error?: Error
  /** What the body returned; for a connection a {@link ConnectionExit}. */
  readonly value?: unknown
}

/** The `value` in the exit of a connection. */
export interface ConnectionExit {
  /** The close code the client saw or sent (RFC 6455 section 7.4); undefined where there was none. */
  readonly code: number | undefined
  /** The reason beside it. The client's own text where `cause` is `client`: untrusted. */
  readonly reason: string
  /** What ended the connection. Never the client's text. */
  readonly cause: LeaveCause
}

/** What ended a connection, or unbound it from a target (`transfer`). */
export type LeaveCause =
  | 'client' | 'lost' | 'ping_timeout' | 'process' | 'target' | 'protocol' | 'slow' | 'shutdown'
  | 'killed' | 'exit' | 'transfer'

/** Data a handler attached to a connection in `X-WS-Relay`; deeply frozen, the same object each time. */
export type Metadata = Readonly<Record<string, unknown>>

/** Payload of `ws.join`: a connection was bound to this process. */
export interface WsJoin {
  readonly client_pid: Pid
  readonly metadata: Metadata
}

/** Payload of `ws.message` (or the connection's `message_topic`): one message of the client. Untrusted. */
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

/** Payload of `ws.heartbeat`. */
export interface WsHeartbeat {
  readonly client_pid: Pid
  /** Milliseconds since the upgrade. */
  readonly uptime: number
  /** Messages the client has sent since the upgrade. */
  readonly message_count: number
  readonly metadata: Metadata
}

/** Payload of `ws.leave`: exactly one per `ws.join`, and the last message from that connection. */
export interface WsLeave {
  readonly client_pid: Pid
  /** May be the client's own text (untrusted); decide on `cause` instead. */
  readonly reason: string
  readonly code: number | undefined
  readonly cause: LeaveCause
  readonly metadata: Metadata
}

/** Payload of `ws.send`: one frame. `type` absent: text for a string, binary for bytes. */
export interface WsSend {
  readonly type?: 'text' | 'binary'
  readonly data: string | Uint8Array
}

/** Payload of `ws.close`: code 1000 by default; a bare string is the reason. */
export type WsClose = { readonly code?: number, readonly reason?: string } | string | undefined

/** Payload of `ws.control`: a field not given is kept, `null` resets it. */
export interface WsControl {
  readonly target_pid?: string
  readonly message_topic?: string | null
  readonly heartbeat_interval?: number | string | null
  readonly metadata?: Record<string, unknown> | null
}

/** The topics the system itself sends; nobody else can send a topic that begins with `@`. */
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

/** The topics a connection sends to its target. */
export interface RelayTopics {
  'ws.join': WsJoin
  'ws.message': WsMessage
  'ws.heartbeat': WsHeartbeat
  'ws.leave': WsLeave
}

/** The topics a connection understands. */
export interface ConnectionTopics {
  'ws.send': WsSend
  'ws.close': WsClose
  'ws.control': WsControl
}

/** What `self.inbox` of a process with the topics `T` can bring. */
type Received<T extends Topics> = SystemTopics & RelayTopics & ApplicationTopics & T

/** What `send`, `call` and their like take for a PID with the topics `T`; for one without, or a name, any more. */
type Accepted<T extends Topics> = [keyof T] extends [never]
  ? ConnectionTopics & RelayTopics & ApplicationTopics
  : RelayTopics & ApplicationTopics & T

type IsAny<D> = 0 extends 1 & D ? true : false
type PayloadOf<D> = IsAny<D> extends true ? D : [D] extends [Call<infer P, unknown>] ? P : D
type ReplyOf<D> = IsAny<D> extends true ? D : [D] extends [Call<unknown, infer R>] ? R : unknown
/** The arguments that a value of type `V` needs: it may be left out where it may be undefined. */
type Optionally<V> = undefined extends V ? [value?: V] : [value: V]

/** A message under one topic, with its payload and the reply that a `call` expects. */
export interface MessageOf<K extends string, P, R = unknown> {
  readonly topic: K
  readonly payload: P
  /** The sender; undefined for code outside a process. */
  readonly from: Pid | undefined
  /** Answers the `call` that sent this message. Does nothing for a `send`, and after the first answer. */
  reply (...value: Optionally<R>): void
  /** Rejects the `call` that sent this message with `FST_PROCESS_CALL_FAILED`, whose cause is `error`. */
  fail (error: unknown): void
}

type Declared<K extends string, D> = MessageOf<K, PayloadOf<D>, ReplyOf<D>>

/** What a process with the topics `T` can receive: a closed union, discriminated by `topic`. */
export type Message<T extends Topics = {}> = {
  [K in keyof Received<T> & string]: Declared<K, Received<T>[K]>
}[keyof Received<T> & string]

/** A message under some of the topics. The payload of a topic that nobody declared is unknown. */
export type MessageUnder<T extends Topics, K extends string> = {
  [E in K]: Declared<E, E extends keyof Received<T> ? Received<T>[E] : unknown>
}[K]

/** Handlers for `serve`: called with the payload and the message, one at a time, in order. */
export type Handlers<T extends Topics = {}> = {
  readonly [K in keyof Received<T> & string]?: (
    payload: PayloadOf<Received<T>[K]>, message: Declared<K, Received<T>[K]>
  ) => unknown
}

/** As `keyof A`, in full in the messages of the compiler. */
type Names<A> = keyof { [N in keyof A & string]: N }

/**
 * The topic `K`, if it may be sent to a `Pid<T>`. To a process that declared its topics: one of these,
 * a topic of the application, or one of the relay's. To any other PID and to a name: any topic but a
 * misspelt `ws.*`, and none that begins with `@`.
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

/** The arguments of `send` after the topic: the payload, typed where the topic is declared. */
export type PayloadArgs<T extends Topics, K extends string> =
  undefined extends PayloadFor<T, K> ? [payload?: PayloadFor<T, K>] : [payload: PayloadFor<T, K>]

/** The arguments of `call` and `broadcast` after the topic: the payload, and options. */
export type PayloadAndOptions<T extends Topics, K extends string, O> =
  undefined extends PayloadFor<T, K>
    ? [payload?: PayloadFor<T, K>, options?: O]
    : [payload: PayloadFor<T, K>, options?: O]

/** What `call` resolves with: the reply that the callee's topics declare with {@link Call}, or unknown. */
export type ReplyFor<T extends Topics, K extends string> = K extends keyof Accepted<T>
  ? ReplyOf<Accepted<T>[K]>
  : unknown
