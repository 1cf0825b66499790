import { codedError, jetStreamCode } from './nats-client.js'
import { engineTiming } from '../../timing.js'
import type { NatsClient } from './nats-client.js'
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream'
import type { KV, KvEntry } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import type { RegisterEntry } from '../../../../types/cluster.js'

/** Codes of the JetStream API for "wrong last sequence": the key has another revision. */
const conflictCodes: unknown[] = [10071, 10164]

/**
 * Milliseconds until the client gives up. It is longer than the timeout of the caller, so that only
 * the caller decides, which tolerates a blocked event loop.
 */
const timeout = 2 * engineTiming.answerTimeout

const options = { timeout, checkAPI: false }

/** Options to open an existing bucket. */
export interface BucketAccess {
  readonly bindOnly: boolean
  readonly allow_direct: boolean
}

/**
 * The compare-and-set register in a JetStream key-value bucket. A revision is the stream's
 * sequence.
 */
export class NatsRegister {
  readonly #client: NatsClient
  readonly #connection: NatsConnection
  readonly #bucket: string
  readonly #jetstream: JetStreamClient
  #kv: KV | undefined
  #manager: JetStreamManager | undefined

  constructor (client: NatsClient, connection: NatsConnection, bucket: string) {
    this.#client = client
    this.#connection = connection
    this.#bucket = bucket
    // Without a check of the API: it would need a permission that a restricted user may lack.
    this.#jetstream = client.jetstream(connection, options)
  }

  /**
   * Opens the bucket, and creates it if it does not exist. JetStream may have to elect a leader
   * first.
   * @returns how to {@link bind} it on later connections
   */
  async open (replicas: number): Promise<BucketAccess> {
    const manager = new this.#client.Kvm(this.#jetstream)
    const kv = await manager.create(this.#bucket, { replicas, history: 1, timeout })
    const access = { bindOnly: true, allow_direct: (kv as { direct?: boolean }).direct === true }
    this.#manager = await this.#client.jetstreamManager(this.#connection, options)
    this.#kv = kv
    return access
  }

  /** Uses a bucket that an earlier connection has opened, without a request to JetStream. */
  async bind (access: BucketAccess): Promise<void> {
    this.#manager = await this.#client.jetstreamManager(this.#connection, options)
    const manager = new this.#client.Kvm(this.#jetstream)
    this.#kv = await manager.open(this.#bucket, { ...access, timeout })
  }

  async get (key: string): Promise<RegisterEntry | undefined> {
    const entry = await this.#read(key)
    return entry?.operation === 'PUT' ? { value: entry.value, revision: entry.revision } : undefined
  }

  async cas (key: string, value: Uint8Array | undefined, revision: number): Promise<number> {
    const written = await this.#write(key, value, revision)
    if (written !== 0 || revision !== 0) return written
    // The marker of a deleted key may still be there: then its revision is the expected one.
    const entry = await this.#read(key)
    if (entry === null || entry.operation === 'PUT') return 0
    return await this.#write(key, value, entry.revision)
  }

  /**
   * Writes without the client's bucket API, because that does not return the revision of a delete.
   */
  async #write (key: string, value: Uint8Array | undefined, revision: number): Promise<number> {
    const headers = this.#client.headers()
    if (value === undefined) headers.set('KV-Operation', 'DEL')
    try {
      const { seq } = await this.#jetstream.publish(`$KV.${this.#bucket}.${encode(key)}`, value, {
        headers, timeout, expect: { lastSubjectSequence: revision }
      })
      if (value === undefined) this.#purgeMarker(seq)
      return seq
    } catch (error) {
      if (conflictCodes.includes(jetStreamCode(error))) return 0
      throw codedError(error)
    }
  }

  async #read (key: string): Promise<KvEntry | null> {
    try {
      return await (this.#kv as KV).get(encode(key))
    } catch (error) {
      throw codedError(error)
    }
  }

  /** Deletes the marker of a deleted key, so that markers do not fill the bucket. May fail. */
  #purgeMarker (seq: number): void {
    this.#manager?.streams.deleteMessage(`KV_${this.#bucket}`, seq, false).catch(() => {})
  }
}

/** base64url has only characters that are valid in a key, and no dots, which separate subjects. */
function encode (key: string): string {
  return Buffer.from(key).toString('base64url')
}
