import { MultiMap } from '../../shared/multimap.js'
import { checkGroupName } from './names.js'
import type { Pid } from '../../../types/pid.js'

/** Tells one watcher of a change. */
export type Tell = (watcher: Pid, group: string, joined: Pid[], left: Pid[]) => void

/** Process groups: members with how often each joined, and who watches. */
export class GroupTable {
  readonly #members = new MultiMap<string, Pid>()
  /** How often members have joined a group again: few do. */
  readonly #again = new Map<Pid, Map<string, number>>()
  readonly #groupsOf = new MultiMap<Pid, string>()
  readonly #watchers = new MultiMap<string, Pid>()
  readonly #watchedBy = new MultiMap<Pid, string>()
  readonly #tell: Tell

  constructor (tell: Tell) {
    this.#tell = tell
  }

  join (group: string, pid: Pid): void {
    if (!this.#members.add(group, pid)) {
      this.#joinAgain(group, pid)
      return
    }
    this.#groupsOf.add(pid, group)
    this.#changed(group, [pid], [])
  }

  leave (group: string, pid: Pid): boolean {
    if (this.#again.size > 0 && this.#leaveOnce(group, pid)) return true
    if (!this.#members.delete(group, pid)) return false
    this.#groupsOf.delete(pid, group)
    this.#changed(group, [], [pid])
    return true
  }

  members (group: string): Iterable<Pid> {
    checkGroupName(group)
    return this.#members.get(group)
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
    this.#again.delete(pid)
    for (const group of this.#groupsOf.take(pid)) {
      this.#members.delete(group, pid)
      this.#changed(group, [], [pid])
    }
  }

  /** Entries held, for the tests that count what remains. */
  get size (): number {
    return this.#members.size + this.#again.size + this.#groupsOf.size + this.#watchers.size + this.#watchedBy.size
  }

  #joinAgain (group: string, pid: Pid): void {
    let times = this.#again.get(pid)
    if (times === undefined) this.#again.set(pid, times = new Map())
    times.set(group, (times.get(group) ?? 0) + 1)
  }

  /** @returns false when it has joined once, or never: what is to be taken back is the membership */
  #leaveOnce (group: string, pid: Pid): boolean {
    const times = this.#again.get(pid)
    const again = times?.get(group)
    if (times === undefined || again === undefined) return false
    if (again > 1) times.set(group, again - 1)
    else if (times.size > 1) times.delete(group)
    else this.#again.delete(pid)
    return true
  }

  #changed (group: string, joined: Pid[], left: Pid[]): void {
    for (const watcher of this.#watchers.get(group)) this.#tell(watcher, group, joined, left)
  }
}
