import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { TopicData } from './client.js'
import type { ConnectionTopics, Metadata, RelayTopics } from './messages.js'
import type { Call, Pid } from './pid.js'

/** As much of a TypeBox schema as the types use. Any version of `@sinclair/typebox` has it. */
export interface TypeBoxSchema {
  readonly static: unknown
  readonly params: unknown[]
}

/** A schema of TypeBox, or of any library with a Standard Schema (`~standard`), as zod. */
export type DataSchema = TypeBoxSchema | StandardSchemaV1

/** The type that a schema accepts, after its transformations. */
export type DataOf<S> = TopicData<S, unknown>

/** A topic that is answered, as the function `Call` declares it. */
export interface CallDeclaration<
  D extends DataSchema = DataSchema, R extends DataSchema = DataSchema
> extends Call<DataOf<D>, DataOf<R>> {
  readonly data: D
  readonly reply: R
}

/** The topics of one direction, with the schemas of their data. */
export type TopicSchemas = Readonly<Record<string, DataSchema | CallDeclaration>>

/** Options of a protocol. */
export interface ProtocolOptions {
  /**
   * The action for an invalid message. `drop`: it is counted, and a client of this package is told.
   * `close`: the connection is closed with 1007 if it is not JSON, otherwise with 1008.
   * @defaultValue 'drop'
   */
  readonly invalid?: 'drop' | 'close'
}

declare const protocolOf: unique symbol

/** The topics that clients and the server exchange. The function `protocol` makes it. */
export interface Protocol<
  C extends TopicSchemas = TopicSchemas, S extends TopicSchemas = TopicSchemas
> {
  readonly name: string
  /** The topics that clients send. */
  readonly client: C
  /** The topics that the server sends. */
  readonly server: S
  /** Only `protocol` makes a valid value. */
  readonly [protocolOf]: true
}

type TopicOf<S> = S extends Call<infer Data, infer Reply> ? Call<Data, Reply> : DataOf<S>
type PayloadOf<S> = S extends Call<infer Data, unknown> ? Data : DataOf<S>
type Replies<C> = { [K in keyof C]: C[K] extends Call<unknown, infer R> ? R : never }[keyof C]

/** The topics that a client of the protocol takes: those of its `server`, and the relay's own. */
export type ServerMessages<P extends Protocol> =
  { [K in keyof P['server']]: TopicOf<P['server'][K]> } & ConnectionTopics

/** The PID of a connection with this protocol: `send` and `call` check topic and payload. */
export type ClientPid<P extends Protocol> = Pid<ServerMessages<P>>

/** The payload of a checked message: a union, discriminated by its `topic`. */
export type ClientMessage<P extends Protocol> = {
  [K in keyof P['client'] & string]: {
    readonly client_pid: ClientPid<P>
    readonly type: 'json'
    readonly topic: K
    readonly data: PayloadOf<P['client'][K]>
    readonly metadata: Metadata
  }
}[keyof P['client'] & string]

/** The relay's topics about a connection with this protocol. */
type ConnectionEvents<P extends Protocol> = {
  [K in Exclude<keyof RelayTopics, 'ws.message'>]:
  Omit<RelayTopics[K], 'client_pid'> & { readonly client_pid: ClientPid<P> }
}

/**
 * The topics of a process that is the target of connections with a protocol, for `spawn`. `Topic`
 * is their `message_topic`.
 *
 * ```ts
 * app.processes.spawn<ClientMessages<typeof chat>>(async (self) => {
 *   await self.serve({ 'ws.message': ({ client_pid, topic, data }) => { … } })
 * })
 * ```
 */
export type ClientMessages<P extends Protocol, Topic extends string = 'ws.message'> =
  ConnectionEvents<P> & {
    [K in Topic]: [Replies<P['client']>] extends [never]
      ? ClientMessage<P>
      : Call<ClientMessage<P>, Replies<P['client']>>
  }
