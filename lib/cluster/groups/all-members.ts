import { AsyncResource } from 'node:async_hooks'
import { frameTypes } from '../link/frame-types.js'
import type { NodeContext } from '../context.js'
import type { Frame } from '../link/codec.js'
import type { Group, GroupListener } from './group.js'
import type { GroupQueries } from './group-queries.js'
import type { GroupTable } from './group-table.js'
import type { Peer } from '../membership/peer.js'
import type { Peers } from '../membership/peers.js'
import type { ClusterGroupChange, ClusterMembers } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

/** The members of groups on all nodes: asked for once, or watched. */
export class AllMembers {
  readonly #context: Pick<NodeContext, 'guard'>
  readonly #table: GroupTable
  readonly #peers: Pick<Peers, 'upPeers'>
  readonly #queries: Pick<GroupQueries, 'query'>

  constructor (
    context: Pick<NodeContext, 'guard'>,
    table: GroupTable,
    peers: Pick<Peers, 'upPeers'>,
    queries: Pick<GroupQueries, 'query'>
  ) {
    this.#context = context
    this.#table = table
    this.#peers = peers
    this.#queries = queries
  }

  async members (group: string): Promise<ClusterMembers> {
    const peers = this.#peers.upPeers
    const answers = await Promise.all(peers.map((peer) => this.#queries.query(group, peer)))
    const members = [...this.#table.get(group)?.localMembers.keys() ?? []]
    const missing: string[] = []
    for (const [i, answer] of answers.entries()) {
      if (answer === undefined) missing.push(peers[i].node)
      else members.push(...answer)
    }
    return { members, missing }
  }

  async watch (name: string, listener: GroupListener): Promise<ClusterMembers> {
    const group = this.#table.open(name)
    if (!group.listeners.has(listener)) {
      group.listeners.set(listener, { notify: AsyncResource.bind(listener), isReady: false })
    }
    try {
      await this.#table.waitForSubscription(group)
    } catch (err) {
      this.unwatch(name, listener)
      throw err
    }
    this.#notifyListeners(group, [...group.localMembers.keys()], [])
    const peers = this.#peers.upPeers
    const answered = await Promise.all(peers.map((peer) => this.#queryMembers(group, peer)))
    const subscription = group.listeners.get(listener)
    if (subscription !== undefined) subscription.isReady = true
    const missing = peers.filter((_, i) => !answered[i]).map(({ node }) => node)
    return { members: [...group.allMembers], missing }
  }

  unwatch (name: string, listener: GroupListener): void {
    const group = this.#table.get(name)
    if (group?.listeners.delete(listener) !== true) return
    if (group.listeners.size === 0) group.allMembers.clear()
    this.#table.closeIfUnused(group)
  }

  /** Asks a node for its members, and reports the difference. @returns whether it answered */
  async #queryMembers (group: Group, peer: Peer): Promise<boolean> {
    const query = this.#queries.query(group.name, peer)
    const change = await group.compareWithAnswer(peer.suffix, query)
    if (change !== undefined) this.#notifyListeners(group, change.joined, change.left)
    return change !== undefined
  }

  /** Call when a process of any node has joined or left. @param type of the frame that says so */
  memberChanged (group: Group, type: number, pid: Pid): void {
    group.recordUpdate(pid, type === frameTypes.joined)
    if (type === frameTypes.joined) this.#notifyListeners(group, [pid], [])
    else this.#notifyListeners(group, [], [pid])
  }

  /** A change that could not be published on the topic of the group. */
  receiveChange (peer: Peer, { type, from, text }: Frame): true {
    const group = this.#table.get(text)
    if (group !== undefined) this.memberChanged(group, type, peer.pid(from))
    return true
  }

  #notifyListeners (group: Group, joined: readonly Pid[], left: readonly Pid[]): void {
    if (group.listeners.size === 0) return
    const change: ClusterGroupChange | undefined = group.applyChange(joined, left)
    if (change === undefined) return
    for (const { notify, isReady } of [...group.listeners.values()]) {
      if (isReady) this.#context.guard(() => { notify(change) })
    }
  }

  /** Call when a node is down: its members are reported as left. */
  nodeDown (peer: Peer): void {
    for (const group of this.#table.values()) {
      this.#notifyListeners(group, [], group.membersOf(peer.suffix))
    }
  }

  /** Call when a node is up, or the engine is back: announcements may have been lost meanwhile. */
  refreshMembers (peer: Peer): void {
    for (const group of this.#table.values()) {
      // It never rejects: a missing answer is `undefined`.
      if (group.listeners.size > 0) this.#queryMembers(group, peer).catch(() => {})
    }
  }
}
