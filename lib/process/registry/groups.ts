import { MultiMap } from '../../shared/multimap.js'
import { checkGroupName } from './names.js'
import type { Pid } from '../../../types/pid.js'

export type NotifyWatcher = (watcher: Pid, group: string, joined: Pid[], left: Pid[]) => void

/** Process groups, their members and their watchers. A PID may join a group more than once. */
export class GroupTable {
  readonly #members = new MultiMap<string, Pid>()
  /** Joins after the first one, by member and group. They are rare. */
  readonly #extraJoins = new Map<Pid, Map<string, number>>()
  readonly #groupsOf = new MultiMap<Pid, string>()
  readonly #watchers = new MultiMap<string, Pid>()
  readonly #watchedBy = new MultiMap<Pid, string>()
  readonly #notifyWatcher: NotifyWatcher

  constructor (tell: NotifyWatcher) {
    this.#notifyWatcher = tell
  }

  join (group: string, pid: Pid): void {
    if (!this.#members.add(group, pid)) {
      this.#countExtraJoin(group, pid)
      return
    }
    this.#groupsOf.add(pid, group)
    this.#notifyWatchers(group, [pid], [])
  }

  leave (group: string, pid: Pid): boolean {
    if (this.#extraJoins.size > 0 && this.#dropExtraJoin(group, pid)) return true
    if (!this.#members.delete(group, pid)) return false
    this.#groupsOf.delete(pid, group)
    this.#notifyWatchers(group, [], [pid])
    return true
  }

  members (group: string): Iterable<Pid> {
    checkGroupName(group)
    return this.#members.get(group)
  }

  get names (): IterableIterator<string> {
    return this.#members.keys()
  }

  /** The number of groups. */
  get count (): number {
    return this.#members.size
  }

  memberCount (group: string): number {
    return this.#members.countOf(group)
  }

  list (): string[] {
    return [...this.#members.keys()]
  }

  groupsOf (pid: Pid): string[] {
    return [...this.#groupsOf.get(pid)]
  }

  /** Subscribes, and returns the members. Both happen in one step, so that no change is missed. */
  watch (group: string, pid: Pid): Pid[] {
    this.#watchers.add(group, pid)
    this.#watchedBy.add(pid, group)
    return [...this.members(group)]
  }

  unwatch (group: string, pid: Pid): void {
    this.#watchers.delete(group, pid)
    this.#watchedBy.delete(pid, group)
  }

  /** Removes a PID that ended, as a member and as a watcher. */
  release (pid: Pid): void {
    for (const group of this.#watchedBy.takeAll(pid)) this.#watchers.delete(group, pid)
    this.#extraJoins.delete(pid)
    for (const group of this.#groupsOf.takeAll(pid)) {
      this.#members.delete(group, pid)
      this.#notifyWatchers(group, [], [pid])
    }
  }

  /** The number of entries, for tests that look for leaks. */
  get size (): number {
    return this.#members.size + this.#extraJoins.size + this.#groupsOf.size +
      this.#watchers.size + this.#watchedBy.size
  }

  #countExtraJoin (group: string, pid: Pid): void {
    let times = this.#extraJoins.get(pid)
    if (times === undefined) this.#extraJoins.set(pid, times = new Map())
    times.set(group, (times.get(group) ?? 0) + 1)
  }

  /** @returns false when it joined once or never: then the membership itself must be removed */
  #dropExtraJoin (group: string, pid: Pid): boolean {
    const times = this.#extraJoins.get(pid)
    const again = times?.get(group)
    if (times === undefined || again === undefined) return false
    if (again > 1) times.set(group, again - 1)
    else if (times.size > 1) times.delete(group)
    else this.#extraJoins.delete(pid)
    return true
  }

  #notifyWatchers (group: string, joined: Pid[], left: Pid[]): void {
    for (const watcher of this.#watchers.get(group)) {
      this.#notifyWatcher(watcher, group, joined, left)
    }
  }
}
