import { MultiMap } from './multimap.js'
import { checkName } from './names.js'
import type { Pid } from '../../types/pid.js'

/** Tells one watcher of a change. */
export type Tell = (watcher: Pid, group: string, joined: Pid[], left: Pid[]) => void

/** Process groups: members with how often each joined, and who watches. */
export class GroupTable {
  readonly #members = new Map<string, Map<Pid, number>>()
  readonly #groupsOf = new MultiMap<Pid, string>()
  readonly #watchers = new MultiMap<string, Pid>()
  readonly #watchedBy = new MultiMap<Pid, string>()
  readonly #tell: Tell

  constructor (tell: Tell) {
    this.#tell = tell
  }

  join (group: string, pid: Pid): void {
    let members = this.#members.get(group)
    if (members === undefined) this.#members.set(group, members = new Map())
    const times = members.get(pid) ?? 0
    members.set(pid, times + 1)
    if (times > 0) return
    this.#groupsOf.add(pid, group)
    this.#changed(group, [pid], [])
  }

  leave (group: string, pid: Pid): boolean {
    const members = this.#members.get(group)
    const times = members?.get(pid)
    if (members === undefined || times === undefined) return false
    if (times > 1) members.set(pid, times - 1)
    else {
      this.#groupsOf.delete(pid, group)
      this.#remove(group, members, pid)
    }
    return true
  }

  members (group: string): IterableIterator<Pid> {
    checkName(group)
    return (this.#members.get(group) ?? new Map<Pid, number>()).keys()
  }

  list (): string[] {
    return [...this.#members.keys()]
  }

  of (pid: Pid): string[] {
    return [...this.#groupsOf.get(pid)]
  }

  /** Snapshot and subscription in one step: no change falls between them. */
  watch (group: string, pid: Pid): Pid[] {
    this.#watchers.add(group, pid)
    this.#watchedBy.add(pid, group)
    return [...this.members(group)]
  }

  unwatch (group: string, pid: Pid): void {
    this.#watchers.delete(group, pid)
    this.#watchedBy.delete(pid, group)
  }

  /** Forgets a PID that ended, as a member and as a watcher. */
  release (pid: Pid): void {
    for (const group of this.#watchedBy.take(pid)) this.#watchers.delete(group, pid)
    for (const group of this.#groupsOf.take(pid)) this.#remove(group, this.#members.get(group)!, pid)
  }

  /** Entries held, for the tests that count what remains. */
  get size (): number {
    return this.#members.size + this.#groupsOf.size + this.#watchers.size + this.#watchedBy.size
  }

  #remove (group: string, members: Map<Pid, number>, pid: Pid): void {
    members.delete(pid)
    if (members.size === 0) this.#members.delete(group)
    this.#changed(group, [], [pid])
  }

  #changed (group: string, joined: Pid[], left: Pid[]): void {
    for (const watcher of this.#watchers.get(group)) this.#tell(watcher, group, joined, left)
  }
}
