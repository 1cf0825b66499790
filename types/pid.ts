declare const topicsOf: unique symbol

/** A map of topic names to payload types, as in `{ notice: { text: string } }`. See also {@link Call}. */
export type Topics = object

/**
 * An application's own topics, for every process at once. Empty here; augment it:
 *
 * ```ts
 * declare module 'fastify-ws-relay' {
 *   interface ApplicationTopics { 'order.paid': { id: string } }
 * }
 * ```
 */
export interface ApplicationTopics {}

declare const callOf: unique symbol

/**
 * Declares a topic that is answered, in a map of topics: `call` returns the reply's type, and
 * `message.reply` takes it.
 *
 * ```ts
 * interface CounterTopics { add: number, total: Call<void, number> }
 * ```
 */
export interface Call<Payload = void, Reply = unknown> {
  readonly [callOf]: { readonly payload: Payload, readonly reply: Reply }
}

/**
 * The address of a process or of a connection: `42@local.mi3k9x2a` (serial, node, incarnation).
 *
 * A plain string at run time, safe in JSON, headers, maps and logs. A PID is never reused. It is an
 * address and not a secret: never take one from a client.
 *
 * `T` are the topics that the process declared: `send` and `call` to it take these topics, with their
 * payloads. A PID without them takes any topic.
 */
export type Pid<T extends Topics = {}> = string & { readonly [topicsOf]: T }

declare const monitorBrand: unique symbol

/** The result of `monitor`, for `demonitor`. The `@exit` message has it too. Unique on its node. */
export type Monitor = number & { readonly [monitorBrand]: true }

/**
 * Milliseconds as a number, or a string of decimal numbers with the units `h`, `m`, `s` and `ms`:
 * `'500ms'`, `'30s'`, `'1m30s'`, `'1.5h'`.
 */
export type Duration = number | string
