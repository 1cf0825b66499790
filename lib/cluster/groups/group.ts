import { encodeKey } from '../register.js'
import type { Cancellable } from '../../shared/clock.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { ClusterGroupChange } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

/** Told of each change of the members everywhere. */
export type GroupListener = (change: ClusterGroupChange) => void

/** How often a process has joined, and what ends its membership with it. */
export interface GroupMember {
  times: number
  readonly watcher: ExitListener
}

/** One who listens. */
export interface Subscription {
  /** Calls it in the `AsyncLocalStorage` context of its `watch`. */
  readonly notify: GroupListener
  /** Not before it has got the members. */
  isReady: boolean
}

/** One group, as far as this node has to do with it. */
export class Group {
  readonly name: string
  readonly topic: string
  /** Members of this node. */
  readonly localMembers = new Map<Pid, GroupMember>()
  readonly listeners = new Map<GroupListener, Subscription>()
  /** Members everywhere, while somebody listens. */
  readonly allMembers = new Set<Pid>()
  readonly #pendingUpdates = new Set<Map<Pid, boolean>>()
  subscribed: Promise<void> | undefined
  linger: Cancellable | undefined

  constructor (name: string, prefix: string) {
    this.name = name
    this.topic = groupTopic(name, prefix)
  }

  get isUsed (): boolean {
    return this.localMembers.size > 0 || this.listeners.size > 0
  }

  /** Those that are known of one node. @param suffix the end of its PIDs */
  membersOf (suffix: string): Pid[] {
    return [...this.allMembers].filter((pid) => pid.endsWith(suffix))
  }

  /** Who came or went, as it was announced. */
  recordUpdate (pid: Pid, isMember: boolean): void {
    for (const news of this.#pendingUpdates) news.set(pid, isMember)
  }

  /**
   * Takes in what a node answers to a question about its members. Announcements go another way: what was heard
   * meanwhile is newer than the answer, or older than a change that is still to be heard.
   * @returns who came and went by it; undefined: there is no answer
   */
  async compareWithAnswer (suffix: string, question: Promise<readonly Pid[] | undefined>): Promise<{ joined: Pid[], left: Pid[] } | undefined> {
    const news = new Map<Pid, boolean>()
    this.#pendingUpdates.add(news)
    const members = await question
    this.#pendingUpdates.delete(news)
    if (members === undefined) return undefined
    const answer = new Set(members)
    const isMember = (pid: Pid): boolean => news.get(pid) ?? answer.has(pid)
    return { joined: members.filter(isMember), left: this.membersOf(suffix).filter((pid) => !isMember(pid)) }
  }

  /** Takes changes in. @returns what the listeners are to be told; undefined: nothing is new */
  applyChange (joined: readonly Pid[], left: readonly Pid[]): ClusterGroupChange | undefined {
    const come = joined.filter((pid) => !this.allMembers.has(pid))
    const gone = left.filter((pid) => this.allMembers.delete(pid))
    for (const pid of come) this.allMembers.add(pid)
    return come.length === 0 && gone.length === 0 ? undefined : { group: this.name, joined: come, left: gone }
  }
}

/** What the broadcasts of a group are published under. */
export function groupTopic (name: string, prefix: string): string {
  return `${prefix}.g.${encodeKey(name)}`
}
