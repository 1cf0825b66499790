import { errorCodes, toError } from './errors.js'
import { systemClock } from './clock.js'
import { batchTypes, decodeNumber, decodeSource, encodeChannelHeader, encodeNumber, encodeSource, longestHeader } from './codec.js'
import { Groups } from './groups.js'
import { claimIncarnation } from './incarnation.js'
import { Membership } from './membership.js'
import { Names } from './names.js'
import { NoNames } from './no-names.js'
import { Peer, suffixOf } from './peer.js'
import { Register } from './register.js'
import { Router } from './router.js'
import { timings } from './timing.js'
import { isPid } from '../process/pid.js'
import type { Channel } from './channel.js'
import type { Cancellable, Clock } from './clock.js'
import type { Source } from './codec.js'
import type { Hub } from './peer.js'
import type { Timing } from './timing.js'
import type { Elsewhere, Here } from '../process/elsewhere.js'
import type { ClusterGroups, ClusterHealth, ClusterNames, ClusterNodeInfo, ClusterStats, ClusterTiming, Transport } from '../../types/cluster.js'
import type { Exit } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'
import type { Logger } from '../../types/processes.js'

/** What the owner of a cluster node is told. */
export interface ClusterEvents {
  /** A process lost its cluster-wide name, for this node lost its lease: another may have it soon. */
  nameLost (name: string, pid: Pid): void
  /** Hands a broadcast to members on this node, in one loop: it is framed once. @returns how many took it */
  broadcast (members: readonly Pid[], topic: string, payload: unknown, from: Pid | undefined): number
  /** This node must not go on: `FST_CLUSTER_NODE_NAME_TAKEN`. */
  fatal (error: Error): void
}

/** What a cluster node is made with; every value is checked already. */
export interface ClusterNodeOptions {
  readonly node: string
  /** The incarnation in the PIDs of this node; {@link ClusterNode.start} may ask for a higher one. */
  readonly incarnation: number
  readonly prefix: string
  readonly transport: Transport
  readonly timing: ClusterTiming
  /** Milliseconds. */
  readonly startTimeout: number
  readonly here: Here
  readonly events: ClusterEvents
  readonly logger: Logger
  readonly clock?: Clock
  /** From 0 to 1, as Math.random. */
  readonly random?: () => number
}

/** Told when a node comes or goes. */
export type NodeListener = (node: string, state: 'up' | 'down') => void

/** What a heartbeat says beside being one. */
const beats = { beat: 0, hello: 1, bye: 2 } as const

