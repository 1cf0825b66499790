import { errorCodes, toError } from '../../../errors.js'
import { engineTiming } from '../../timing.js'
import { maxUnflushed, type Dial, type Session } from '../session/session.js'
import type { Redis, RedisOptions } from 'ioredis'
import type { Cancellable, Clock } from '../../../shared/clock.js'
import type { RegisterEntry } from '../../../../types/cluster.js'

const { FST_CLUSTER_ACCESS_DENIED, FST_CLUSTER_UNSUPPORTED } = errorCodes

/** The parts of the client that are used. */
export interface RedisClient {
  Redis: typeof Redis
}

/**
 * A script, because Redis executes it atomically. All keys share one revision counter, so that a
 * key gets a new revision when it is deleted and created again.
 */
const compareAndSet = `
if (redis.call('HGET', KEYS[1], 'revision') or '0') ~= ARGV[1] then return 0 end
local revision = redis.call('INCR', KEYS[2])
if ARGV[2] == 'delete' then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'value', ARGV[3], 'revision', revision)
end
return revision`

/** A retry strategy that gives up. */
const never = (): null => null

/** Dials Redis. @param prefix the first part of every topic and key */
export function dialRedis (
  url: string | undefined,
  options: RedisOptions,
  prefix: string,
  load: () => Promise<RedisClient>
): Dial {
  let dials = 0
  return async (deliver, signal, clock) => {
    const { Redis } = await load()
    signal.throwIfAborted()
    const own: RedisOptions = {
      ...options,
      ...startingWith(dials++, options.sentinels),
      lazyConnect: true,
      retryStrategy: never,
      reconnectOnError: null,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      enableReadyCheck: false,
      disableClientInfo: true,
      replyMapping: 'legacy',
      connectTimeout: engineTiming.dialTimeout,
      // Milliseconds to wait until the server closes too: a frozen server never does.
      disconnectTimeout: 100,
      // Ask each Sentinel once. The next round is another dial.
      sentinelRetryStrategy: never,
      sentinelCommandTimeout: engineTiming.dialTimeout
    }
    const connect = (): Redis => url === undefined ? new Redis(own) : new Redis(url, own)
    const session = new RedisSession(connect(), connect(), prefix, deliver, clock)
    const abandon = (): void => { session.disconnect() }
    signal.addEventListener('abort', abandon)
    try {
      await session.prepare()
    } catch (error) {
      session.disconnect()
      throw codedRedisError(session.failure ?? error)
    } finally {
      signal.removeEventListener('abort', abandon)
    }
    return session
  }
}

class RedisSession implements Session {
  readonly maxFrame = 1024 * 1024
  readonly lost: Promise<void>
  /** The first error event of the client: its promises only say that it is closed. */
  failure: unknown
  readonly #commands: Redis
  /** A second connection: in older protocols a subscribed connection accepts no other commands. */
  readonly #subscriber: Redis
  readonly #prefix: string
  readonly #clock: Clock
  #pingTimer: Cancellable
  #disconnected = false
  #unansweredPings = 0
  #unflushed = 0

  constructor (
    commands: Redis,
    subscriber: Redis,
    prefix: string,
    deliver: (topic: string, frame: Uint8Array) => void,
    clock: Clock
  ) {
    this.#clock = clock
    this.#commands = commands
    this.#subscriber = subscriber
    this.#prefix = prefix
    subscriber.on('messageBuffer', (channel: Buffer, frame: Buffer) => {
      deliver(channel.toString(), frame)
    })
    this.lost = new Promise((resolve) => {
      for (const client of [commands, subscriber]) {
        client.on('error', (error) => { this.failure ??= error })
        client.once('end', () => {
          this.disconnect()
          resolve()
        })
      }
    })
    this.#pingTimer = this.#startPingTimer()
  }

