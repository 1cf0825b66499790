import type { ConnectOptions } from '../../types/client.js'
import { problem, type Environment } from './environment.js'

/** @throws `INVALID_OPTIONS` for a number that is no time, or no number of bytes */
export function checkNumbers (numbers: Record<string, number>): void {
  for (const name in numbers) {
    const number = numbers[name]
    if ((number & 0x7fffffff) !== number) throw problem('INVALID_OPTIONS', `: ${name}`)
  }
}

/**
 * The options of `connect` with their defaults.
 *
 * @throws `INVALID_OPTIONS`
 */
export function settingsOf (environment: Environment, {
  protocols = [],
  negotiate = true,
  WebSocket = environment.WebSocket,
  backoff: { min = 500, max = 20_000 } = {},
  timeout = 10_000,
  queue = 1024 * 1024,
  stableAfter = 10_000,
  resend = false,
  reconnect
}: ConnectOptions) {
  checkNumbers({ min, max, timeout, queue, stableAfter })
  if (!WebSocket) throw problem('INVALID_OPTIONS', ': WebSocket')
  return [
    protocols, negotiate, WebSocket, min, max, timeout, queue, stableAfter, resend, reconnect
  ] as const
}
