import { AsyncResource } from 'node:async_hooks'
import { errorCodes, show } from '../../errors.js'
import { checkTopic } from '../../process/message.js'
import { notHere } from '../not-here.js'
import { checkGroupName } from '../../process/registry/names.js'
import { isPid } from '../../process/pid.js'
import { types } from '../link/frames.js'
import { batchTypes, decodeFrames, encodeFrame, encodeSource, frameSize } from '../link/codec.js'
import { Group, topicOf } from './group.js'
import { GroupQuestions } from './group-queries.js'
import { decodePayload, encodePayload, whyUnsendable } from '../values/payload.js'
import { longestFrame } from '../link/fragments.js'
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
  readonly hub: NodeContext
  readonly clock: Clock
  readonly timing: Timing
  readonly transport: Transport
  readonly prefix: string
  readonly node: string
  readonly incarnation: number
  /** The engine can be reached. */
  readonly up: boolean
  isHere (pid: Pid): boolean
  peersUp (): Peer[]
  /** Sends what was taken for other nodes in this turn. */
  flush (): void
  /** Hands a broadcast to members of this node, in one loop. */
  broadcast (members: readonly Pid[], topic: string, payload: unknown, from: Pid | undefined): void
  /** A batch from a group's topic. @returns its sender, if it may be listened to, and where its frames begin */
  source (bytes: Buffer): { readonly peer: Peer, readonly end: number } | undefined
  garbage (): void
}

/** Groups across nodes: one subscription for each node and group, one publish for each broadcast. */
export class Groups implements ClusterGroups {
  readonly #host: GroupsHost
  readonly #groups = new Map<string, Group>()
  readonly #questions: GroupQuestions
  #closed = false

