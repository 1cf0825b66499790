import { PendingAnswers } from '../session/pending-answers.js'
import { codedStartError } from './nats-client.js'
import { NatsRegister, type BucketAccess } from './nats-register.js'
import { engineTiming } from '../../timing.js'
import { maxUnflushed, type Dial, type Session } from '../session/session.js'
import { ConnectingSockets } from './connecting-sockets.js'
import type { NatsClient } from './nats-client.js'
import type { NatsConnection, NodeConnectionOptions, Subscription } from '@nats-io/transport-node'
import type { Clock } from '../../../shared/clock.js'
import type { RegisterEntry } from '../../../../types/cluster.js'

/** After this many published bytes, a round trip measures how many have reached the server. */
const worthMeasuring = 64 * 1024

/** Milliseconds that a later connection waits for the bucket. */
const bucketPatience = 1000

/** Milliseconds between two attempts to create the bucket. */
const bucketRetry = 250

/** The first status that the client reports when a connection is lost is one of these. */
const closeStatuses = ['staleConnection', 'disconnect', 'close']

/**
 * Dials NATS. The first connection waits until the register is open, so that a permanent error
 * fails the start. A later connection is ready as soon as it can publish and subscribe: after the
 * death of a server JetStream may have no leader for some seconds, and only names have to wait for
 * that.
 *
 * @param bucket the bucket of the register, and the first part of every topic
 */
export function dialNats (
  options: NodeConnectionOptions,
  bucket: string,
  replicas: number,
  load: () => Promise<NatsClient>
): Dial {
  let access: BucketAccess | undefined
  return async (deliver, signal, clock) => {
    const client = await load()
    signal.throwIfAborted()
    const sockets = new ConnectingSockets()
    const abandon = (): void => { sockets.destroy() }
    signal.addEventListener('abort', abandon)
    let session: NatsSession | undefined
    try {
      const connection = await sockets.trackDuring(() => client.connect({
        ...options,
        ...tlsFirst(options, sockets.signal),
        reconnect: false,
        waitOnFirstConnect: false,
        timeout: engineTiming.dialTimeout,
        pingInterval: engineTiming.pingInterval,
        maxPingOut: 2,
        noEcho: true,
        pedantic: false,
        verbose: false
      }))
      const inbox = (): string => client.createInbox(options.inboxPrefix)
      session = new NatsSession(client, connection, sockets, bucket, inbox, deliver, clock)
      await session.prepare()
      if (access === undefined) access = await session.openRegister(replicas)
      else await session.bindRegister(access, replicas)
    } catch (error) {
      await session?.close()
      sockets.destroy()
      throw codedStartError(error)
    } finally {
      signal.removeEventListener('abort', abandon)
    }
    return session
  }
}

class NatsSession implements Session {
  readonly lost: Promise<void>
  readonly #connection: NatsConnection
  readonly #sockets: ConnectingSockets
  readonly #prefix: string
  readonly #register: NatsRegister
  readonly #deliver: (topic: string, frame: Uint8Array) => void
  readonly #newInbox: () => string
  readonly #clock: Clock
  readonly #answers = new PendingAnswers()
  readonly #subscriptions = new Map<string, Subscription>()
  /** Errors of the server about subscribed topics. */
  readonly #refusals = new Map<string, Error>()
  #unflushed = 0
  #measuring = false
  #isLost = false

