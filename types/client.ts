// The client: `fastify-ws-relay/client`. These types use neither DOM types nor Node's, because the
// client runs in both.

/**
 * The topics of an application, for the type parameter of `connect`. `server` has the topics that
 * the server sends as `{"topic", "data"}`, with the type or the schema of the data: a type, a
 * TypeBox schema, or a schema with `~standard`. `client` has those that the client sends.
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

/** The type of a topic's data. The type parameter is a schema, or the type itself. */
export type TopicData<T> =
  T extends { readonly static: infer Data, readonly params: unknown[] } ? Data
    : T extends { readonly '~standard': { readonly types?: infer Types } }
      ? NonNullable<Types> extends { readonly output: infer Data } ? Data : unknown
      : T

/** The topics that the server sends; without a protocol, any topic with unknown data. */
export type ServerTopics<P> = P extends { readonly server: infer Topics }
  ? { readonly [Topic in keyof Topics]: TopicData<Topics[Topic]> }
  : Readonly<Record<string, unknown>>

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

/** The events that are no topics of the server. */
export interface ClientEvents {
  /** A message that is no `{"topic", "data"}`, or whose topic has no listener. Untrusted. */
  readonly message: string | ArrayBuffer
  readonly state: StateEvent
  readonly reset: ResetEvent
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
   * Resolves when everything sent so far is in the target's mailbox: accepted, not handled. Sends a
   * ping, so that the server answers soon.
   *
   * @throws `PLAIN_MODE`: the server does not acknowledge; `SESSION_RESET`: `reset` hands the
   *   messages out; `CLOSED`: the client is closed for good
   */
  delivered (): Promise<void>
  /**
   * Calls the listener for each event: `message`, `state`, `reset`, or a topic of the server. An
   * error that it throws is uncaught and disturbs no other listener.
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
