import type { ApplicationTopics, Monitor, Pid, Topics } from './pid.js'

/**
 * Why a process ended: one of these, or the string given to `exit` or `stop`.
 *
 * `normal` (the body returned) and `shutdown` (it was cancelled) do not bring linked processes
 * down; every other reason does. Erlang/OTP differs: there only `normal` does not.
 */
export type ExitReason =
  | 'normal' | 'shutdown' | 'killed' | 'error' | 'noproc' | 'noconnection' | 'restart_intensity'
  | (string & {})

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
  | { readonly client_pid: Pid, readonly type: 'text', readonly data: string, readonly metadata: Metadata }
  | { readonly client_pid: Pid, readonly type: 'binary', readonly data: Buffer, readonly metadata: Metadata }

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
  '@exit': { readonly pid: Pid, readonly monitor: Monitor, readonly reason: ExitReason, readonly error?: Error, readonly value?: unknown }
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

type Declared<T extends Topics> = SystemTopics & RelayTopics & ApplicationTopics & T

/** A message under one topic. */
export interface MessageOf<K extends string, P> {
  readonly topic: K
  readonly payload: P
  /** The sender; undefined for code outside a process. */
  readonly from: Pid | undefined
  /** Resolves the `call` this message came from. Without one, or after the first answer: nothing. */
  reply (value?: unknown): void
  /** Rejects the `call` this message came from with `FST_PROCESS_CALL_FAILED`, `error` as its cause. */
  fail (error: unknown): void
}

/** What a process of topics `T` can receive: a closed union, discriminated by `topic`. */
export type Message<T extends Topics = {}> = {
  [K in keyof Declared<T> & string]: MessageOf<K, Declared<T>[K]>
}[keyof Declared<T> & string]

/** A message under some of the topics: with the payload that was declared, or unknown. */
export type MessageUnder<T extends Topics, K extends string> = {
  [E in K]: MessageOf<E, E extends keyof Declared<T> ? Declared<T>[E] : unknown>
}[K]

/** Handlers for `serve`: called with the payload and the message, one at a time, in order. */
export type Handlers<T extends Topics = {}> = {
  readonly [K in keyof Declared<T> & string]?: (payload: Declared<T>[K], message: MessageOf<K, Declared<T>[K]>) => unknown
}

type Known<T extends Topics> = T & ApplicationTopics & ConnectionTopics

/** The payload argument of `send` and `call`: typed where the topic is declared. */
export type PayloadArgs<T extends Topics, K extends string> =
  K extends keyof Known<T>
    ? undefined extends Known<T>[K] ? [payload?: Known<T>[K]] : [payload: Known<T>[K]]
    : [payload?: unknown]