  constructor (
    client: NatsClient,
    connection: NatsConnection,
    sockets: ConnectingSockets,
    prefix: string,
    inbox: () => string,
    deliver: (topic: string, frame: Uint8Array) => void,
    clock: Clock
  ) {
    this.#clock = clock
    this.#connection = connection
    this.#sockets = sockets
    this.#prefix = prefix
    this.#newInbox = inbox
    this.#deliver = deliver
    this.#register = new NatsRegister(client, connection, prefix)
    this.lost = this.#readStatuses().finally(() => {
      this.#isLost = true
      this.#answers.rejectAll(new Error('the connection was lost'))
    })
  }

  get maxFrame (): number {
    return this.#connection.info?.max_payload ?? 1024 * 1024
  }

  /** Checks its permissions: subscribes and publishes. */
  async prepare (): Promise<void> {
    const topic = `${this.#prefix}.check`
    await this.subscribe(topic)
    this.#connection.publish(topic)
    await this.flush()
    const refused = this.#refusals.get(topic)
    if (refused) throw refused
    await this.unsubscribe(topic)
  }

  async openRegister (replicas: number): Promise<BucketAccess> {
    return await this.#register.open(replicas)
  }

  /** Waits for the register, for one second at most: see {@link dialNats}. */
  async bindRegister (access: BucketAccess, replicas: number): Promise<void> {
    await this.#register.bind(access)
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(bucketPatience, resolve)
      this.#makeBucket(replicas, () => {
        timer.cancel()
        resolve()
      })
    })
  }

  /**
   * Creates the bucket if a server came back with an empty store. Until then, requests to the
   * register fail.
   */
  #makeBucket (replicas: number, made: () => void): void {
    this.#register.open(replicas).then(made, () => {
      if (this.#isLost) return
      this.#clock.after(bucketRetry, () => { this.#makeBucket(replicas, made) }).unref()
    })
  }

  publish (topic: string, frame: Uint8Array): boolean {
    if (this.#unflushed + frame.length > maxUnflushed) return false
    this.#connection.publish(topic, frame)
    this.#unflushed += frame.length
    if (!this.#measuring && this.#unflushed >= worthMeasuring) this.#measureUnflushed()
    return true
  }

  /** The promise of the client may never settle after the client is closed. */
  async flush (): Promise<void> {
    const late = (): Error => new Error('no answer to a ping')
    await this.#answers.waitFor(this.#connection.flush(), {
      clock: this.#clock, timeout: engineTiming.answerTimeout, late
    })
  }

  async subscribe (topic: string): Promise<void> {
    // A second subscription would deliver every frame twice.
    if (!this.#subscriptions.has(topic)) this.#subscriptions.set(topic, this.#listen(topic))
    // The server answers in order: a refusal comes before the answer to a ping.
    await this.flush()
    const refused = this.#refusals.get(topic)
    if (refused === undefined) return
    await this.unsubscribe(topic)
    throw codedStartError(refused)
  }

  async unsubscribe (topic: string): Promise<void> {
    this.#subscriptions.get(topic)?.unsubscribe()
    this.#subscriptions.delete(topic)
    this.#refusals.delete(topic)
  }

  /**
   * Sends a request to the topic. Without a subscriber the server says so before it answers a ping.
   */
  async probe (topic: string): Promise<boolean> {
    const reply = this.#newInbox()
    let nobody = false
    const answers = this.#connection.subscribe(reply, {
      callback: (error, message) => {
        nobody ||= error === null && message.headers?.code === 503
      }
    })
    try {
      this.#connection.publish(topic, undefined, { reply })
      await this.flush()
      return !nobody
    } finally {
      answers.unsubscribe()
    }
  }

  async get (key: string): Promise<RegisterEntry | undefined> {
    return await this.#register.get(key)
  }

  async cas (key: string, value: Uint8Array | undefined, revision: number): Promise<number> {
    return await this.#register.cas(key, value, revision)
  }

  async close (): Promise<void> {
    const closed = this.#connection.close()
    // Without this, closing may wait for a frozen server to read the rest.
    this.#sockets.destroy()
    await closed
  }

  #listen (topic: string): Subscription {
    return this.#connection.subscribe(topic, {
      callback: (error, message) => {
        if (error !== null) this.#recordRefusal(topic, error)
        // A message with a reply topic is a probe.
        else if (message.reply === undefined || message.reply === '') {
          this.#deliver(topic, message.data)
        }
      }
    })
  }

  async #readStatuses (): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type === 'error' && 'subject' in status.error) {
        this.#recordRefusal(String(status.error.subject), status.error)
      }
      if (closeStatuses.includes(status.type)) break
    }
  }

  #recordRefusal (topic: string, error: Error): void {
    if (this.#subscriptions.has(topic)) this.#refusals.set(topic, error)
  }

  #measureUnflushed (): void {
    const bytes = this.#unflushed
    this.#measuring = true
    this.flush().then(() => {
      this.#unflushed -= bytes
      this.#measuring = false
      if (this.#unflushed >= worthMeasuring) this.#measureUnflushed()
    }, async () => { await this.close() })
  }
}

/** Adds the signal to the TLS options: the client hands them to the socket. */
function tlsFirst (
  { tls }: NodeConnectionOptions,
  signal: AbortSignal
): Pick<NodeConnectionOptions, 'tls'> {
  if (tls?.handshakeFirst !== true) return {}
  return { tls: { ...tls, signal } as typeof tls }
}
