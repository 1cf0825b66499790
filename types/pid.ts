declare const topicsOf: unique symbol

/**
 * A map of topics to the types of their payloads, as in `{ notice: { text: string } }`. See also
 * {@link Call}.
 */
export type Topics = object

/**
 * Topics of a whole application, which every process takes. Empty; augment it:
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
 * Declares in a map of topics that a topic is answered. `call` then resolves with `Reply`, and
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
 * At run time it is a plain string, safe in JSON, headers, maps and logs. A PID is never reused. It
 * is an address and no secret: never take one from a client.
 *
 * `T` are the topics that the process declared. `send` and `call` check the topic and its payload.
 * A PID without declared topics takes any topic.
 */
export type Pid<T extends Topics = {}> = string & { readonly [topicsOf]: T }

declare const monitorBrand: unique symbol

/** The result of `monitor`, taken by `demonitor`. `@exit` has it too. Unique within its node. */
export type Monitor = number & { readonly [monitorBrand]: true }

/**
 * Milliseconds as a number, or a string of decimal numbers with the units `h`, `m`, `s` and `ms`:
 * `'500ms'`, `'30s'`, `'1m30s'`, `'1.5h'`.
 */
export type Duration = number | string
