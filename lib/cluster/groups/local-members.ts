import { errorCodes } from '../../errors.js'
import { frameTypes } from '../link/frame-types.js'
import type { NodeContext } from '../context.js'
import type { Group } from './group.js'
import type { GroupPublisher } from './group-publisher.js'
import type { GroupTable } from './group-table.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'

/** Called with each join and leave, before it can arrive at another node. */
export type ChangeListener = (group: Group, type: number, pid: Pid) => void

/** The members of groups that live on this node. Each change is announced to the other nodes. */
export class LocalMembers {
  readonly #local: Pick<NodeContext['local'], 'monitor' | 'demonitor'>
  readonly #table: Pick<GroupTable, 'get' | 'open' | 'waitForSubscription' | 'closeIfUnused'>
  readonly #publisher: Pick<GroupPublisher, 'announce'>
  readonly #memberChanged: ChangeListener

  constructor (
    local: Pick<NodeContext['local'], 'monitor' | 'demonitor'>,
    table: Pick<GroupTable, 'get' | 'open' | 'waitForSubscription' | 'closeIfUnused'>,
    publisher: Pick<GroupPublisher, 'announce'>,
    memberChanged: ChangeListener
  ) {
    this.#local = local
    this.#table = table
    this.#publisher = publisher
    this.#memberChanged = memberChanged
  }

  /**
   * @param pid a process of this node
   * @throws `FST_PROCESS_NOT_ALIVE`, `FST_CLUSTER_UNAVAILABLE`
   */
  async join (name: string, pid: Pid): Promise<void> {
    const group = this.#table.open(name)
    let ended = false
    const known = group.localMembers.get(pid)
    if (known !== undefined) known.times++
    else {
      const exitListener: ExitListener = {
        targetEnded: () => {
          ended = true
          this.#remove(group, pid)
        }
      }
      group.localMembers.set(pid, { times: 1, exitListener })
      this.#local.monitor(pid, exitListener)
      if (ended) throw new errorCodes.FST_PROCESS_NOT_ALIVE(pid)
      this.#announce(group, frameTypes.joined, pid)
    }
    try {
      await this.#table.waitForSubscription(group)
    } catch (err) {
      this.#leave(group, pid)
      throw err
    }
  }

  /** @returns whether the process was a member */
  leave (name: string, pid: Pid): boolean {
    const group = this.#table.get(name)
    return group !== undefined && this.#leave(group, pid)
  }

  #leave (group: Group, pid: Pid): boolean {
    const member = group.localMembers.get(pid)
    if (member === undefined) return false
    if (--member.times > 0) return true
    this.#local.demonitor(pid, member.exitListener)
    this.#remove(group, pid)
    return true
  }

  #remove (group: Group, pid: Pid): void {
    group.localMembers.delete(pid)
    this.#announce(group, frameTypes.left, pid)
    this.#table.closeIfUnused(group)
  }

  #announce (group: Group, type: number, pid: Pid): void {
    this.#publisher.announce(group, type, pid)
    this.#memberChanged(group, type, pid)
  }
}
