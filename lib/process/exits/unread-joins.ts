import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** A set of clients. */
export interface Clients {
  has (client: Pid): boolean
  /** Takes the messages of a client, which may go to another process in place of this one. */
  takeMail? (client: Pid): readonly UnreadMail[] | undefined
  /** Called when all have learned of the exit: what nobody has taken is lost. */
  dropMail? (): void
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
  return unread.get(exit)?.takeMail !== undefined
}

/** Takes the messages of a client that a process had not taken when it ended, in order. */
export function takeUnreadMail (exit: Exit, client: Pid): readonly UnreadMail[] {
  return unread.get(exit)?.takeMail?.(client) ?? []
}
