import type { SystemTopics } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

type GroupUpdate = SystemTopics['@group']

/**
 * The last queued `@group` message of each group in one mailbox. Only group updates could fill a
 * mailbox without a bound, because system messages are never refused. While the mailbox is full,
 * new updates are therefore merged into these messages.
 */
export class GroupUpdates {
  readonly #pending = new Map<string, GroupUpdate>()

  /** @returns false when the mailbox has no message of this group */
  mergeUpdate (update: GroupUpdate): boolean {
    const queued = this.#pending.get(update.group)
    if (queued === undefined) return false
    mergeInto(queued.joined, queued.left, update.joined)
    mergeInto(queued.left, queued.joined, update.left)
    return true
  }

  addUpdate (update: GroupUpdate): void {
    this.#pending.set(update.group, update)
  }

  /** The message has left the mailbox. A newer one of its group may still be queued. */
  removeUpdate (update: GroupUpdate): void {
    if (this.#pending.get(update.group) === update) this.#pending.delete(update.group)
  }
}

/** Adds PIDs to one side of a message. A PID on the other side is removed there instead. */
function mergeInto (side: Pid[], otherSide: Pid[], pids: Pid[]): void {
  for (const pid of pids) {
    const undone = otherSide.indexOf(pid)
    if (undone >= 0) otherSide.splice(undone, 1)
    else side.push(pid)
  }
}
