// The client: `fastify-ws-relay/client`. These types use neither DOM types nor Node's, because the
// client runs in both.

/**
 * The topics of an application, for the type parameter of `connect`: `typeof` a protocol of
 * `fastify-ws-relay/protocol`, or an interface. `server` has the topics that the server sends as
 * `{"topic", "data"}`, with the type or the schema of the data: a type, a TypeBox schema, or a
 * schema with `~standard`. `client` has those that the client sends. A topic that is answered has
 * `{ data, reply }`, as the function `Call` returns it.
 *
 * @example
 * ```ts
 * const socket = connect<{ server: { said: { from: string, text: string } } }>('/rooms/7')
 * socket.on('said', ({ from, text }) => { console.log(from, text) })
 * ```
 */
export interface ClientProtocol {
  readonly client?: object
  readonly server?: object
}

/**
 * The type of a topic's data. The type parameter is a schema, or the type itself.
 *
 * @typeParam Otherwise the result for a type that is no schema
 */
export type TopicData<T, Otherwise = T> =
  T extends { readonly static: infer Data, readonly params: unknown[] } ? Data
    : T extends { readonly '~standard': { readonly types?: infer Types } }
      ? NonNullable<Types> extends { readonly output: infer Data } ? Data : unknown
      : Otherwise

/** A topic that is answered: the types or the schemas of its data and of its answer. */
export interface ClientCall {
  readonly data: unknown
  readonly reply: unknown
}

/** The topics without an answer, with the types of their data. */
type MessagesOf<Topics> = {
  readonly [K in keyof Topics as Topics[K] extends ClientCall ? never : K]: TopicData<Topics[K]>
}

/** The topics that are answered. */
type CallsOf<Topics> = {
  readonly [K in keyof Topics as Topics[K] extends ClientCall ? K : never]:
  Topics[K] extends { readonly data: infer Data, readonly reply: infer Reply }
    ? { readonly data: TopicData<Data>, readonly reply: TopicData<Reply> }
    : never
}

/** The topics that the server sends; without a protocol, any topic with unknown data. */
export type ServerTopics<P> = P extends { readonly server: infer Topics }
  ? MessagesOf<Topics>
  : Readonly<Record<string, unknown>>

/** The topics that the client sends; without a protocol, any topic with any data. */
export type ClientTopics<P> = P extends { readonly client: infer Topics }
  ? MessagesOf<Topics>
  : Readonly<Record<string, unknown>>

/** The topics that the server answers; without a protocol, any topic, with an unknown answer. */
export type ClientCalls<P> = P extends { readonly client: infer Topics }
  ? CallsOf<Topics>
  : Readonly<Record<string, ClientCall>>

/** The topics that the client answers; without a protocol, any topic, with unknown data. */
export type ServerCalls<P> = P extends { readonly server: infer Topics }
  ? CallsOf<Topics>
  : Readonly<Record<string, ClientCall>>

type DataOfCall<C> = C extends { readonly data: infer Data } ? Data : never
type ReplyOfCall<C> = C extends { readonly reply: infer Reply } ? Reply : never

/** How a socket ended, as its `close` event tells it. */
export interface ClientClose {
  /** The code of the close frame; 1005: it had none; 1006: no close frame came. */
  readonly code: number
  /** The reason of the close frame, or the client's own words for 1006. */
  readonly reason: string
}

/** The public states. `connecting`: a try is under way. `away`: the next try is waited for. */
export type ClientState = 'connecting' | 'open' | 'away' | 'closed'

/**
 * The reason why a session was not resumed. From the server: `refused`, `node`, `gap`, `expired`,
 * `ended`, `full`, `moving`. From the client: `plain`, the server does not acknowledge; `off`, the
 * route does not allow resume; `protocol`, the server sent an invalid acknowledgement.
 */
export type ResetReason = 'refused' | 'node' | 'gap' | 'expired' | 'ended' | 'full' | 'moving' |
  'plain' | 'off' | 'protocol' | (string & {})

