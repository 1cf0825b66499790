import type { PayloadAndOptions, TopicFor } from './messages.js'
import type { Pid } from './pid.js'

/**
 * Registered names, which can be used in place of a PID. A name is 1 to 256 bytes of UTF-8 without
 * control characters. It does not begin with `@` or `{`, and does not look like a PID
 * (`<digits>@<node>.<incarnation>`).
 */
export interface Names {
  /**
   * Gives a name to a living process or connection of this node. It may have several names. They
   * are free again when it ends.
   * @throws `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_NAME_TAKEN`, `FST_PROCESS_NOT_ALIVE`
   */
  register (name: string, pid: string): void
  /** Frees a name. @returns whether it was registered */
  unregister (name: string): boolean
  lookup (name: string): Pid | undefined
}

/** Options of `groups.broadcast`. */
export interface BroadcastOptions {
  /** A member that gets no message, by PID or name. */
  except?: Pid | string
}

/** Process groups, as OTP's `pg`: a member that joined twice has to leave twice. */
export interface Groups {
  /**
   * @returns false when `pid` is not alive
   * @throws `FST_PROCESS_INVALID_NAME` (not 1 to 256 bytes of UTF-8 without control characters),
   * `FST_PROCESS_INVALID_PID`
   */
  join (group: string, pid: string): boolean
  /** @returns false when it was no member */
  leave (group: string, pid: string): boolean
  /** Each member once, in the order in which they joined. */
  members (group: string): Pid[]
  /** The groups that have members. */
  list (): string[]
  /**
   * Sends to each member once. The payload is encoded once for all connections.
   * @returns how many members accepted it
   * @throws `FST_PROCESS_INVALID_TOPIC`, `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_INVALID_PID` (of
   * `except`)
   */
  broadcast<K extends string> (
    group: string, topic: TopicFor<{}, K>, ...args: PayloadAndOptions<{}, K, BroadcastOptions>
  ): number
  /**
   * Sends `@group` to `pid` for each later change. While its mailbox is full, waiting changes are
   * merged into one message.
   * @returns the members before the first change
   * @throws `FST_PROCESS_NOT_ALIVE`
   */
  watch (group: string, pid: string): Pid[]
  /** Ends {@link Groups.watch}, and removes its messages from the mailbox (OTP: `pg:demonitor`). */
  unwatch (group: string, pid: string): void
}
