import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** A set of clients. */
export interface Clients {
  has (client: Pid): boolean
  /** Messages of a client that may go to another process in place of this one. */
  mailOf? (client: Pid): readonly UnreadMail[] | undefined
}

/** A message of a client that nobody has taken. */
export interface UnreadMail {
  readonly payload: unknown
  /** Of the client. */
  readonly bytes: number
}

/** A WeakMap and not a property of the exit, because users see exits. */
const unread = new WeakMap<Exit, Clients>()
const everyClient: Clients = { has: () => true }

/** Records the clients whose `ws.join` was still in the mailbox when the process ended. */
export function recordUnreadJoins (exit: Exit, clients: Clients = everyClient): void {
  unread.set(exit, clients)
}

/**
 * Whether the process took the `ws.join` of this client before it ended. The answer is true for
 * every client without a record, so ask only about clients that were bound to the process.
 */
export function tookJoin (exit: Exit, client: Pid): boolean {
  return unread.get(exit)?.has(client) !== true
}

/** Whether the mail of clients whose `ws.join` nobody has taken goes to another process. */
export function handsMailOn (exit: Exit): boolean {
  return unread.get(exit)?.mailOf !== undefined
}

/** Messages of a client that a process had not taken when it ended, in order. */
export function unreadMail (exit: Exit, client: Pid): readonly UnreadMail[] {
  return unread.get(exit)?.mailOf?.(client) ?? []
}