/** The event `state`. */
export interface StateEvent {
  readonly state: ClientState
  /** The number of this or the next try since the last stable connection; the first is 0. */
  readonly attempt: number
  /** With `away`: milliseconds until the next try. */
  readonly wait?: number
  /** With `open`: whether this is the same session as before. */
  readonly resumed?: boolean
  /**
   * With `open`: why the session was not resumed, a {@link ResetReason}. With `away` and `closed`:
   * `handshake`, three handshakes in a row failed, perhaps with a 401 that a browser does not show;
   * `url`, see `error`.
   */
  readonly why?: string
  /** With `away` and `closed`: how the last socket ended. */
  readonly code?: number
  /** With `away` and `closed`: how the last socket ended. Text of the network, untrusted. */
  readonly reason?: string
  /** With `why: 'url'`: the error of the function, of its URL, or of `new WebSocket`. */
  readonly error?: unknown
  /** With `closed`: the messages that may have been handled or not, in order. */
  readonly unsent?: readonly (string | Uint8Array)[]
}

/** The event `reset`: a new session has begun. */
export interface ResetEvent {
  readonly why: ResetReason
  /**
   * The messages of the old session that may have been handled or not, in order. In plain mode:
   * those that were never given to a socket. Empty with `resend: true`.
   */
  readonly unsent: readonly (string | Uint8Array)[]
}

/** The event `invalid`: the server has dropped a message of this client. */
export interface InvalidEvent {
  /** Absent: the message had none. */
  readonly topic?: string
  /** A JSON pointer (RFC 6901) below the data to the first problem; empty for all of it. */
  readonly path: string
}

/** Options of `call`. */
export interface ClientCallOptions {
  /**
   * After so many milliseconds the call is rejected with `TIMEOUT`, from 0 to 2^31 - 1.
   *
   * @defaultValue `10_000`
   */
  readonly timeout?: number
}

/** The events that are no topics of the server. */
export interface ClientEvents {
  /** A message that is no `{"topic", "data"}`, or whose topic has no listener. Untrusted. */
  readonly message: string | ArrayBuffer
  readonly state: StateEvent
  readonly reset: ResetEvent
  readonly invalid: InvalidEvent
}

/** The events of a socket: its own and the topics of the server. */
export type EventsOf<P> = Omit<ServerTopics<P>, keyof ClientEvents> & ClientEvents

/** As much of a `WebSocket` as the client uses. */
export interface WebSocketLike {
  readonly protocol: string
  readonly readyState: number
  readonly bufferedAmount: number
  binaryType: string
  onopen: unknown
  onmessage: unknown
  onclose: unknown
  onerror: unknown
  send (data: string): void
  close (code?: number, reason?: string): void
}

/** `WebSocket` of the browser, of Deno, Bun and Node 22, or of the package `ws`. */
export type WebSocketClass = new (url: string, protocols?: string[]) => WebSocketLike

/**
 * Options of `connect`. All times are in milliseconds, from 0 to 2^31 - 1.
 */
export interface ConnectOptions {
  /** The subprotocols of the application, the preferred one first. @defaultValue `[]` */
  readonly protocols?: readonly string[]
  /**
   * Whether to offer `v1.ws-relay`, without which nothing is resumed. False: plain mode, as if the
   * server did not know it. @defaultValue `true`
   */
  readonly negotiate?: boolean
  /** @defaultValue `globalThis.WebSocket`, which Node 20 does not have */
  readonly WebSocket?: WebSocketClass
  /**
   * The n-th delay is `min + random(0, min(max, min * 2^n))`. It starts again after `stableAfter`.
   *
   * @defaultValue `{ min: 500, max: 20_000 }`
   */
  readonly backoff?: { readonly min?: number, readonly max?: number }
  /**
   * The longest time of a try: the function's URL and the handshake. A try that takes longer fails,
   * and the backoff leads to the next one.
   *
   * @defaultValue `10_000`
   */
  readonly timeout?: number
  /**
   * The most bytes of unacknowledged and unsent messages together, in UTF-8. `send` returns false
   * above it. In plain mode: of unsent messages and of what the socket has not written yet.
   *
   * @defaultValue `1024 * 1024`
   */
  readonly queue?: number
  /** After so long a connection is stable, and the backoff starts again. @defaultValue `10_000` */
  readonly stableAfter?: number
  /**
   * Whether messages that `reset` would hand out are sent again: at least once, perhaps twice.
   *
   * @defaultValue `false`
   */
  readonly resend?: boolean
  /**
   * Decides whether to try again after a socket has ended. `attempt` is the number of the try that
   * would follow, from 1. True: after the usual delay. A number: after so many milliseconds. False:
   * the client is closed for good.
   *
   * @defaultValue by the close code: again after 1001, 1005, 1006, 1011 to 1015; else not
   */
  readonly reconnect?: (close: ClientClose, attempt: number) => boolean | number
}

