import { Actor } from '../../process/actor/actor.js'
import type { GroupListener } from './group.js'
import type { AllMembers } from './all-members.js'
import type { ExitSignals } from '../../process/exits/exit-signals.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { ProcessTable } from '../../process/registry/process-table.js'
import type { ClusterMembers } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

/** The groups that one process watches. */
interface Watcher {
  readonly exitListener: ExitListener
  readonly listeners: Map<string, GroupListener>
}

/** Processes that watch groups of the whole cluster: each gets `@group` with every change. */
export class GroupWatchers {
  readonly #processTable: Pick<ProcessTable, 'getEntity'>
  readonly #exitSignals: Pick<ExitSignals, 'monitor' | 'demonitor'>
  readonly #groups: Pick<AllMembers, 'watch' | 'unwatch'>
  readonly #watchers = new Map<Pid, Watcher>()

  constructor (
    processTable: Pick<ProcessTable, 'getEntity'>,
    exitSignals: Pick<ExitSignals, 'monitor' | 'demonitor'>,
    groups: Pick<AllMembers, 'watch' | 'unwatch'>
  ) {
    this.#processTable = processTable
    this.#exitSignals = exitSignals
    this.#groups = groups
  }

  /**
   * Starts to watch, or takes a new snapshot.
   * @param pid a living process or connection of this node
   * @returns the members before the first change
   */
  async watch (group: string, pid: Pid): Promise<ClusterMembers> {
    const known = this.#watchers.get(pid)?.listeners.get(group)
    const listener = known ?? this.#add(group, pid)
    try {
      const members = await this.#groups.watch(group, listener)
      // These changes are in the new snapshot.
      if (known !== undefined) this.#dropUpdates(group, pid)
      return members
    } catch (err) {
      this.#delete(group, pid)
      throw err
    }
  }

  /** Ends a watch, and removes its messages from the mailbox. */
  unwatch (group: string, pid: Pid): void {
    const listener = this.#watchers.get(pid)?.listeners.get(group)
    if (listener === undefined) return
    this.#groups.unwatch(group, listener)
    this.#delete(group, pid)
    this.#dropUpdates(group, pid)
  }

  #add (group: string, pid: Pid): GroupListener {
    let watcher = this.#watchers.get(pid)
    if (watcher === undefined) {
      const exitListener: ExitListener = { targetEnded: () => { this.#processEnded(pid) } }
      watcher = { exitListener, listeners: new Map() }
      this.#watchers.set(pid, watcher)
      this.#exitSignals.monitor(pid, exitListener)
    }
    const listener: GroupListener = ({ joined, left }) => {
      const entity = this.#processTable.getEntity(pid)
      // Copies, because a process merges the changes that wait for it.
      entity?.notify('@group', { group, joined: [...joined], left: [...left] })
    }
    watcher.listeners.set(group, listener)
    return listener
  }

  #delete (group: string, pid: Pid): void {
    const watcher = this.#watchers.get(pid)
    if (watcher?.listeners.delete(group) !== true || watcher.listeners.size > 0) return
    this.#watchers.delete(pid)
    this.#exitSignals.demonitor(pid, watcher.exitListener)
  }

  #processEnded (pid: Pid): void {
    const { listeners } = this.#watchers.get(pid)!
    this.#watchers.delete(pid)
    for (const [group, listener] of listeners) this.#groups.unwatch(group, listener)
  }

  #dropUpdates (group: string, pid: Pid): void {
    const entity = this.#processTable.getEntity(pid)
    if (entity instanceof Actor) entity.dropGroupUpdates(group)
  }
}