/** One node of a cluster: its way to the processes of all others. */
export class ClusterNode implements Hub {
  readonly elsewhere: Elsewhere
  readonly groups: ClusterGroups
  readonly here: Here
  readonly node: string
  readonly #options: ClusterNodeOptions
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #timing: Timing
  readonly #random: () => number
  readonly #router: Router
  readonly #groups: Groups
  readonly #register: Register
  #names: Names | NoNames = new NoNames()
  #membership: Membership | undefined
  #incarnation: number
  #suffix: string
  /** The last incarnation of each node, and nodes by the end of their PIDs. */
  readonly #peers = new Map<string, Peer>()
  readonly #bySuffix = new Map<string, Peer>()
  readonly #listeners = new Set<NodeListener>()
  readonly #dirty = new Set<Channel>()
  #refs = 0
  #state: 'new' | 'starting' | 'open' | 'closed' | 'name taken' = 'new'
  #engineUp = false
  #engineWaiters: (() => void)[] = []
  #heartbeat: Cancellable | undefined
  #ticking: Cancellable | undefined
  #closing: Promise<void> | undefined
  readonly #counters: ClusterStats = {
    framesIn: 0, framesOut: 0, batchesIn: 0, batchesOut: 0, resent: 0, torn: 0, garbage: 0, stalls: 0, fences: 0, up: 0, unacknowledged: 0
  }

  constructor (options: ClusterNodeOptions) {
    this.#options = options
    this.here = options.here
    this.node = options.node
    this.#transport = options.transport
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? Math.random
    this.#timing = timings[options.timing]
    this.#incarnation = options.incarnation
    this.#suffix = suffixOf(options.node, options.incarnation)
    this.#register = new Register(options.transport, this.#clock, `${options.prefix}.`, this.#timing.request)
    this.elsewhere = this.#router = new Router(this)
    this.groups = this.#groups = this.#makeGroups()
  }

  #makeGroups (): Groups {
    const node = this
    const { events, prefix } = this.#options
    return new Groups({
      hub: this,
      clock: this.#clock,
      timing: this.#timing,
      transport: this.#transport,
      prefix,
      node: this.node,
      get incarnation () { return node.#incarnation },
      isHere: (pid) => this.#isHere(pid),
      peersUp: () => [...this.#peers.values()].filter(({ up }) => up),
      broadcast: (members, topic, payload, from) => { events.broadcast(members, topic, payload, from) },
      source: (bytes) => this.#sourceOf(bytes, batchTypes.broadcast),
      garbage: () => { this.#counters.garbage++ }
    })
  }

  get names (): ClusterNames {
    return this.#names
  }

  // Starting

  /**
   * Claims an incarnation, subscribes, and hears who is there.
   * @returns the incarnation to use in PIDs, at least the one asked for: no PID may have been made before
   * @throws `FST_CLUSTER_UNAVAILABLE` when the engine is not there in time, and what the engine rejects with
   */
  async start (): Promise<number> {
    this.#state = 'starting'
    let timer: Cancellable | undefined
    const late = new Promise<never>((resolve, reject) => {
      timer = this.#clock.after(this.#options.startTimeout, () => {
        reject(new errorCodes.FST_CLUSTER_UNAVAILABLE(`the engine '${this.#transport.caps.name}' did not answer within ${this.#options.startTimeout} ms`))
      })
    })
    try {
      await Promise.race([this.#start(), late])
    } catch (err) {
      await this.close()
      throw err
    } finally {
      timer?.cancel()
    }
    return this.#incarnation
  }

  async #start (): Promise<void> {
    const { prefix, incarnation } = this.#options
    await this.#transport.open({ state: (up) => { this.#engine(up) } })
    if (!this.#engineUp) await new Promise<void>((resolve) => { this.#engineWaiters.push(resolve) })
    if (this.#transport.caps.registry) this.#incarnation = await claimIncarnation(this.#register, this.node, incarnation, () => this.#state === 'starting')
    if (this.#state !== 'starting') return
    this.#suffix = suffixOf(this.node, this.#incarnation)
    this.#join()
    await Promise.all([
      this.#transport.subscribe(`${prefix}.hb`, (bytes) => { this.#listen(bytes, this.#heardBeat) }),
      this.#transport.subscribe(this.#inbox(this.node, this.#incarnation), (bytes) => { this.#listen(bytes, this.#heardFrames) })
    ])
    if (this.#state !== 'starting') return
    this.#beat(beats.hello)
    // Those who are there answer at once.
    await new Promise<void>((resolve) => { this.#clock.after(this.#timing.hello, resolve) })
    if (this.#state !== 'starting') return
    this.#state = 'open'
    this.#schedule()
    this.#ticking = this.#clock.after(this.#period, this.#tick)
  }

  #join (): void {
    const { events, logger, transport } = this.#options
    const shared = { clock: this.#clock, timing: this.#timing, counters: this.#counters, node: this.node, incarnation: this.#incarnation }
    this.#membership = new Membership({
      ...shared,
      probe: (node, incarnation) => this.#transport.caps.probe ? this.#transport.probe(this.#inbox(node, incarnation)) : Promise.resolve(undefined),
      up: (node, incarnation) => { this.#up(node, incarnation) },
      down: (node, incarnation, why) => { this.#down(node, incarnation, why) },
      forgotten: (node, incarnation) => { this.#forget(node, incarnation) },
      stalled: (ms) => { logger.warn({ ms: Math.round(ms) }, 'cluster: the event loop stood still') },
      nameTaken: () => { this.#nameTaken() }
    })
    this.#membership.connection(this.#engineUp)
    if (!this.#transport.caps.registry) {
      this.#names = new NoNames(this.#transport.caps.name)
      return
    }
    this.#names = new Names({
      ...shared,
      here: this.here,
      random: this.#random,
      register: this.#register,
      get durable () { return transport.caps.durable === true },
      membership: this.#membership,
      isHere: (pid) => this.#isHere(pid),
      leaseLost: (names) => { logger.warn({ names }, 'cluster: this node lost its lease') },
      lost: (name, pid) => {
        logger.warn({ name, pid }, 'cluster: a name is lost, and its process ends')
        this.guard(() => { events.nameLost(name, pid) })
      }
    })
  }

  #nameTaken (): void {
    if (this.#isOver) return
    this.#state = 'name taken'
    const error = new errorCodes.FST_CLUSTER_NODE_NAME_TAKEN(this.node)
    this.#options.logger.fatal({ err: error }, 'cluster: this node stops, for another one was started with its name')
    this.close().catch(() => {})
    this.guard(() => { this.#options.events.fatal(error) })
  }

  // The engine

  #inbox (node: string, incarnation: number): string {
    return `${this.#options.prefix}.n.${node}.${incarnation.toString(36)}`
  }

  #engine (up: boolean): void {
    if (this.#engineUp === up) return
    this.#engineUp = up
    this.#membership?.connection(up)
    if (this.#state === 'open') this.#options.logger[up ? 'info' : 'warn']({ engine: this.#transport.caps.name }, `cluster: the engine is ${up ? 'back' : 'away'}`)
    if (!up) return
    for (const resolve of this.#engineWaiters.splice(0)) resolve()
    if (this.#state !== 'open') return
    this.#beat(beats.hello)
    for (const peer of this.#peers.values()) {
      if (!peer.up) continue
      peer.channel.reconnected()
      this.#groups.refresh(peer)
    }
  }

  #publish (topic: string, source: Omit<Source, 'node' | 'incarnation'>, parts: readonly Uint8Array[]): boolean {
    const header = encodeSource({ ...source, node: this.node, incarnation: this.#incarnation })
    if (this.#isOver || !this.#engineUp || !this.#transport.publish(topic, Buffer.concat([header, ...parts]))) return false
    this.#counters.batchesOut++
    return true
  }

  /** What comes in never throws at the engine's client. */
  #listen (bytes: Uint8Array, heard: (bytes: Buffer) => void): void {
    if (this.#isOver) return
    this.#counters.batchesIn++
    this.guard(() => { heard(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) })
  }

  // Heartbeats

  #beat (what: number): void {
    this.#publish(`${this.#options.prefix}.hb`, { type: batchTypes.heartbeat }, [encodeNumber(what)])
  }

  #schedule (): void {
    this.#heartbeat?.cancel()
    this.#heartbeat = this.#clock.after(this.#timing.heartbeat * (1 - this.#random() / 10), () => {
      this.#beat(beats.beat)
      this.#schedule()
    })
  }

  readonly #heardBeat = (bytes: Buffer): void => {
    const source = decodeSource(bytes)
    const what = source?.type === batchTypes.heartbeat ? decodeNumber(bytes, source.end) : undefined
    if (source === undefined || what === undefined) {
      this.#counters.garbage++
      return
    }
    const { node, incarnation } = source
    if (what === beats.bye) this.#membership!.bye(node, incarnation)
    else if (this.#membership!.heard(node, incarnation) && what === beats.hello) this.#beat(beats.beat)
  }

  /** How often the time is looked at. */
  get #period (): number {
    return this.#timing.heartbeat / 4
  }

  readonly #tick = (): void => {
    this.#ticking = this.#clock.after(this.#period, this.#tick)
    this.#membership!.tick(this.#period)
    const now = this.#clock.now()
    for (const peer of this.#peers.values()) if (peer.up) peer.channel.tick(now)
  }

  // Nodes

  #up (node: string, incarnation: number): void {
    let peer = this.#peers.get(node)
    if (peer === undefined) {
      const made: Peer = peer = new Peer(node, incarnation, {
        clock: this.#clock,
        timing: this.#timing,
        counters: this.#counters,
        batchBytes: this.#transport.caps.maxFrame - longestHeader,
        publish: (type, header, parts) => this.#publish(this.#inbox(node, incarnation), { type }, [encodeChannelHeader(header), ...parts]),
        soon: (channel) => { this.#soon(channel) },
        apply: (frame) => this.#groups.receive(made, frame) ?? this.#router.receive(made, frame),
        torn: (why) => { this.#torn(made, why) }
      })
      this.#peers.set(node, peer)
      this.#bySuffix.set(peer.suffix, peer)
    }
    peer.up = true
    this.#options.logger.info({ node, incarnation }, 'cluster: a node is up')
    this.#tellNode(node, 'up')
    this.#groups.refresh(peer)
  }

  #down (node: string, incarnation: number, why: string): void {
    const peer = this.#peers.get(node)!
    peer.up = false
    if (!this.#isOver) this.#options.logger.warn({ node, incarnation, why }, 'cluster: a node is down')
    // First the node, then those who lived there.
    this.#tellNode(node, 'down')
    this.#groups.nodeDown(peer)
    peer.channel.teardown(why)
  }

  #forget (node: string, incarnation: number): void {
    const peer = this.#peers.get(node)
    if (peer?.incarnation !== incarnation) return
    peer.channel.stop()
    this.#dirty.delete(peer.channel)
    this.#peers.delete(node)
    this.#bySuffix.delete(peer.suffix)
  }

  #tellNode (node: string, state: 'up' | 'down'): void {
    for (const listener of [...this.#listeners]) this.guard(() => { listener(node, state) })
  }

  #torn (peer: Peer, why: string): void {
    if (peer.up) this.#options.logger.warn({ node: peer.node, why }, 'cluster: a channel was torn down')
    this.#groups.torn(peer)
    this.#router.torn(peer)
  }

  // Frames

  #soon (channel: Channel): void {
    if (this.#dirty.size === 0) this.#clock.soon(this.#flush)
    this.#dirty.add(channel)
  }

  readonly #flush = (): void => {
    const channels = [...this.#dirty]
    this.#dirty.clear()
    for (const channel of channels) channel.flush()
  }

  readonly #heardFrames = (bytes: Buffer): void => {
    const source = this.#sourceOf(bytes)
    if (source !== undefined && !source.peer.channel.receive(bytes[1], bytes, source.end)) this.#counters.garbage++
  }

  /** Who sent a batch, if it may be listened to. */
  #sourceOf (bytes: Buffer, type?: number): { readonly peer: Peer, readonly end: number } | undefined {
    const source = decodeSource(bytes)
    if (source === undefined || (type !== undefined && source.type !== type)) {
      this.#counters.garbage++
      return undefined
    }
    if (!this.#membership!.heard(source.node, source.incarnation)) return undefined
    return { peer: this.#peers.get(source.node)!, end: source.end }
  }

  // What others of this folder need

  pid (serial: number): Pid {
    return `${serial}${this.#suffix}` as Pid
  }

  #isHere (pid: Pid): boolean {
    return isPid(pid) && pid.endsWith(this.#suffix)
  }

  peerOf (pid: Pid): Peer | undefined {
    const peer = this.#bySuffix.get(pid.slice(pid.indexOf('@')))
    return peer?.up === true ? peer : undefined
  }

  /** A later incarnation is there: this one is dead for certain. Otherwise nobody knows. */
  absence (pid: Pid): Exit['reason'] {
    const [node, incarnation] = pid.slice(pid.indexOf('@') + 1).split('.')
    const member = this.#membership?.find(node)
    return member?.state === 'up' && member.incarnation > parseInt(incarnation, 36) ? 'noproc' : 'noconnection'
  }

  nextRef (): number {
    return ++this.#refs
  }

  guard (task: () => void): void {
    try {
      task()
    } catch (thrown) {
      this.#options.logger.error({ err: toError(thrown) }, 'cluster: what was told of another node failed')
    }
  }

  // What is known of it

  /** The other nodes, down ones included until they are forgotten. */
  nodes (): ClusterNodeInfo[] {
    return this.#membership?.nodes() ?? []
  }

  /** @returns what ends it */
  watchNodes (listener: NodeListener): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  stats (): ClusterStats {
    let unacknowledged = 0
    for (const { channel } of this.#peers.values()) unacknowledged += channel.unacknowledged
    return { ...this.#counters, up: this.#membership?.up ?? 0, unacknowledged }
  }

  health (): ClusterHealth {
    if (this.#state === 'name taken') return { ready: false, problem: 'node name taken' }
    if (this.#state === 'closed') return { ready: false, problem: 'closed' }
    if (this.#state !== 'open') return { ready: false, problem: 'starting' }
    return this.#engineUp ? { ready: true } : { ready: false, problem: 'engine away' }
  }

  /** Records of what goes on with others, for the tests that count what remains. */
  get size (): number {
    return this.#router.size + this.#groups.size + this.#names.size + this.#dirty.size
  }

  // The end

  /** Nothing is said any more, and nobody is listened to. */
  get #isOver (): boolean {
    return this.#state === 'closed' || this.#state === 'name taken'
  }

  /** Says goodbye, when everything that was sent is on its way. Idempotent. */
  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    if (this.#state === 'open') {
      await this.#names.close()
      this.#flush()
      await this.#handOver()
      this.#beat(beats.bye)
      await this.#handOver()
    }
    if (this.#isOver) this.#names.lose()
    else this.#state = 'closed'
    this.#heartbeat?.cancel()
    this.#ticking?.cancel()
    this.#membership?.leave()
    this.#groups.close()
    this.#peers.clear()
    this.#bySuffix.clear()
    this.#dirty.clear()
    await this.#transport.close()
  }

  /** Has the engine take what is on its way; without an engine nothing can be done for it. */
  async #handOver (): Promise<void> {
    if (this.#engineUp) await this.#transport.flush(this.#timing.request).catch(() => {})
  }
}
