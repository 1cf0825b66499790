/** A client chooses the length of a topic and of a path, and is told no more than this of them. */
export const longestShown = 128

/** Data that its schema refuses. */
export class Refused {
  /**
   * Where the first problem is: a JSON pointer (RFC 6901) below the data, cut to
   * {@link longestShown}; empty for all of it.
   */
  readonly path: string

  constructor (path: string) {
    this.path = path.slice(0, longestShown)
  }
}

/**
 * Checks data against one schema.
 * @returns the data, which a schema may have transformed, or {@link Refused}
 * @throws what the code of a schema throws
 */
export type DataCheck = (data: unknown) => unknown

/** A protocol, compiled. */
export interface ProtocolRules {
  readonly name: string
  /** The checks of the messages of clients, by topic. */
  readonly messages: ReadonlyMap<string, DataCheck>
  /** The checks of the answers of clients, by the topic of the server's call. */
  readonly answers: ReadonlyMap<string, DataCheck>
  /** Whether an invalid message closes the connection. */
  readonly closes: boolean
}

/**
 * The value that `protocol()` returns. Its rules are private, so that nothing else is taken for a
 * protocol: neither JSON nor an object of the same shape.
 */
export class ProtocolDefinition {
  readonly name: string
  readonly client: Readonly<Record<string, unknown>>
  readonly server: Readonly<Record<string, unknown>>
  readonly #rules: ProtocolRules

  constructor (
    rules: ProtocolRules, client: ProtocolDefinition['client'], server: ProtocolDefinition['server']
  ) {
    this.name = rules.name
    this.client = client
    this.server = server
    this.#rules = rules
    Object.freeze(this)
  }

  /** @returns undefined if the value was not made by `protocol()` */
  static rulesOf (value: unknown): ProtocolRules | undefined {
    return typeof value === 'object' && value !== null && #rules in value ? value.#rules : undefined
  }

  /** The size of a header value is measured as JSON, and schemas may be large. */
  toJSON (): string {
    return this.name
  }
}
