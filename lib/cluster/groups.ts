import { errorCodes, notHere } from './errors.js'
import { checkName } from '../process/names.js'
import { types } from './frames.js'
import { batchTypes, decodeFrames, encodeFrame, encodeSource } from './codec.js'
import { decodePayload, encodePayload } from './payload.js'
import { serialOf } from './peer.js'
import { keyOf } from './register.js'
import { drop, entry } from './watches.js'
import type { Cancellable, Clock } from './clock.js'
import type { Frame, FrameFields } from './codec.js'
import type { Hub, Peer } from './peer.js'
import type { Timing } from './timing.js'
import type { Watcher } from '../process/relations.js'
import type { ClusterGroupChange, ClusterGroups, ClusterMembers, Transport } from '../../types/cluster.js'
import type { Pid } from '../../types/pid.js'

/** What groups need, and whom they tell. */
export interface GroupsHost {
  readonly hub: Hub
  readonly clock: Clock
  readonly timing: Timing
  readonly transport: Transport
  readonly prefix: string
  readonly node: string
  readonly incarnation: number
  isHere (pid: Pid): boolean
  peersUp (): Peer[]
  /** Hands a broadcast to members of this node, in one loop. */
  broadcast (members: readonly Pid[], topic: string, payload: unknown, from: Pid | undefined): void
  /** A batch from a group's topic. @returns its sender, if it may be listened to, and where its frames begin */
  source (bytes: Buffer): { readonly peer: Peer, readonly end: number } | undefined
  garbage (): void
}

type Listener = (change: ClusterGroupChange) => void

interface Member {
  times: number
  readonly watcher: Watcher
}

/** One group, as far as this node has to do with it. */
class Group {
  readonly name: string
  readonly topic: string
  /** Members of this node. */
  readonly members = new Map<Pid, Member>()
  readonly listeners = new Set<Listener>()
  /** Members everywhere, while somebody listens. */
  readonly known = new Set<Pid>()
  subscribed: Promise<void> | undefined
  linger: Cancellable | undefined

  constructor (name: string, prefix: string) {
    this.name = name
    this.topic = `${prefix}.g.${keyOf(name)}`
  }

  get isUsed (): boolean {
    return this.members.size > 0 || this.listeners.size > 0
  }
}

/** What waits for the members on one node. */
interface Question {
  answered (members: Pid[] | undefined): void
}

/** Groups across nodes: one subscription for each node and group, one publish for each broadcast. */
export class Groups implements ClusterGroups {
  readonly #host: GroupsHost
  readonly #groups = new Map<string, Group>()
  readonly #questions = new Map<Peer, Map<number, Question>>()

  constructor (host: GroupsHost) {
    this.#host = host
  }

  /** Records, for the tests that count what remains. */
  get size (): number {
    return this.#groups.size + this.#questions.size
  }

  async join (group: string, pid: Pid): Promise<void> {
    checkName(group)
    if (!this.#host.isHere(pid)) throw notHere(pid)
    const record = this.#use(group)
    let ended = false
    const known = record.members.get(pid)
    if (known !== undefined) known.times++
    else {
      const watcher: Watcher = {
        targetEnded: () => {
          ended = true
          this.#gone(record, pid)
        }
      }
      record.members.set(pid, { times: 1, watcher })
      this.#host.hub.here.watch(pid, watcher)
      if (ended) throw new errorCodes.FST_PROCESS_NOT_ALIVE(pid)
      this.#announce(record, types.joined, pid)
    }
    await this.#subscribed(record)
  }

  async leave (group: string, pid: Pid): Promise<boolean> {
    checkName(group)
    const record = this.#groups.get(group)
    const member = record?.members.get(pid)
    if (member === undefined) return false
    if (--member.times > 0) return true
    this.#host.hub.here.unwatch(pid, member.watcher)
    this.#gone(record!, pid)
    return true
  }

  #gone (group: Group, pid: Pid): void {
    group.members.delete(pid)
    this.#announce(group, types.left, pid)
    this.#unuse(group)
  }

  // Broadcasts

