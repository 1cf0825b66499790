import { errorCodes, show } from '../../errors.js'
import { isPid } from '../../process/pid.js'
import { checkTopic } from '../../process/message.js'
import { checkGroupName } from '../../process/registry/names.js'
import { notLocalError } from '../errors.js'
import { AllMembers } from './all-members.js'
import { GroupBroadcasts } from './group-broadcasts.js'
import { GroupPublisher } from './group-publisher.js'
import { GroupQueries } from './group-queries.js'
import { GroupTable } from './group-table.js'
import { LocalMembers } from './local-members.js'
import type { NodeContext } from '../context.js'
import type { FrameHandlers } from '../dispatch.js'
import type { NodeInbox } from '../inbox.js'
import type { EngineLink } from '../link/engine-link.js'
import type { GroupListener } from './group.js'
import type { Peer } from '../membership/peer.js'
import type { Peers } from '../membership/peers.js'
import type { ClusterGroups, ClusterMembers } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

type GroupFrames =
  'joined' | 'left' | 'relayedBroadcast' | 'missedBroadcast' | keyof GroupQueries['handlers']

/**
 * Groups across nodes. A node subscribes once to the topic of each group that it uses. A broadcast
 * is published once, whatever the number of nodes and members.
 *
 * This class checks what users pass in, and puts the parts together: `GroupTable` has the groups
 * and their subscriptions, `LocalMembers` the members of this node, `AllMembers` those of all
 * nodes, and `GroupBroadcasts` the broadcasts.
 */
export class NodeGroups implements Omit<ClusterGroups, 'watch' | 'unwatch'> {
  readonly #context: Pick<NodeContext, 'isLocal'>
  readonly #table: GroupTable
  readonly #queries: GroupQueries
  readonly #localMembers: LocalMembers
  readonly #allMembers: AllMembers
  readonly #broadcasts: GroupBroadcasts
  readonly handlers: Pick<FrameHandlers, GroupFrames>

  constructor (
    context: NodeContext,
    engineLink: Pick<EngineLink, 'up' | 'isOwn'>,
    peers: Pick<Peers, 'upPeers' | 'flush'>,
    inbox: Pick<NodeInbox, 'acceptSource'>
  ) {
    this.#context = context
    const table = this.#table = new GroupTable(context, (group, bytes) => {
      broadcasts.receiveBatch(group, bytes)
    })
    const queries = this.#queries = new GroupQueries(
      context, (group) => table.get(group)?.localMembers.keys() ?? []
    )
    const allMembers = this.#allMembers = new AllMembers(context, table, peers, queries)
    const publisher = new GroupPublisher(context, engineLink, peers)
    const memberChanged = allMembers.memberChanged.bind(allMembers)
    this.#localMembers = new LocalMembers(context.local, table, publisher, memberChanged)
    const broadcasts = this.#broadcasts = new GroupBroadcasts({
      context, engineLink, peers, inbox, table, publisher, memberChanged
    })
    this.handlers = {
      joined: (peer, frame) => allMembers.receiveChange(peer, frame),
      left: (peer, frame) => allMembers.receiveChange(peer, frame),
      relayedBroadcast: (peer, frame) => broadcasts.receiveRelayed(peer, frame),
      missedBroadcast: (peer, frame) => broadcasts.receiveMissed(peer, frame),
      ...queries.handlers
    }
  }

  /** Records, for the tests that check that nothing is left over. */
  get size (): number {
    return this.#table.size + this.#queries.size
  }

  async join (group: string, pid: Pid): Promise<void> {
    checkGroupName(group)
    if (!this.#context.isLocal(pid)) throw notLocalError(pid)
    await this.#localMembers.join(group, pid)
  }

  async leave (group: string, pid: Pid): Promise<boolean> {
    checkGroupName(group)
    return this.#localMembers.leave(group, pid)
  }

  broadcast (
    group: string, topic: string, payload?: unknown,
    { except, from }: { except?: Pid, from?: Pid } = {}
  ): boolean {
    checkGroupName(group)
    checkTopic(topic)
    if (from !== undefined && !this.#context.isLocal(from)) {
      throw new errorCodes.FST_PROCESS_INVALID_PID(show(from))
    }
    if (except !== undefined && !isPid(except)) {
      throw new errorCodes.FST_PROCESS_INVALID_PID(show(except))
    }
    return this.#broadcasts.send(group, topic, payload, except, from)
  }

  async members (group: string): Promise<ClusterMembers> {
    checkGroupName(group)
    return await this.#allMembers.members(group)
  }

  async watch (group: string, listener: GroupListener): Promise<ClusterMembers> {
    checkGroupName(group)
    return await this.#allMembers.watch(group, listener)
  }

  unwatch (group: string, listener: GroupListener): void {
    this.#allMembers.unwatch(group, listener)
  }

  /** Call when a node is down: its members are reported as left. */
  nodeDown (peer: Peer): void {
    this.#allMembers.nodeDown(peer)
  }

  /** Call when a node is up, or the engine is back: announcements may have been lost meanwhile. */
  refreshMembers (peer: Peer): void {
    this.#allMembers.refreshMembers(peer)
  }

  /** Call when the channel to a node was reset. */
  channelReset (peer: Peer): void {
    this.#queries.channelReset(peer)
  }

  /** Call when the node leaves the cluster. */
  close (): void {
    this.#table.close()
  }
}