  constructor (host: GroupsHost) {
    this.#host = host
    this.#questions = new GroupQuestions({
      hub: host.hub,
      clock: host.clock,
      timing: host.timing,
      membersHere: (group) => this.#groups.get(group)?.members.keys() ?? []
    })
  }

  /** Records, for the tests that count what remains. */
  get size (): number {
    return this.#groups.size + this.#questions.size
  }

  async join (group: string, pid: Pid): Promise<void> {
    checkGroupName(group)
    if (!this.#host.isHere(pid)) throw notHere(pid)
    this.#checkOpen()
    const record = this.#use(group)
    let ended = false
    const known = record.members.get(pid)
    if (known !== undefined) known.times++
    else {
      const watcher: ExitListener = {
        targetEnded: () => {
          ended = true
          this.#gone(record, pid)
        }
      }
      record.members.set(pid, { times: 1, watcher })
      this.#host.hub.here.monitor(pid, watcher)
      if (ended) throw new errorCodes.FST_PROCESS_NOT_ALIVE(pid)
      this.#announce(record, types.joined, pid)
    }
    try {
      await this.#subscribed(record)
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
    const member = group.members.get(pid)
    if (member === undefined) return false
    if (--member.times > 0) return true
    this.#host.hub.here.demonitor(pid, member.watcher)
    this.#gone(group, pid)
    return true
  }

  #gone (group: Group, pid: Pid): void {
    group.members.delete(pid)
    this.#announce(group, types.left, pid)
    this.#unuse(group)
  }

  // Broadcasts

  broadcast (group: string, topic: string, payload?: unknown, { except, from }: { except?: Pid, from?: Pid } = {}): boolean {
    checkGroupName(group)
    checkTopic(topic)
    if (from !== undefined && !this.#host.isHere(from)) throw new errorCodes.FST_PROCESS_INVALID_PID(show(from))
    if (except !== undefined && !isPid(except)) throw new errorCodes.FST_PROCESS_INVALID_PID(show(except))
    const encoded = encodePayload(payload)
    if (encoded === undefined) {
      this.#host.hub.unsendable(whyUnsendable(payload), { topic, group })
      return false
    }
    const fields: FrameFields = { type: types.broadcast, from: serialOf(from), text: topic, ...encoded }
    const relayed = relayedBroadcast(group, except ?? '', fields)
    if (frameSize(relayed) > longestFrame) return false
    const record = this.#groups.get(group)
    // What was sent before goes before.
    this.#host.flush()
    const reached = this.#reach(group, except ?? '', fields, relayed)
    if (record !== undefined) this.#deliver(record, topic, payload, from, except)
    return reached
  }

  /** Publishes a broadcast, or sends it to each node where that would leave a hole or overtake something. */
  #reach (group: string, except: string, fields: FrameFields, relayed: FrameFields): boolean {
    if (!this.#host.up) return false
    const peers = this.#host.peersUp()
    const frames = except === '' ? [fields] : [{ type: types.except, text: except }, fields]
    if (peers.every(({ channel }) => channel.isFlushed) && this.#publish(topicOf(group, this.#host.prefix), frames)) return true
    const taken = peers.map((peer) => peer.relay(relayed, group, except))
    return !taken.includes(false)
  }

  #deliver (group: Group, topic: string, payload: unknown, from: Pid | undefined, except: string | undefined): void {
    const members = [...group.members.keys()].filter((pid) => pid !== except)
    if (members.length > 0) this.#host.hub.guard(() => { this.#host.broadcast(members, topic, payload, from) })
  }

  #publish (topic: string, frames: readonly FrameFields[]): boolean {
    const { node, incarnation, transport } = this.#host
    const bytes = Buffer.concat([encodeSource({ type: batchTypes.broadcast, node, incarnation }), ...frames.map((frame) => encodeFrame(frame, 0))])
    return bytes.length <= transport.caps.maxFrame && transport.publish(topic, bytes)
  }

  #announce (group: Group, type: number, pid: Pid): void {
    const from = serialOf(pid)
    if (!this.#publish(group.topic, [{ type, from }]) && this.#host.up) {
      for (const peer of this.#host.peersUp()) peer.push({ type, from, text: group.name })
    }
    this.#changed(group, type, pid)
  }

  // From other nodes

  #received (group: Group, bytes: Buffer): void {
    const source = this.#host.source(bytes)
    if (source === undefined) return
    const frames = decodeFrames(bytes, source.end)
    if (frames === undefined) return this.#host.garbage()
    let except: string | undefined
    for (const frame of frames) {
      if (frame.type === types.except) except = frame.text
      else if (!this.#apply(group, source.peer, frame, except)) return this.#host.garbage()
    }
  }

  #apply (group: Group, peer: Peer, { type, from, text, kind, body }: Frame, except: string | undefined): boolean {
    if (type === types.joined || type === types.left) {
      this.#changed(group, type, peer.pid(from))
      return true
    }
    if (type !== types.broadcast) return true
    const decoded = decodePayload(kind, body as Buffer)
    if (decoded === undefined) {
      this.#missed(group.name, except ?? '', 1)
      return false
    }
    this.#deliver(group, text, decoded.payload, from === 0 ? undefined : peer.pid(from), except)
    return true
  }

  // Members everywhere

  async members (group: string): Promise<ClusterMembers> {
    checkGroupName(group)
    const peers = this.#host.peersUp()
    const answers = await Promise.all(peers.map((peer) => this.#questions.ask(group, peer)))
    const members = [...this.#groups.get(group)?.members.keys() ?? []]
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
      case types.joined: case types.left: {
        const group = this.#groups.get(text)
        if (group !== undefined) this.#changed(group, type, peer.pid(from))
        return true
      }
      case types.relayedBroadcast: return this.#relayed(peer, frame)
      case types.missedBroadcast:
        this.#missed(text, body.toString(), ref)
        return true
      default: return this.#questions.receive(peer, frame)
    }
  }

  #relayed (peer: Peer, frame: Frame): boolean {
    const { ref, body } = frame
    const [except, name] = body.subarray(0, ref).toString().split('\n')
    const group = this.#groups.get(name)
    return group === undefined || this.#apply(group, peer, { ...frame, type: types.broadcast, body: body.subarray(ref) }, except)
  }

  #missed (name: string, except: string, count: number): void {
    const { here } = this.#host.hub
    for (const pid of [...this.#groups.get(name)?.members.keys() ?? []]) if (pid !== except) here.missed(pid, count)
  }

  /** The node cannot be asked any more. */
  torn (peer: Peer): void {
    this.#questions.torn(peer)
  }

  // Watching

  async watch (group: string, listener: GroupListener): Promise<ClusterMembers> {
    checkGroupName(group)
    this.#checkOpen()
    const record = this.#use(group)
    if (!record.listeners.has(listener)) record.listeners.set(listener, { tell: AsyncResource.bind(listener), isTold: false })
    try {
      await this.#subscribed(record)
    } catch (err) {
      this.unwatch(group, listener)
      throw err
    }
    this.#change(record, [...record.members.keys()], [])
    const peers = this.#host.peersUp()
    const answered = await Promise.all(peers.map((peer) => this.#learn(record, peer)))
    const listening = record.listeners.get(listener)
    if (listening !== undefined) listening.isTold = true
    return { members: [...record.known], missing: peers.filter((_, i) => !answered[i]).map(({ node }) => node) }
  }

  unwatch (group: string, listener: GroupListener): void {
    const record = this.#groups.get(group)
    if (record?.listeners.delete(listener) !== true) return
    if (record.listeners.size === 0) record.known.clear()
    this.#unuse(record)
  }

  /** @returns false: the node does not answer */
  async #learn (group: Group, peer: Peer): Promise<boolean> {
    const found = await group.asked(peer.suffix, this.#questions.ask(group.name, peer))
    if (found !== undefined) this.#change(group, found.joined, found.left)
    return found !== undefined
  }

  #changed (group: Group, type: number, pid: Pid): void {
    group.heard(pid, type === types.joined)
    if (type === types.joined) this.#change(group, [pid], [])
    else this.#change(group, [], [pid])
  }

  #change (group: Group, joined: readonly Pid[], left: readonly Pid[]): void {
    const change: ClusterGroupChange | undefined = group.listeners.size === 0 ? undefined : group.change(joined, left)
    if (change === undefined) return
    for (const { tell, isTold } of [...group.listeners.values()]) if (isTold) this.#host.hub.guard(() => { tell(change) })
  }

  /** The members of a node are out of reach. */
  nodeDown (peer: Peer): void {
    for (const group of this.#groups.values()) this.#change(group, [], group.knownOf(peer.suffix))
  }

  /** A node is there, or the engine is again: what was announced meanwhile was not heard. */
  refresh (peer: Peer): void {
    for (const group of this.#groups.values()) {
      // An answer that does not come is none: it never rejects.
      if (group.listeners.size > 0) this.#learn(group, peer).catch(() => {})
    }
  }

  // Subscriptions

  #use (name: string): Group {
    let group = this.#groups.get(name)
    if (group === undefined) this.#groups.set(name, group = new Group(name, this.#host.prefix))
    group.linger?.cancel()
    group.linger = undefined
    return group
  }

  /** Waits as long as an engine may be away unnoticed. */
  #subscribed (group: Group): Promise<void> {
    group.subscribed ??= this.#host.transport.subscribe(group.topic, (bytes) => {
      this.#received(group, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
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
  #unuse (group: Group): void {
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
    for (const { linger, members } of this.#groups.values()) {
      linger?.cancel()
      for (const [pid, { watcher }] of members) this.#host.hub.here.demonitor(pid, watcher)
    }
    this.#groups.clear()
  }
}

/** The frame of a broadcast that goes to single nodes. No name of a group has a line break. */
function relayedBroadcast (group: string, except: string, fields: FrameFields): FrameFields {
  const header = Buffer.from(`${except}\n${group}`)
  return { ...fields, type: types.relayedBroadcast, ref: header.length, body: Buffer.concat([header, fields.body!]) }
}
