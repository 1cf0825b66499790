declare const topicsOf: unique symbol

/** A map of topic names to payload types, as in `{ notice: { text: string } }`. */
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

/**
 * The address of a process or of a connection: `42@local.mi3k9x2a` (serial, node, incarnation).
 *
 * A plain string at run time, safe in JSON, headers, maps and logs. It is never reused. It is an
 * address and not a secret: never take one from a client.
 *
 * `T` are the topics the process declared; it types `send` and `call`.
 */
export type Pid<T extends Topics = {}> = string & { readonly [topicsOf]: T }

declare const monitorBrand: unique symbol

/** What `monitor` returns: it is in the `@exit` message and undoes the monitor. Unique per node. */
export type Monitor = number & { readonly [monitorBrand]: true }

/**
 * Milliseconds as a number, or a string of decimal numbers with the units `h`, `m`, `s` and `ms`:
 * `'500ms'`, `'30s'`, `'1m30s'`, `'1.5h'`.
 */
export type Duration = number | string
