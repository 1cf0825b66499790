import { AsyncResource } from 'node:async_hooks'
import { errorCodes, show } from '../../errors.js'
import { checkTopic } from '../../process/message.js'
import { notLocalError } from '../errors.js'
import { checkGroupName } from '../../process/registry/names.js'
import { isPid } from '../../process/pid.js'
import { frameTypes } from '../link/frame-types.js'
import { batchTypes, decodeFrames, encodeFrame, encodeSource, frameSize } from '../link/codec.js'
import { Group, groupTopic } from './group.js'
import { GroupQueries } from './group-queries.js'
import { decodePayload, encodePayload, whyUnsendable } from '../values/payload.js'
import { maxFrameBytes } from '../link/fragments.js'
import { serialOf } from '../membership/peer.js'
import type { Clock } from '../../shared/clock.js'
import type { Frame, FrameFields } from '../link/codec.js'
import type { GroupListener } from './group.js'
import type { NodeContext, Peer } from '../membership/peer.js'
import type { Timing } from '../timing.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { ClusterGroupChange, ClusterGroups, ClusterMembers, Transport } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

/** What groups need, and whom they tell. */
export interface GroupsHost {
  readonly node: NodeContext
  readonly clock: Clock
  readonly timing: Timing
  readonly transport: Transport
  readonly prefix: string
  readonly nodeName: string
  readonly incarnation: number
  /** The engine can be reached. */
  readonly engineUp: boolean
  isLocal (pid: Pid): boolean
  upPeers (): Peer[]
  /** Sends what was taken for other nodes in this turn. */
  flush (): void
  /** Hands a broadcast to members of this node, in one loop. */
  broadcast (members: readonly Pid[], topic: string, payload: unknown, from: Pid | undefined): void
  /** A batch from a group's topic. @returns its sender, if it may be listened to, and where its frames begin */
  acceptBatch (bytes: Buffer): { readonly peer: Peer, readonly end: number } | undefined
  countGarbage (): void
}

/** Groups across nodes: one subscription for each node and group, one publish for each broadcast. */
export class Groups implements ClusterGroups {
  readonly #host: GroupsHost
  readonly #groups = new Map<string, Group>()
  readonly #queries: GroupQueries
  #closed = false