/** A connection that comes back after each loss. It is made by `connect`. */
export interface ClientSocket<P = ClientProtocol> extends AsyncIterable<string | ArrayBuffer> {
  /** The state now, the same as in the last `state` event. */
  readonly state: ClientState
  /** The subprotocol that the handler chose; empty without one. */
  readonly protocol: string
  /**
   * Sends a message, now or when the client is connected. Messages keep their order.
   *
   * @param data a text, or bytes, which are copied
   * @returns false: the client is closed for good or the queue is full, and nothing was sent. True:
   *   it is sent, or `unsent` of `reset` or of the state `closed` has it
   * @throws TypeError when it is neither a string nor a Uint8Array
   */
  send (data: string | Uint8Array): boolean
  /**
   * Sends the text `{"topic","data"}`, as the other `send`. Also data that may be undefined must be
   * given.
   *
   * @param data anything that is JSON
   * @throws TypeError when it is no JSON
   */
  send<K extends keyof ClientTopics<P> & string> (topic: K, data: ClientTopics<P>[K]): boolean
  /**
   * Sends a call, `{"topic","data","id"}`, and waits for its answer, over all sockets of the
   * session.
   *
   * @returns the answer
   * @throws an error whose `code` is that of the server, for example `UNKNOWN_TOPIC`,
   *   `INVALID_MESSAGE` (its `path` tells where), `TARGET_EXITED`, `CALL_FAILED`, or the
   *   application's own. Or one of the client's: `TIMEOUT`, and the call may still be handled;
   *   `TOO_MANY_CALLS`, 64 others wait; `QUEUE_FULL`, nothing was sent; `SESSION_RESET`, a new
   *   session has begun; `CLOSED`; `INVALID_OPTIONS`
   */
  call<K extends keyof ClientCalls<P> & string> (
    topic: K, data: DataOfCall<ClientCalls<P>[K]>, options?: ClientCallOptions
  ): Promise<ReplyOfCall<ClientCalls<P>[K]>>
  /**
   * Answers the server's calls under a topic. A second handler replaces the first one.
   *
   * @param handler returns the answer or a promise of it. The code and the message of an error with
   *   a `code` are sent to the server. Another error is uncaught, and the server gets `CALL_FAILED`
   * @returns a function that removes the topic's handler
   */
  handle<K extends keyof ServerCalls<P> & string> (
    topic: K,
    handler: (data: DataOfCall<ServerCalls<P>[K]>) =>
    ReplyOfCall<ServerCalls<P>[K]> | Promise<ReplyOfCall<ServerCalls<P>[K]>>
  ): () => void
  /**
   * Resolves when everything sent so far is in the target's mailbox: accepted, not handled. Sends a
   * ping, so that the server answers soon.
   *
   * @throws `PLAIN_MODE`: the server does not acknowledge; `SESSION_RESET`: `reset` hands the
   *   messages out; `CLOSED`: the client is closed for good
   */
  delivered (): Promise<void>
  /**
   * Calls the listener for each event: `message`, `state`, `reset`, `invalid`, or a topic of the
   * server. An error that it throws is uncaught and disturbs no other listener.
   *
   * @returns a function that removes the listener
   */
  on<K extends keyof EventsOf<P> & string> (
    event: K, listener: (data: EventsOf<P>[K]) => void
  ): () => void
  /**
   * Closes for good, after what was sent.
   *
   * @param code 1000, or 3000 to 4999. @defaultValue `1000`
   * @param reason at most 123 bytes in UTF-8
   * @throws the error of `WebSocket.close` for another code or a longer reason
   */
  close (code?: number, reason?: string): void
  /**
   * The messages from its first `next` on, the same as the event `message`. A `for await` loop
   * calls it at once. It ends when the client is closed.
   *
   * @throws `TOO_SLOW` when more than `queue` bytes wait for the loop
   */
  [Symbol.asyncIterator] (): AsyncIterator<string | ArrayBuffer, void, void>
}