  #startPingTimer (): Cancellable {
    return this.#clock.after(engineTiming.pingInterval, () => {
      this.#pingTimer = this.#startPingTimer()
      this.#ping()
    })
  }

  /** Connects, and checks its permissions. A replica, for example, refuses writes. */
  async prepare (): Promise<void> {
    await Promise.all([this.#commands.connect(), this.#subscriber.connect()])
    const topic = `${this.#prefix}.check`
    await this.subscribe(topic)
    await this.#commands.publish(topic, '')
    await this.unsubscribe(topic)
    // Writes and deletes a key that no node uses.
    const revision = await this.cas(topic, new Uint8Array(), 0)
    if (revision !== 0) await this.cas(topic, undefined, revision)
    await this.get(topic)
    await this.probe(topic)
  }

  publish (topic: string, frame: Uint8Array): boolean {
    if (this.#unflushed + frame.length > maxUnflushed) return false
    this.#unflushed += frame.length
    this.#commands.publish(topic, asBuffer(frame)).then(() => {
      this.#unflushed -= frame.length
    }, (error: unknown) => {
      this.failure ??= error
      this.disconnect()
    })
    return true
  }

  /** Redis executes commands in order: the answer to a ping comes after all earlier commands. */
  async flush (): Promise<void> {
    await this.#commands.ping()
  }

  async subscribe (topic: string): Promise<void> {
    await withRedisErrors(this.#subscriber.subscribe(topic))
  }

  async unsubscribe (topic: string): Promise<void> {
    await withRedisErrors(this.#subscriber.unsubscribe(topic))
  }

  async probe (topic: string): Promise<boolean> {
    const [, subscribers] = await withRedisErrors(this.#commands.pubsub('NUMSUB', topic))
    return Number(subscribers) > 0
  }

  async get (key: string): Promise<RegisterEntry | undefined> {
    const answer = this.#commands.hmgetBuffer(key, 'value', 'revision')
    const [value, revision] = await withRedisErrors(answer)
    return value && revision ? { value, revision: Number(revision) } : undefined
  }

  async cas (key: string, value: Uint8Array | undefined, revision: number): Promise<number> {
    const what = value === undefined ? ['delete'] : ['set', asBuffer(value)]
    const keys = [key, `${this.#prefix}.revision`]
    const answer = this.#commands.eval(compareAndSet, 2, ...keys, String(revision), ...what)
    return Number(await withRedisErrors(answer))
  }

  async close (): Promise<void> {
    this.disconnect()
    await this.lost
  }

  disconnect (): void {
    if (this.#disconnected) return
    this.#disconnected = true
    this.#pingTimer.cancel()
    this.#commands.disconnect()
    this.#subscriber.disconnect()
  }

  #ping (): void {
    if (this.#unansweredPings === 2) {
      this.disconnect()
      return
    }
    this.#unansweredPings++
    Promise.all([this.#commands.ping(), this.#subscriber.ping()]).then(() => {
      this.#unansweredPings = 0
    }, () => { /* The connection is being closed. */ })
  }
}

/** Each dial asks another Sentinel first, because one that does not answer uses up its time. */
function startingWith (
  n: number,
  sentinels: RedisOptions['sentinels']
): Pick<RedisOptions, 'sentinels'> {
  if (sentinels === undefined) return {}
  const first = n % sentinels.length
  return { sentinels: [...sentinels.slice(first), ...sentinels.slice(0, first)] }
}

/** Waits for an answer, and converts its error to a coded one if no retry can help. */
async function withRedisErrors<T> (answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw codedRedisError(error)
  }
}

/** Messages of the server for missing permissions, and for a Redis Cluster or an old server. */
const denied = /\b(?:WRONGPASS|NOAUTH|NOPERM|invalid password|executing the script can't)\b/
const unsupported = /^(?:MOVED|CROSSSLOT|CLUSTERDOWN|ERR unknown command)\b/

function codedRedisError (error: unknown): unknown {
  const { message } = toError(error)
  if (denied.test(message)) return new FST_CLUSTER_ACCESS_DENIED('redis', message, { cause: error })
  if (unsupported.test(message)) {
    return new FST_CLUSTER_UNSUPPORTED('redis', message, { cause: error })
  }
  return error
}

function asBuffer (bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
