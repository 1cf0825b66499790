import type { SystemTopics } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

type News = SystemTopics['@group']

/**
 * The last `@group` message of each group that waits in a mailbox. Group changes are the one kind of
 * system message without a bound of its own: while the mailbox is full they merge into these.
 */
export class GroupUpdates {
  readonly #waiting = new Map<string, News>()

  /** @returns whether a message waits that has taken it in */
  merge (news: News): boolean {
    const waiting = this.#waiting.get(news.group)
    if (waiting === undefined) return false
    mergeInto(waiting.joined, waiting.left, news.joined)
    mergeInto(waiting.left, waiting.joined, news.left)
    return true
  }

  waits (news: News): void {
    this.#waiting.set(news.group, news)
  }

  /** It waits no longer; an older one of its group may have been taken before it. */
  taken (news: News): void {
    if (this.#waiting.get(news.group) === news) this.#waiting.delete(news.group)
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
