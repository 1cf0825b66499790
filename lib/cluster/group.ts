import { keyOf } from './register.js'
import type { Cancellable } from './clock.js'
import type { Watcher } from '../process/relations.js'
import type { ClusterGroupChange } from '../../types/cluster.js'
import type { Pid } from '../../types/pid.js'

/** Told of each change of the members everywhere. */
export type GroupListener = (change: ClusterGroupChange) => void

/** How often a process has joined, and what ends its membership with it. */
export interface GroupMember {
  times: number
  readonly watcher: Watcher
}

/** One group, as far as this node has to do with it. */
export class Group {
  readonly name: string
  readonly topic: string
  /** Members of this node. */
  readonly members = new Map<Pid, GroupMember>()
  readonly listeners = new Set<GroupListener>()
  /** Members everywhere, while somebody listens. */
  readonly known = new Set<Pid>()
  subscribed: Promise<void> | undefined
  linger: Cancellable | undefined

  constructor (name: string, prefix: string) {
    this.name = name
    this.topic = topicOf(name, prefix)
  }

  get isUsed (): boolean {
    return this.members.size > 0 || this.listeners.size > 0
  }

  /** Those that are known of one node. @param suffix the end of its PIDs */
  knownOf (suffix: string): Pid[] {
    return [...this.known].filter((pid) => pid.endsWith(suffix))
  }

  /** Takes changes in. @returns what the listeners are to be told; undefined: nothing is new */
  change (joined: readonly Pid[], left: readonly Pid[]): ClusterGroupChange | undefined {
    const come = joined.filter((pid) => !this.known.has(pid))
    const gone = left.filter((pid) => this.known.delete(pid))
    for (const pid of come) this.known.add(pid)
    return come.length === 0 && gone.length === 0 ? undefined : { group: this.name, joined: come, left: gone }
  }
}

/** What the broadcasts of a group are published under. */
export function topicOf (name: string, prefix: string): string {
  return `${prefix}.g.${keyOf(name)}`
}
