import { show } from '../errors.js'
import type { FastifyRequest } from 'fastify'

/** Milliseconds from one line about an origin to the next. */
const interval = 60_000
/** Origins that are remembered. A client can send any number of them. */
const mostOrigins = 100

/** Logs the origins that a server refuses, each once a minute. Further ones than 100 a minute are not logged. */
export class RefusedOrigins {
  /** When each was logged, the oldest first. */
  readonly #logged = new Map<string, number>()

  logOnce ({ headers, host, log, protocol }: FastifyRequest): void {
    const origin = show(headers.origin)
    const now = performance.now()
    for (const [one, at] of this.#logged) {
      if (now - at < interval) break
      this.#logged.delete(one)
    }
    if (this.#logged.has(origin) || this.#logged.size >= mostOrigins) return
    this.#logged.set(origin, now)
    log.warn({ origin, ownOrigin: show(`${protocol}://${host}`) },
      'refused the origin of an upgrade: list it in allowedOrigins. If it is the own origin of the server behind a proxy, turn trustProxy on')
  }
}
