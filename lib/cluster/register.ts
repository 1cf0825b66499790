import type { Clock } from '../shared/clock.js'
import type { RegisterEntry, Transport } from '../../types/cluster.js'

/** A value of the register, as data. */
export interface ParsedEntry<T> {
  readonly value: T
  readonly revision: number
}

/** The engine's register with values as data, keys of ours, and an end to every wait. */
export class Register {
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #prefix: string
  readonly #requestTimeout: number
  #highestRevision = 0

  constructor (transport: Transport, clock: Clock, prefix: string, patience: number) {
    this.#transport = transport
    this.#clock = clock
    this.#prefix = prefix
    this.#requestTimeout = patience
  }

  /** The highest revision that any answer had. */
  get highestRevision (): number {
    return this.#highestRevision
  }

  /** What is there, or was a moment ago. Rejects when the engine does not answer. */
  async get<T> (key: string): Promise<ParsedEntry<T> | undefined> {
    const entry: RegisterEntry | undefined = await this.#withTimeout(this.#transport.get(this.#prefix + key))
    if (entry === undefined) return undefined
    this.#highestRevision = Math.max(this.#highestRevision, entry.revision)
    return { value: parse(entry.value) as T, revision: entry.revision }
  }

  /** @returns the new revision; 0: another was first. Rejects when nobody knows whether it was set */
  async cas (key: string, value: unknown, revision: number): Promise<number> {
    const bytes = value === undefined ? undefined : Buffer.from(JSON.stringify(value))
    const written = await this.#withTimeout(this.#transport.cas(this.#prefix + key, bytes, revision))
    this.#highestRevision = Math.max(this.#highestRevision, written)
    return written
  }

  /** A while, before an engine that failed is asked again: one that fails at once would be asked for ever in one turn. */
  pauseBeforeRetry (): Promise<void> {
    return new Promise((resolve) => { this.#clock.after(this.#requestTimeout / 20, resolve) })
  }

  #withTimeout<T> (request: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(this.#requestTimeout, () => { reject(new Error('The engine does not answer')) })
      request.then(resolve, reject).finally(() => { timer.cancel() })
    })
  }
}

/** What is no JSON of ours counts as an empty record. */
function parse (bytes: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString())
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** A name in a key: engines allow few characters. */
export function encodeKey (name: string): string {
  return Buffer.from(name).toString('base64url')
}
