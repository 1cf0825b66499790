import { nodeClock } from '../../lib/shared/clock.js'
import { DeadlineTimer } from '../../lib/shared/deadline-timer.js'
import { Flusher } from '../../lib/websocket/sender.js'
import type { WebSocketServer } from '../../lib/websocket/transport.js'

/** The state that the WebSockets of one server share. Without options there are no pings. */
export function webSocketServer (
  options: Partial<WebSocketServer['options']> = {}, clock = nodeClock
): WebSocketServer & { readonly deadlines: DeadlineTimer } {
  return {
    flusher: new Flusher(clock),
    deadlines: new DeadlineTimer(clock),
    options: { pingInterval: 0, pongTimeout: 0, closeTimeout: 1000, ...options }
  }
}
