import { AsyncResource } from 'node:async_hooks'
import { errorCodes, show } from '../../errors.js'
import { checkTopic } from '../../process/message.js'
import { notLocalError } from '../errors.js'
import { checkGroupName } from '../../process/registry/names.js'
import { isPid } from '../../process/pid.js'
import { frameTypes } from '../link/frame-types.js'
import { batchTypes, decodeFrames, frameSize } from '../link/codec.js'
import { Group } from './group.js'
import { GroupPublisher, relayedBroadcast, splitRelayedHeader } from './group-publisher.js'
import { GroupQueries } from './group-queries.js'
import { decodePayload, encodePayload, whyUnsendable } from '../values/payload.js'
import { maxFrameBytes } from '../link/fragments.js'
import { serialOf } from '../context.js'
import type { NodeContext } from '../context.js'
import type { FrameHandlers } from '../dispatch.js'
import type { Inbox } from '../inbox.js'
import type { Frame, FrameFields } from '../link/codec.js'
import type { EngineLink } from '../link/engine-link.js'
import type { GroupListener } from './group.js'
import type { Peer } from '../membership/peer.js'
import type { Peers } from '../membership/peers.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { ClusterGroupChange, ClusterGroups, ClusterMembers } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

type Link = Pick<EngineLink, 'up' | 'isOwn'>
type UpPeers = Pick<Peers, 'upPeers' | 'flush'>
type GroupFrames =
  'joined' | 'left' | 'relayedBroadcast' | 'missedBroadcast' | keyof GroupQueries['handlers']

/**
 * Groups across nodes. A node subscribes once to the topic of each group that it uses. A broadcast
 * is published once, whatever the number of nodes and members.
 */
export class Groups implements Omit<ClusterGroups, 'watch' | 'unwatch'> {
  readonly #context: NodeContext
  readonly #engineLink: Link
  readonly #peers: UpPeers
  readonly #inbox: Pick<Inbox, 'acceptSource'>
  readonly #groups = new Map<string, Group>()
  readonly #queries: GroupQueries
  readonly #publisher: GroupPublisher
  readonly handlers: Pick<FrameHandlers, GroupFrames>
  #closed = false

