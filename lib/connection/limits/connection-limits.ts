import { Expiry } from './expiry.js'
import { RateLimiter } from './rate-limiter.js'
import type { Transport } from '../transport.js'
import type { ExpiringConnection } from './expiry.js'
import type { Limit, LimitChange } from './limit-fields.js'
import type { LimiterHost } from './rate-limiter.js'

/** The connection that limits belong to. */
export interface LimitableConnection extends ExpiringConnection {
  readonly transport: Transport
  /** Replaces the transport by one that holds it. */
  wrapTransport (transport: Transport): void
}

/** The rate limit and the expiry of one connection, each made when it is first needed. */
export class ConnectionLimits {
  readonly #connection: LimitableConnection
  readonly #host: LimiterHost
  #limiter: RateLimiter | undefined
  #expiry: Expiry | undefined

  constructor (connection: LimitableConnection, host: LimiterHost) {
    this.#connection = connection
    this.#host = host
  }

  static isChangedBy ({ limit, expires, expiryNotice }: LimitChange): boolean {
    return limit !== undefined || expires !== undefined || expiryNotice !== undefined
  }

  apply (change: LimitChange): void {
    if (change.limit !== undefined) this.#setLimit(change.limit ?? undefined)
    if (change.expires === undefined && change.expiryNotice === undefined) return
    this.#expiry ??= new Expiry(this.#connection, this.#host.deadlines)
    this.#expiry.change(change)
  }

  #setLimit (limit: Limit | undefined): void {
    if (this.#limiter !== undefined) this.#limiter.setLimit(limit)
    else if (limit !== undefined) {
      this.#limiter = new RateLimiter(this.#host, this.#connection.transport, limit)
      this.#connection.wrapTransport(this.#limiter)
    }
  }

  /** Called when the connection has joined a target. */
  joined (): void {
    this.#expiry?.joined()
  }

  /** Called when the connection has ended. The limiter ends with the transport. */
  stop (): void {
    this.#expiry?.stop()
  }
}
