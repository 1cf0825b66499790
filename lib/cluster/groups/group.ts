import { encodeKey } from '../register.js'
import type { Cancellable } from '../../shared/clock.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { ClusterGroupChange } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

/** Called with each change of the members on all nodes. */
export type GroupListener = (change: ClusterGroupChange) => void

/** A process of this node that is a member. */
export interface GroupMember {
  /** How often it has joined: it must leave as often. */
  times: number
  /** Ends the membership when the process ends. */
  readonly exitListener: ExitListener
}

/** One call of `groups.watch`. */
export interface Subscription {
  /** Calls the listener in the `AsyncLocalStorage` context of the call of `watch`. */
  readonly notify: GroupListener
  /** Set when `watch` resolves with the members. Changes before that are not reported. */
  isReady: boolean
}

/** A group that has members or listeners on this node. */
export class Group {
  readonly name: string
  readonly topic: string
  readonly localMembers = new Map<Pid, GroupMember>()
  readonly listeners = new Map<GroupListener, Subscription>()
  /** The members on all nodes. Kept only while there are listeners. */
  readonly allMembers = new Set<Pid>()
  /** For each query that is running: the joins (true) and leaves that arrived meanwhile. */
  readonly #pendingUpdates = new Set<Map<Pid, boolean>>()
  /** Resolves when the engine has confirmed the subscription to the topic. */
  subscribed: Promise<void> | undefined
  /** Ends the subscription later, after the last member and listener have gone. */
  linger: Cancellable | undefined

  constructor (name: string, prefix: string) {
    this.name = name
    this.topic = groupTopic(name, prefix)
  }

  get isUsed (): boolean {
    return this.localMembers.size > 0 || this.listeners.size > 0
  }

  /** The known members on one node. @param suffix the end of its PIDs */
  membersOf (suffix: string): Pid[] {
    return [...this.allMembers].filter((pid) => pid.endsWith(suffix))
  }

  /** Call when another node, or this one, announces that a member has joined or left. */
  recordUpdate (pid: Pid, isMember: boolean): void {
    for (const updates of this.#pendingUpdates) updates.set(pid, isMember)
  }

  /**
   * Compares the members that a node answers with those that are known of it. Announcements travel
   * by another way than the answer, so an announcement that arrives during the query wins. If it
   * is older than the answer, another announcement follows that corrects it.
   *
   * @param suffix the end of the node's PIDs
   * @returns the members that have joined and left; undefined: there is no answer
   */
  async compareWithAnswer (
    suffix: string, query: Promise<readonly Pid[] | undefined>
  ): Promise<{ joined: Pid[], left: Pid[] } | undefined> {
    const updates = new Map<Pid, boolean>()
    this.#pendingUpdates.add(updates)
    const members = await query
    this.#pendingUpdates.delete(updates)
    if (members === undefined) return undefined
    const answer = new Set(members)
    const isMember = (pid: Pid): boolean => updates.get(pid) ?? answer.has(pid)
    const left = this.membersOf(suffix).filter((pid) => !isMember(pid))
    return { joined: members.filter(isMember), left }
  }

  /** @returns the part of a change that is new, for the listeners; undefined: nothing is new */
  applyChange (joined: readonly Pid[], left: readonly Pid[]): ClusterGroupChange | undefined {
    const added = joined.filter((pid) => !this.allMembers.has(pid))
    const removed = left.filter((pid) => this.allMembers.delete(pid))
    for (const pid of added) this.allMembers.add(pid)
    if (added.length === 0 && removed.length === 0) return undefined
    return { group: this.name, joined: added, left: removed }
  }
}

/** The engine's topic for the broadcasts of a group, and for its joins and leaves. */
export function groupTopic (name: string, prefix: string): string {
  return `${prefix}.g.${encodeKey(name)}`
}
