import { codedError, jetStreamCode } from './nats-client.js'
import { engineTiming } from '../timing.js'
import type { NatsClient } from './nats-client.js'
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream'
import type { KV, KvEntry } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import type { RegisterEntry } from '../../../types/cluster.js'

/** Codes of the JetStream API for "it has another revision". */
const conflictCodes: unknown[] = [10071, 10164]

/** Milliseconds until the client gives up: later than who asks, so that a blocked event loop is judged there alone. */
const timeout = 2 * engineTiming.answerTimeout

/** How a bucket that is there is used. */
export interface BucketAccess {
  readonly bindOnly: boolean
  readonly allow_direct: boolean
}

/** The compare-and-set register in a JetStream key-value bucket. A revision is the stream's sequence. */
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
    // The account's information is not asked for: who has little permission need not have that one.
    this.#jetstream = client.jetstream(connection, { timeout, checkAPI: false })
  }

  /**
   * Opens the bucket, and makes it where it is not there. It takes JetStream, which may have to elect a leader first.
   * @returns how to {@link bind} it on later connections
   */
  async open (replicas: number): Promise<BucketAccess> {
    const kv = await new this.#client.Kvm(this.#jetstream).create(this.#bucket, { replicas, history: 1, timeout })
    const access = { bindOnly: true, allow_direct: (kv as { direct?: boolean }).direct === true }
    this.#manager = await this.#client.jetstreamManager(this.#connection, { timeout, checkAPI: false })
    this.#kv = kv
    return access
  }

  /** Uses a bucket that an earlier connection has opened. Nothing is asked of JetStream. */
  async bind (access: BucketAccess): Promise<void> {
    this.#manager = await this.#client.jetstreamManager(this.#connection, { timeout, checkAPI: false })
    this.#kv = await new this.#client.Kvm(this.#jetstream).open(this.#bucket, { ...access, timeout })
  }

  async get (key: string): Promise<RegisterEntry | undefined> {
    const entry = await this.#read(key)
    return entry?.operation === 'PUT' ? { value: entry.value, revision: entry.revision } : undefined
  }

  async cas (key: string, value: Uint8Array | undefined, revision: number): Promise<number> {
    const written = await this.#write(key, value, revision)
    if (written !== 0 || revision !== 0) return written
    // A marker may be left of one that was deleted.
    const entry = await this.#read(key)
    return entry === null || entry.operation === 'PUT' ? 0 : await this.#write(key, value, entry.revision)
  }

  /** Writes it with what the client's bucket does not give: the revision of a deletion. */
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

  /** Names come and go: their markers would fill the bucket. One that stays does no harm. */
  #purgeMarker (seq: number): void {
    this.#manager?.streams.deleteMessage(`KV_${this.#bucket}`, seq, false).catch(() => {})
  }
}

/** A key may have only some characters: base64url has no others, and no dots, which part subjects. */
function encode (key: string): string {
  return Buffer.from(key).toString('base64url')
}
