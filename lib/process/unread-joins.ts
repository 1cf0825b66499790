import type { Exit } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

/** Anything that knows whether a client is in it. */
interface Clients {
  has (client: Pid): boolean
}

/** Not a property of the exit, because users see exits. */
const unread = new WeakMap<Exit, Clients>()
const everyClient: Clients = { has: () => true }

/** Records whose `ws.join` the process had not taken out of its mailbox when it ended. */
export function recordUnreadJoins (exit: Exit, clients: Clients = everyClient): void {
  unread.set(exit, clients)
}

/**
 * Whether the process took the `ws.join` of this client before it ended. Ask only for a client
 * whose target it was: the record has the joins that were not taken.
 */
export function tookJoin (exit: Exit, client: Pid): boolean {
  return unread.get(exit)?.has(client) !== true
}