  broadcast (group: string, topic: string, payload?: unknown, { except, from }: { except?: Pid, from?: Pid } = {}): boolean {
    checkName(group)
    const encoded = encodePayload(payload)
    if (encoded === undefined) return false
    const frames: FrameFields[] = [{ type: types.broadcast, from: serialOf(from), text: topic, ...encoded }]
    if (except !== undefined) frames.unshift({ type: types.except, text: except })
    const record = this.#groups.get(group)
    const published = this.#publish(record?.topic ?? new Group(group, this.#host.prefix).topic, frames)
    if (record !== undefined) this.#deliver(record, topic, payload, from, except)
    return published
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
    this.#publish(group.topic, [{ type, from: serialOf(pid) }])
    this.#change(group, type === types.joined, pid)
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
      this.#change(group, type === types.joined, peer.pid(from))
      return true
    }
    if (type !== types.broadcast) return true
    const decoded = decodePayload(kind, body as Buffer)
    if (decoded === undefined) return false
    this.#deliver(group, text, decoded.payload, from === 0 ? undefined : peer.pid(from), except)
    return true
  }

  // Members everywhere

  async members (group: string): Promise<ClusterMembers> {
    checkName(group)
    const peers = this.#host.peersUp()
    const answers = await Promise.all(peers.map((peer) => this.#ask(group, peer)))
    const members = [...this.#groups.get(group)?.members.keys() ?? []]
    const missing: string[] = []
    for (const [i, answer] of answers.entries()) {
      if (answer === undefined) missing.push(peers[i].node)
      else members.push(...answer)
    }
    return { members, missing }
  }

  /** @returns undefined when the node does not answer */
  #ask (group: string, peer: Peer): Promise<Pid[] | undefined> {
    return new Promise((resolve) => {
      const ref = this.#host.hub.nextRef()
      const answered = (members: Pid[] | undefined): void => {
        timer.cancel()
        drop(this.#questions, peer, ref)
        resolve(members)
      }
      const timer = this.#host.clock.after(this.#host.timing.request, () => { answered(undefined) })
      entry(this.#questions, peer).set(ref, { answered })
      if (!peer.push({ type: types.ask, ref, text: group })) answered(undefined)
    })
  }

  /** Frames of another node. @returns undefined for one that is not of this kind, false for garbage */
  receive (peer: Peer, { type, ref, text, kind, body }: Frame): boolean | undefined {
    if (type === types.ask) {
      const members = Array.from(this.#groups.get(text)?.members.keys() ?? [], serialOf)
      peer.push({ type: types.members, ref, ...encodePayload(members)! })
      return true
    }
    if (type !== types.members) return undefined
    const payload = decodePayload(kind, body as Buffer)?.payload
    if (!Array.isArray(payload) || !payload.every((serial) => Number.isSafeInteger(serial))) return false
    this.#questions.get(peer)?.get(ref)?.answered(payload.map((serial: number) => peer.pid(serial)))
    return true
  }

  /** The node cannot be asked any more. */
  torn (peer: Peer): void {
    for (const { answered } of [...this.#questions.get(peer)?.values() ?? []]) answered(undefined)
  }

  // Watching

  async watch (group: string, listener: Listener): Promise<ClusterMembers> {
    checkName(group)
    const record = this.#use(group)
    record.listeners.add(listener)
    await this.#subscribed(record)
    const found = await this.members(group)
    // What changed while they were asked is in what they said, or comes still.
    for (const pid of found.members) record.known.add(pid)
    return { members: [...record.known], missing: found.missing }
  }

  unwatch (group: string, listener: Listener): void {
    const record = this.#groups.get(group)
    if (record?.listeners.delete(listener) !== true) return
    if (record.listeners.size === 0) record.known.clear()
    this.#unuse(record)
  }

  #change (group: Group, joined: boolean, pid: Pid): void {
    if (group.listeners.size === 0 || group.known.has(pid) === joined) return
    if (joined) group.known.add(pid)
    else group.known.delete(pid)
    this.#tell(group, joined ? [pid] : [], joined ? [] : [pid])
  }

  #tell ({ name: group, listeners }: Group, joined: Pid[], left: Pid[]): void {
    if (joined.length === 0 && left.length === 0) return
    for (const listener of [...listeners]) this.#host.hub.guard(() => { listener({ group, joined, left }) })
  }

  /** The members of a node are out of reach. */
  nodeDown (peer: Peer): void {
    for (const group of this.#groups.values()) {
      const left = [...group.known].filter((pid) => pid.endsWith(peer.suffix))
      for (const pid of left) group.known.delete(pid)
      this.#tell(group, [], left)
    }
  }

  /** A node is there, or the engine is again: what was announced meanwhile was not heard. */
  refresh (peer: Peer): void {
    for (const group of this.#groups.values()) {
      if (group.listeners.size > 0) this.#refresh(group, peer).catch(() => {})
    }
  }

  async #refresh (group: Group, peer: Peer): Promise<void> {
    const members = await this.#ask(group.name, peer)
    if (members === undefined || group.listeners.size === 0) return
    const now = new Set(members)
    const left = [...group.known].filter((pid) => pid.endsWith(peer.suffix) && !now.has(pid))
    const joined = members.filter((pid) => !group.known.has(pid))
    for (const pid of left) group.known.delete(pid)
    for (const pid of joined) group.known.add(pid)
    this.#tell(group, joined, left)
  }

  // Subscriptions

  #use (name: string): Group {
    let group = this.#groups.get(name)
    if (group === undefined) this.#groups.set(name, group = new Group(name, this.#host.prefix))
    group.linger?.cancel()
    group.linger = undefined
    return group
  }

  #subscribed (group: Group): Promise<void> {
    group.subscribed ??= this.#host.transport.subscribe(group.topic, (bytes) => {
      this.#received(group, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    }).catch((err: unknown) => {
      group.subscribed = undefined
      throw new errorCodes.FST_CLUSTER_UNAVAILABLE('the engine does not answer', { cause: err })
    })
    return group.subscribed
  }

  /** The last one of this node is gone: another often comes soon. */
  #unuse (group: Group): void {
    if (group.isUsed || group.linger !== undefined) return
    group.linger = this.#host.clock.after(this.#host.timing.linger, () => {
      this.#groups.delete(group.name)
      if (group.subscribed !== undefined) this.#host.transport.unsubscribe(group.topic).catch(() => {})
    })
  }

  /** Nothing is listened to any more. */
  close (): void {
    for (const { linger, members } of this.#groups.values()) {
      linger?.cancel()
      for (const [pid, { watcher }] of members) this.#host.hub.here.unwatch(pid, watcher)
    }
    this.#groups.clear()
  }
}
