import type { SystemTopics } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

type GroupUpdate = SystemTopics['@group']

/**
 * The last `@group` message of each group that waits in a mailbox. Group changes are the one kind of
 * system message without a bound of its own: while the mailbox is full they merge into these.
 */
export class GroupUpdates {
  readonly #pending = new Map<string, GroupUpdate>()

  /** @returns whether a message waits that has taken it in */
  mergeUpdate (news: GroupUpdate): boolean {
    const waiting = this.#pending.get(news.group)
    if (waiting === undefined) return false
    mergeInto(waiting.joined, waiting.left, news.joined)
    mergeInto(waiting.left, waiting.joined, news.left)
    return true
  }

  addUpdate (news: GroupUpdate): void {
    this.#pending.set(news.group, news)
  }

  /** It waits no longer; an older one of its group may have been taken before it. */
  removeUpdate (news: GroupUpdate): void {
    if (this.#pending.get(news.group) === news) this.#pending.delete(news.group)
  }
}

/** Adds changes to one side of a message, unless they undo the other side. */
function mergeInto (side: Pid[], otherSide: Pid[], pids: Pid[]): void {
  for (const pid of pids) {
    const undone = otherSide.indexOf(pid)
    if (undone >= 0) otherSide.splice(undone, 1)
    else side.push(pid)
  }
}
