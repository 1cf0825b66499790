import type { NodeContext } from './context.js'
import type { RegisterEntry } from '../../types/cluster.js'

/** A value of the register, parsed. */
export interface ParsedEntry<T> {
  readonly value: T
  readonly revision: number
}

/** The engine's register, with JSON values, prefixed keys and a timeout for every request. */
export class Register {
  readonly #context: NodeContext
  #highestRevision = 0

  constructor (context: NodeContext) {
    this.#context = context
  }

  /** The highest revision in any answer. */
  get highestRevision (): number {
    return this.#highestRevision
  }

  /** @returns a value that may be stale. Rejects when the engine does not answer */
  async get<T> (key: string): Promise<ParsedEntry<T> | undefined> {
    const request = this.#context.transport.get(this.#keyOf(key))
    const entry: RegisterEntry | undefined = await this.withTimeout(request)
    if (entry === undefined) return undefined
    this.#highestRevision = Math.max(this.#highestRevision, entry.revision)
    return { value: parse(entry.value) as T, revision: entry.revision }
  }

  /**
   * Compare-and-set.
   * @returns the new revision; 0: the revision has changed. Rejects when the outcome is unknown
   */
  async cas (key: string, value: unknown, revision: number): Promise<number> {
    const bytes = value === undefined ? undefined : Buffer.from(JSON.stringify(value))
    const request = this.#context.transport.cas(this.#keyOf(key), bytes, revision)
    const written = await this.withTimeout(request)
    this.#highestRevision = Math.max(this.#highestRevision, written)
    return written
  }

  #keyOf (key: string): string {
    return `${this.#context.prefix}.${key}`
  }

  /** Resolves after a short time: retries without it would never leave the current turn. */
  pauseBeforeRetry (): Promise<void> {
    const { timing } = this.#context
    return new Promise((resolve) => { this.#context.after(timing.request / 20, resolve) })
  }

  /** Settles like the request, or rejects after the timeout of one request. */
  withTimeout<T> (request: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#context.after(this.#context.timing.request, () => {
        reject(new Error('The engine does not answer'))
      })
      request.then(resolve, reject).finally(() => { timer.cancel() })
    })
  }
}

/** A value that is not a JSON object counts as an empty record. */
function parse (bytes: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString())
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** Encodes a name for a key or topic, because engines allow few characters there. */
export function encodeKey (name: string): string {
  return Buffer.from(name).toString('base64url')
}