  constructor (
    context: NodeContext, engineLink: Link, peers: UpPeers, inbox: Pick<Inbox, 'acceptSource'>
  ) {
    this.#context = context
    this.#engineLink = engineLink
    this.#peers = peers
    this.#inbox = inbox
    this.#publisher = new GroupPublisher(context, engineLink, peers)
    this.#queries = new GroupQueries(
      context, (group) => this.#groups.get(group)?.localMembers.keys() ?? []
    )
    this.handlers = {
      joined: (peer, frame) => this.#receiveChange(peer, frame),
      left: (peer, frame) => this.#receiveChange(peer, frame),
      relayedBroadcast: (peer, frame) => this.#receiveRelayed(peer, frame),
      missedBroadcast: (_peer, { text, body, ref }) => {
        this.#recordMissed(text, body.toString(), ref)
        return true
      },
      ...this.#queries.handlers
    }
  }

  /** Records, for the tests that check that nothing is left over. */
  get size (): number {
    return this.#groups.size + this.#queries.size
  }

  async join (group: string, pid: Pid): Promise<void> {
    checkGroupName(group)
    if (!this.#context.isLocal(pid)) throw notLocalError(pid)
    this.#checkOpen()
    const record = this.#open(group)
    let ended = false
    const known = record.localMembers.get(pid)
    if (known !== undefined) known.times++
    else {
      const exitListener: ExitListener = {
        targetEnded: () => {
          ended = true
          this.#removeMember(record, pid)
        }
      }
      record.localMembers.set(pid, { times: 1, exitListener })
      this.#context.local.monitor(pid, exitListener)
      if (ended) throw new errorCodes.FST_PROCESS_NOT_ALIVE(pid)
      this.#announce(record, frameTypes.joined, pid)
    }
    try {
      await this.#waitForSubscription(record)
    } catch (err) {
      this.#leave(record, pid)
      throw err
    }
  }

  async leave (group: string, pid: Pid): Promise<boolean> {
    checkGroupName(group)
    const record = this.#groups.get(group)
    return record !== undefined && this.#leave(record, pid)
  }

  #leave (group: Group, pid: Pid): boolean {
    const member = group.localMembers.get(pid)
    if (member === undefined) return false
    if (--member.times > 0) return true
    this.#context.local.demonitor(pid, member.exitListener)
    this.#removeMember(group, pid)
    return true
  }

  #removeMember (group: Group, pid: Pid): void {
    group.localMembers.delete(pid)
    this.#announce(group, frameTypes.left, pid)
    this.#closeIfUnused(group)
  }

  // Broadcasts

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
    const encoded = encodePayload(payload)
    if (encoded === undefined) {
      this.#context.unsendable(whyUnsendable(payload), { topic, group })
      return false
    }
    const fields: FrameFields = {
      type: frameTypes.broadcast, from: serialOf(from), text: topic, ...encoded
    }
    const relayed = relayedBroadcast(group, except ?? '', fields)
    if (frameSize(relayed) > maxFrameBytes) return false
    const record = this.#groups.get(group)
    // Messages that were sent before the broadcast must arrive before it.
    this.#peers.flush()
    const reached = this.#publisher.broadcast(group, except ?? '', fields, relayed)
    if (record !== undefined) this.#deliverLocally(record, topic, payload, from, except)
    return reached
  }

  #deliverLocally (
    group: Group, topic: string, payload: unknown, from: Pid | undefined, except: string | undefined
  ): void {
    const members = [...group.localMembers.keys()].filter((pid) => pid !== except)
    if (members.length === 0) return
    this.#context.guard(() => { this.#context.events.broadcast(members, topic, payload, from) })
  }

  #announce (group: Group, type: number, pid: Pid): void {
    this.#publisher.announce(group, type, pid)
    this.#memberChanged(group, type, pid)
  }

  // From other nodes

  #receiveBatch (group: Group, bytes: Buffer): void {
    if (this.#engineLink.isOwn(bytes)) return
    const source = this.#inbox.acceptSource(bytes, batchTypes.broadcast)
    if (source === undefined) return
    const { counters } = this.#context
    const frames = decodeFrames(bytes, source.end)
    if (frames === undefined) {
      counters.garbageReceived()
      return
    }
    let except: string | undefined
    for (const frame of frames) {
      if (frame.type === frameTypes.except) except = frame.text
      else if (!this.#applyFrame(group, source.peer, frame, except)) {
        counters.garbageReceived()
        return
      }
    }
  }

  /** @returns false when the payload cannot be read */
  #applyFrame (
    group: Group, peer: Peer, { type, from, text, kind, body }: Frame, except: string | undefined
  ): boolean {
    if (type === frameTypes.joined || type === frameTypes.left) {
      this.#memberChanged(group, type, peer.pid(from))
      return true
    }
    if (type !== frameTypes.broadcast) return true
    const decoded = decodePayload(kind, body as Buffer)
    if (decoded === undefined) {
      this.#recordMissed(group.name, except ?? '', 1)
      return false
    }
    const sender = from === 0 ? undefined : peer.pid(from)
    this.#deliverLocally(group, text, decoded.payload, sender, except)
    return true
  }

  // The members on all nodes

  async members (group: string): Promise<ClusterMembers> {
    checkGroupName(group)
    const peers = this.#peers.upPeers
    const answers = await Promise.all(peers.map((peer) => this.#queries.query(group, peer)))
    const members = [...this.#groups.get(group)?.localMembers.keys() ?? []]
    const missing: string[] = []
    for (const [i, answer] of answers.entries()) {
      if (answer === undefined) missing.push(peers[i].node)
      else members.push(...answer)
    }
    return { members, missing }
  }

  /** A change that could not be published on the topic of the group. */
  #receiveChange (peer: Peer, { type, from, text }: Frame): true {
    const group = this.#groups.get(text)
    if (group !== undefined) this.#memberChanged(group, type, peer.pid(from))
    return true
  }

  #receiveRelayed (peer: Peer, frame: Frame): boolean {
    const { ref, body } = frame
    const [except, name] = splitRelayedHeader(body.subarray(0, ref))
    const group = this.#groups.get(name)
    if (group === undefined) return true
    const broadcast = { ...frame, type: frameTypes.broadcast, body: body.subarray(ref) }
    return this.#applyFrame(group, peer, broadcast, except)
  }

  /** Tells the local members of a group that they missed broadcasts. */
  #recordMissed (name: string, except: string, count: number): void {
    const { local } = this.#context
    for (const pid of [...this.#groups.get(name)?.localMembers.keys() ?? []]) {
      if (pid !== except) local.missed(pid, count)
    }
  }

  /** Call when the channel to a node was reset. */
  channelReset (peer: Peer): void {
    this.#queries.channelReset(peer)
  }

  // Watching

  async watch (group: string, listener: GroupListener): Promise<ClusterMembers> {
    checkGroupName(group)
    this.#checkOpen()
    const record = this.#open(group)
    if (!record.listeners.has(listener)) {
      record.listeners.set(listener, { notify: AsyncResource.bind(listener), isReady: false })
    }
    try {
      await this.#waitForSubscription(record)
    } catch (err) {
      this.unwatch(group, listener)
      throw err
    }
    this.#notifyListeners(record, [...record.localMembers.keys()], [])
    const peers = this.#peers.upPeers
    const answered = await Promise.all(peers.map((peer) => this.#queryMembers(record, peer)))
    const subscription = record.listeners.get(listener)
    if (subscription !== undefined) subscription.isReady = true
    const missing = peers.filter((_, i) => !answered[i]).map(({ node }) => node)
    return { members: [...record.allMembers], missing }
  }

  unwatch (group: string, listener: GroupListener): void {
    const record = this.#groups.get(group)
    if (record?.listeners.delete(listener) !== true) return
    if (record.listeners.size === 0) record.allMembers.clear()
    this.#closeIfUnused(record)
  }

  /** Asks a node for its members, and reports the difference. @returns whether it answered */
  async #queryMembers (group: Group, peer: Peer): Promise<boolean> {
    const query = this.#queries.query(group.name, peer)
    const change = await group.compareWithAnswer(peer.suffix, query)
    if (change !== undefined) this.#notifyListeners(group, change.joined, change.left)
    return change !== undefined
  }

  #memberChanged (group: Group, type: number, pid: Pid): void {
    group.recordUpdate(pid, type === frameTypes.joined)
    if (type === frameTypes.joined) this.#notifyListeners(group, [pid], [])
    else this.#notifyListeners(group, [], [pid])
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
    for (const group of this.#groups.values()) {
      this.#notifyListeners(group, [], group.membersOf(peer.suffix))
    }
  }

  /** Call when a node is up, or the engine is back: announcements may have been lost meanwhile. */
  refreshMembers (peer: Peer): void {
    for (const group of this.#groups.values()) {
      // It never rejects: a missing answer is `undefined`.
      if (group.listeners.size > 0) this.#queryMembers(group, peer).catch(() => {})
    }
  }

  // Subscriptions

  /** Finds or creates a group, and cancels the end of its subscription. */
  #open (name: string): Group {
    let group = this.#groups.get(name)
    if (group === undefined) this.#groups.set(name, group = new Group(name, this.#context.prefix))
    group.linger?.cancel()
    group.linger = undefined
    return group
  }

  /**
   * Subscribes to the topic of a group, if that is not done. The engine has the time to confirm it
   * that an outage may last without a node being down.
   *
   * @throws `FST_CLUSTER_UNAVAILABLE` when the engine does not confirm the subscription
   */
  #waitForSubscription (group: Group): Promise<void> {
    group.subscribed ??= this.#context.transport.subscribe(group.topic, (bytes) => {
      this.#receiveBatch(group, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    }).catch((err: unknown) => {
      group.subscribed = undefined
      throw new errorCodes.FST_CLUSTER_UNAVAILABLE('the engine does not answer', { cause: err })
    })
    const { subscribed } = group
    return new Promise((resolve, reject) => {
      const { timing } = this.#context
      const timer = this.#context.after(timing.down, () => {
        const why = `the engine did not confirm the group within ${timing.down} ms`
        reject(new errorCodes.FST_CLUSTER_UNAVAILABLE(why))
      })
      subscribed.then(resolve, reject).finally(() => { timer.cancel() })
    })
  }

  /** Ends the subscription after a delay, because a new member often joins soon. */
  #closeIfUnused (group: Group): void {
    if (group.isUsed || group.linger !== undefined) return
    group.linger = this.#context.after(this.#context.timing.linger, () => {
      this.#groups.delete(group.name)
      if (group.subscribed === undefined) return
      this.#context.transport.unsubscribe(group.topic).catch(() => {})
    })
  }

  #checkOpen (): void {
    if (this.#closed) throw new errorCodes.FST_CLUSTER_UNAVAILABLE('this node has left it')
  }

  /** Call when the node leaves the cluster. */
  close (): void {
    this.#closed = true
    for (const { linger, localMembers } of this.#groups.values()) {
      linger?.cancel()
      for (const [pid, { exitListener }] of localMembers) {
        this.#context.local.demonitor(pid, exitListener)
      }
    }
    this.#groups.clear()
  }
}