  constructor (host: GroupsHost) {
    this.#host = host
    this.#queries = new GroupQueries({
      node: host.node,
      clock: host.clock,
      timing: host.timing,
      localMembers: (group) => this.#groups.get(group)?.localMembers.keys() ?? []
    })
  }

  /** Records, for the tests that count what remains. */
  get size (): number {
    return this.#groups.size + this.#queries.size
  }

  async join (group: string, pid: Pid): Promise<void> {
    checkGroupName(group)
    if (!this.#host.isLocal(pid)) throw notLocalError(pid)
    this.#checkOpen()
    const record = this.#open(group)
    let ended = false
    const known = record.localMembers.get(pid)
    if (known !== undefined) known.times++
    else {
      const watcher: ExitListener = {
        targetEnded: () => {
          ended = true
          this.#removeMember(record, pid)
        }
      }
      record.localMembers.set(pid, { times: 1, watcher })
      this.#host.node.local.monitor(pid, watcher)
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
    this.#host.node.local.demonitor(pid, member.watcher)
    this.#removeMember(group, pid)
    return true
  }

  #removeMember (group: Group, pid: Pid): void {
    group.localMembers.delete(pid)
    this.#announce(group, frameTypes.left, pid)
    this.#closeIfUnused(group)
  }

  // Broadcasts

  broadcast (group: string, topic: string, payload?: unknown, { except, from }: { except?: Pid, from?: Pid } = {}): boolean {
    checkGroupName(group)
    checkTopic(topic)
    if (from !== undefined && !this.#host.isLocal(from)) throw new errorCodes.FST_PROCESS_INVALID_PID(show(from))
    if (except !== undefined && !isPid(except)) throw new errorCodes.FST_PROCESS_INVALID_PID(show(except))
    const encoded = encodePayload(payload)
    if (encoded === undefined) {
      this.#host.node.unsendable(whyUnsendable(payload), { topic, group })
      return false
    }
    const fields: FrameFields = { type: frameTypes.broadcast, from: serialOf(from), text: topic, ...encoded }
    const relayed = relayedBroadcast(group, except ?? '', fields)
    if (frameSize(relayed) > maxFrameBytes) return false
    const record = this.#groups.get(group)
    // What was sent before goes before.
    this.#host.flush()
    const reached = this.#sendToNodes(group, except ?? '', fields, relayed)
    if (record !== undefined) this.#deliverLocally(record, topic, payload, from, except)
    return reached
  }

  /** Publishes a broadcast, or sends it to each node where that would leave a hole or overtake something. */
  #sendToNodes (group: string, except: string, fields: FrameFields, relayed: FrameFields): boolean {
    if (!this.#host.engineUp) return false
    const peers = this.#host.upPeers()
    const frames = except === '' ? [fields] : [{ type: frameTypes.except, text: except }, fields]
    if (peers.every(({ channel }) => channel.isFlushed) && this.#publish(groupTopic(group, this.#host.prefix), frames)) return true
    const taken = peers.map((peer) => peer.sendBroadcast(relayed, group, except))
    return !taken.includes(false)
  }

  #deliverLocally (group: Group, topic: string, payload: unknown, from: Pid | undefined, except: string | undefined): void {
    const members = [...group.localMembers.keys()].filter((pid) => pid !== except)
    if (members.length > 0) this.#host.node.guard(() => { this.#host.broadcast(members, topic, payload, from) })
  }

  #publish (topic: string, frames: readonly FrameFields[]): boolean {
    const { nodeName: node, incarnation, transport } = this.#host
    const bytes = Buffer.concat([encodeSource({ type: batchTypes.broadcast, node, incarnation }), ...frames.map((frame) => encodeFrame(frame, 0))])
    return bytes.length <= transport.caps.maxFrame && transport.publish(topic, bytes)
  }

  #announce (group: Group, type: number, pid: Pid): void {
    const from = serialOf(pid)
    if (!this.#publish(group.topic, [{ type, from }]) && this.#host.engineUp) {
      for (const peer of this.#host.upPeers()) peer.sendFrame({ type, from, text: group.name })
    }
    this.#memberChanged(group, type, pid)
  }

  // From other nodes

  #receiveBatch (group: Group, bytes: Buffer): void {
    const source = this.#host.acceptBatch(bytes)
    if (source === undefined) return
    const frames = decodeFrames(bytes, source.end)
    if (frames === undefined) return this.#host.countGarbage()
    let except: string | undefined
    for (const frame of frames) {
      if (frame.type === frameTypes.except) except = frame.text
      else if (!this.#applyFrame(group, source.peer, frame, except)) return this.#host.countGarbage()
    }
  }

  #applyFrame (group: Group, peer: Peer, { type, from, text, kind, body }: Frame, except: string | undefined): boolean {
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
    this.#deliverLocally(group, text, decoded.payload, from === 0 ? undefined : peer.pid(from), except)
    return true
  }

  // Members everywhere

  async members (group: string): Promise<ClusterMembers> {
    checkGroupName(group)
    const peers = this.#host.upPeers()
    const answers = await Promise.all(peers.map((peer) => this.#queries.query(group, peer)))
    const members = [...this.#groups.get(group)?.localMembers.keys() ?? []]
    const missing: string[] = []
    for (const [i, answer] of answers.entries()) {
      if (answer === undefined) missing.push(peers[i].node)
      else members.push(...answer)
    }
    return { members, missing }
  }

  /** Frames of another node. @returns undefined for one that is not of this kind, false for garbage */
  receive (peer: Peer, frame: Frame): boolean | undefined {
    const { type, from, ref, text, body } = frame
    switch (type) {
      case frameTypes.joined: case frameTypes.left: {
        const group = this.#groups.get(text)
        if (group !== undefined) this.#memberChanged(group, type, peer.pid(from))
        return true
      }
      case frameTypes.relayedBroadcast: return this.#receiveRelayed(peer, frame)
      case frameTypes.missedBroadcast:
        this.#recordMissed(text, body.toString(), ref)
        return true
      default: return this.#queries.receive(peer, frame)
    }
  }

  #receiveRelayed (peer: Peer, frame: Frame): boolean {
    const { ref, body } = frame
    const [except, name] = body.subarray(0, ref).toString().split('\n')
    const group = this.#groups.get(name)
    return group === undefined || this.#applyFrame(group, peer, { ...frame, type: frameTypes.broadcast, body: body.subarray(ref) }, except)
  }

  #recordMissed (name: string, except: string, count: number): void {
    const { local: here } = this.#host.node
    for (const pid of [...this.#groups.get(name)?.localMembers.keys() ?? []]) if (pid !== except) here.missed(pid, count)
  }

  /** The node cannot be asked any more. */
  channelReset (peer: Peer): void {
    this.#queries.channelReset(peer)
  }

  // Watching

  async watch (group: string, listener: GroupListener): Promise<ClusterMembers> {
    checkGroupName(group)
    this.#checkOpen()
    const record = this.#open(group)
    if (!record.listeners.has(listener)) record.listeners.set(listener, { notify: AsyncResource.bind(listener), isReady: false })
    try {
      await this.#waitForSubscription(record)
    } catch (err) {
      this.unwatch(group, listener)
      throw err
    }
    this.#notifyListeners(record, [...record.localMembers.keys()], [])
    const peers = this.#host.upPeers()
    const answered = await Promise.all(peers.map((peer) => this.#queryMembers(record, peer)))
    const listening = record.listeners.get(listener)
    if (listening !== undefined) listening.isReady = true
    return { members: [...record.allMembers], missing: peers.filter((_, i) => !answered[i]).map(({ node }) => node) }
  }

  unwatch (group: string, listener: GroupListener): void {
    const record = this.#groups.get(group)
    if (record?.listeners.delete(listener) !== true) return
    if (record.listeners.size === 0) record.allMembers.clear()
    this.#closeIfUnused(record)
  }

  /** @returns false: the node does not answer */
  async #queryMembers (group: Group, peer: Peer): Promise<boolean> {
    const found = await group.compareWithAnswer(peer.suffix, this.#queries.query(group.name, peer))
    if (found !== undefined) this.#notifyListeners(group, found.joined, found.left)
    return found !== undefined
  }

  #memberChanged (group: Group, type: number, pid: Pid): void {
    group.recordUpdate(pid, type === frameTypes.joined)
    if (type === frameTypes.joined) this.#notifyListeners(group, [pid], [])
    else this.#notifyListeners(group, [], [pid])
  }

  #notifyListeners (group: Group, joined: readonly Pid[], left: readonly Pid[]): void {
    const change: ClusterGroupChange | undefined = group.listeners.size === 0 ? undefined : group.applyChange(joined, left)
    if (change === undefined) return
    for (const { notify: tell, isReady: isTold } of [...group.listeners.values()]) if (isTold) this.#host.node.guard(() => { tell(change) })
  }

  /** The members of a node are out of reach. */
  nodeDown (peer: Peer): void {
    for (const group of this.#groups.values()) this.#notifyListeners(group, [], group.membersOf(peer.suffix))
  }

  /** A node is there, or the engine is again: what was announced meanwhile was not heard. */
  refreshMembers (peer: Peer): void {
    for (const group of this.#groups.values()) {
      // An answer that does not come is none: it never rejects.
      if (group.listeners.size > 0) this.#queryMembers(group, peer).catch(() => {})
    }
  }

  // Subscriptions

  #open (name: string): Group {
    let group = this.#groups.get(name)
    if (group === undefined) this.#groups.set(name, group = new Group(name, this.#host.prefix))
    group.linger?.cancel()
    group.linger = undefined
    return group
  }

  /** Waits as long as an engine may be away unnoticed. */
  #waitForSubscription (group: Group): Promise<void> {
    group.subscribed ??= this.#host.transport.subscribe(group.topic, (bytes) => {
      this.#receiveBatch(group, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    }).catch((err: unknown) => {
      group.subscribed = undefined
      throw new errorCodes.FST_CLUSTER_UNAVAILABLE('the engine does not answer', { cause: err })
    })
    const { subscribed } = group
    return new Promise((resolve, reject) => {
      const { clock, timing } = this.#host
      const timer = clock.after(timing.down, () => {
        reject(new errorCodes.FST_CLUSTER_UNAVAILABLE(`the engine did not confirm the group within ${timing.down} ms`))
      })
      subscribed.then(resolve, reject).finally(() => { timer.cancel() })
    })
  }

  /** The last one of this node is gone: another often comes soon. */
  #closeIfUnused (group: Group): void {
    if (group.isUsed || group.linger !== undefined) return
    group.linger = this.#host.clock.after(this.#host.timing.linger, () => {
      this.#groups.delete(group.name)
      if (group.subscribed !== undefined) this.#host.transport.unsubscribe(group.topic).catch(() => {})
    })
  }

  #checkOpen (): void {
    if (this.#closed) throw new errorCodes.FST_CLUSTER_UNAVAILABLE('this node has left it')
  }

  /** Nothing is listened to any more. */
  close (): void {
    this.#closed = true
    for (const { linger, localMembers: members } of this.#groups.values()) {
      linger?.cancel()
      for (const [pid, { watcher }] of members) this.#host.node.local.demonitor(pid, watcher)
    }
    this.#groups.clear()
  }
}

/** The frame of a broadcast that goes to single nodes. No name of a group has a line break. */
function relayedBroadcast (group: string, except: string, fields: FrameFields): FrameFields {
  const header = Buffer.from(`${except}\n${group}`)
  return { ...fields, type: frameTypes.relayedBroadcast, ref: header.length, body: Buffer.concat([header, fields.body!]) }
}
