import { errorCodes, toError } from '../errors.js'
import { batchTypes, decodeNumber, decodeSource } from './link/codec.js'
import { Groups } from './groups/groups.js'
import { Heartbeats } from './membership/heartbeats.js'
import { claimIncarnation } from './membership/incarnation.js'
import { EngineLink } from './link/engine-link.js'
import { Membership } from './membership/membership.js'
import { Names } from './names/names.js'
import { NoNames } from './names/no-names.js'
import { suffixOf } from './membership/peer.js'
import { OtherVersions } from './membership/other-versions.js'
import { Peers } from './membership/peers.js'
import { Register } from './register.js'
import { Router } from './remote/router.js'
import { timings } from './timing.js'
import { isPid } from '../process/pid.js'
import type { Cancellable, Clock } from '../shared/clock.js'
import type { ClusterNodeOptions } from './node-options.js'
import type { NodeContext, Peer } from './membership/peer.js'
import type { NodeListener } from './membership/peers.js'
import type { Timing } from './timing.js'
import type { Unsendable } from './values/unsendable.js'
import type { RemoteNodes, LocalNode } from '../process/remote-nodes.js'
import type { ClusterGroups, ClusterHealth, ClusterNames, ClusterNodeInfo, ClusterStats, Transport } from '../../types/cluster.js'
import type { Exit } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

export type { ClusterEvents, ClusterNodeOptions } from './node-options.js'
export type { NodeListener } from './membership/peers.js'

/** One node of a cluster: its way to the processes of all others. */
export class ClusterNode implements NodeContext {
  readonly remote: RemoteNodes
  readonly groups: ClusterGroups
  readonly local: LocalNode
  readonly node: string
  readonly #options: ClusterNodeOptions
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #timing: Timing
  readonly #random: () => number
  readonly #engineLink: EngineLink
  readonly #router: Router
  readonly #groups: Groups
  readonly #peers: Peers
  readonly #register: Register
  #names: Names | NoNames = new NoNames()
  #membership: Membership | undefined
  #heartbeats: Heartbeats | undefined
  #incarnation: number
  /** The latest incarnation of this node that another node told of. */
  #latestKnown = 0
  #suffix: string
  #refs = 0
  #state: 'new' | 'starting' | 'open' | 'closed' | 'name taken' = 'new'
  #tickTimer: Cancellable | undefined
  #closing: Promise<void> | undefined
  readonly #counters: ClusterStats = {
    framesIn: 0, framesOut: 0, batchesIn: 0, batchesOut: 0, resent: 0, torn: 0, garbage: 0, stalls: 0, fences: 0, up: 0, unacknowledged: 0, refused: {}
  }

  constructor (options: ClusterNodeOptions) {
    this.#options = options
    this.local = options.local
    this.node = options.node
    this.#transport = options.transport
    this.#clock = options.clock
    this.#random = options.random ?? Math.random
    this.#timing = timings[options.timing]
    this.#incarnation = options.incarnation
    this.#suffix = suffixOf(options.node, options.incarnation)
    this.#register = new Register(options.transport, this.#clock, `${options.prefix}.`, this.#timing.request)
    this.#engineLink = this.#makeEngineLink()
    this.remote = this.#router = new Router(this)
    this.groups = this.#groups = this.#makeGroups()
    this.#peers = this.#makePeers()
  }

  #makeEngineLink (): EngineLink {
    const node = this
    const { transport, prefix } = this.#options
    return new EngineLink({
      transport,
      prefix,
      node: this.node,
      get incarnation () { return node.#incarnation },
      counters: this.#counters,
      stateChanged: (up) => { this.#engineChanged(up) },
      guard: (task) => { this.guard(task) }
    })
  }

  #makePeers (): Peers {
    const node = this
    const { transport, logger } = this.#options
    return new Peers({
      clock: this.#clock,
      timing: this.#timing,
      counters: this.#counters,
      logger,
      transport,
      engineLink: this.#engineLink,
      get leaving () { return node.#hasLeft },
      handleFrame: (peer, frame) => this.#groups.receive(peer, frame) ?? this.#router.receive(peer, frame),
      peerReady: (peer) => { this.#groups.refreshMembers(peer) },
      peerDown: (peer) => { this.#groups.nodeDown(peer) },
      channelReset: (peer) => {
        this.#groups.channelReset(peer)
        this.#router.channelReset(peer)
      },
      guard: (task) => { this.guard(task) }
    })
  }

  #makeGroups (): Groups {
    const node = this
    const { events, prefix } = this.#options
    return new Groups({
      node: this,
      clock: this.#clock,
      timing: this.#timing,
      transport: this.#transport,
      prefix,
      nodeName: this.node,
      get incarnation () { return node.#incarnation },
      get engineUp () { return node.#engineLink.up },
      isLocal: (pid) => this.#isLocal(pid),
      upPeers: () => this.#peers.upPeers,
      flush: () => { this.#peers.flush() },
      broadcast: (members, topic, payload, from) => { events.broadcast(members, topic, payload, from) },
      acceptBatch: (bytes) => this.#engineLink.isOwn(bytes) ? undefined : this.#acceptSource(bytes, batchTypes.broadcast),
      countGarbage: () => { this.#counters.garbage++ }
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
    const late = new Promise<'late'>((resolve) => {
      timer = this.#clock.after(this.#options.startTimeout, () => { resolve('late') })
    })
    try {
      if (await Promise.race([this.#start(), late]) !== 'late') return this.#incarnation
    } catch (err) {
      await this.close()
      throw err
    } finally {
      timer?.cancel()
    }
    // Closed, the transport says why it was not there: a port that is shut, a certificate.
    await this.close()
    throw new errorCodes.FST_CLUSTER_UNAVAILABLE(`the engine '${this.#transport.caps.name}' did not answer within ${this.#options.startTimeout} ms`, ...this.#engineLink.failure === undefined ? [] : [{ cause: this.#engineLink.failure }])
  }

  async #start (): Promise<void> {
    const engineLink = this.#engineLink
    await engineLink.open()
    const heartbeats = this.#makeMembership()
    await Promise.all([engineLink.subscribe(engineLink.heartbeatTopic, heartbeats.receiveHeartbeat), this.#announce(heartbeats)])
    while (this.#state === 'starting' && this.#latestKnown > this.#incarnation) {
      // Other nodes know a later incarnation than the register, which lost its data: they would not listen to this one.
      const inbox = engineLink.inboxTopic(this.node, this.#incarnation)
      this.#incarnation = this.#latestKnown + 1
      await this.#announce(heartbeats)
      await this.#transport.unsubscribe(inbox)
    }
    if (this.#state !== 'starting') return
    this.#state = 'open'
    this.#names = this.#makeNames()
    heartbeats.start()
    this.#names.engineUp()
    this.#tickTimer = this.#clock.after(this.#tickInterval, this.#tick)
  }

  /** Claims an incarnation, subscribes to its inbox, and says hello. Resolves when the other nodes have had time to answer. */
  async #announce (heartbeats: Heartbeats): Promise<void> {
    const engineLink = this.#engineLink
    if (this.#transport.caps.registry) this.#incarnation = await claimIncarnation(this.#register, this.node, this.#incarnation, () => this.#state === 'starting')
    if (this.#state !== 'starting') return
    this.#suffix = suffixOf(this.node, this.#incarnation)
    await engineLink.subscribe(engineLink.inboxTopic(this.node, this.#incarnation), this.#receiveBatch)
    if (this.#state !== 'starting') return
    heartbeats.sendHello()
    await new Promise<void>((resolve) => { this.#clock.after(this.#timing.hello, resolve) })
  }

  #makeMembership (): Heartbeats {
    const node = this
    const { logger } = this.#options
    const shared = { clock: this.#clock, timing: this.#timing, counters: this.#counters }
    this.#membership = new Membership({
      ...shared,
      node: this.node,
      get incarnation () { return node.#incarnation },
      probe: (node, incarnation) => this.#transport.caps.probe ? this.#transport.probe(this.#engineLink.inboxTopic(node, incarnation)) : Promise.resolve(undefined),
      nodeUp: (node, incarnation) => { this.#peers.nodeUp(node, incarnation) },
      nodeDown: (node, incarnation, why) => {
        this.#peers.nodeDown(node, incarnation, why)
        if (!this.#hasLeft) this.#names.nodeDown(node)
      },
      nodeForgotten: (node) => { this.#peers.forgetNode(node) },
      loopStalled: (ms) => { logger.warn({ ms: Math.round(ms) }, 'cluster: the event loop stood still') },
      nameTaken: (incarnation) => { this.#handleLaterIncarnation(incarnation) }
    })
    this.#membership.setConnected(this.#engineLink.up)
    const otherVersions = new OtherVersions(logger)
    this.#heartbeats = new Heartbeats({
      ...shared,
      random: this.#random,
      engineLink: this.#engineLink,
      membership: this.#membership,
      unreadableBatch: (bytes) => { otherVersions.logSender(bytes) },
      nodeReturned: (name) => { this.#peers.nodeReturned(name) }
    })
    return this.#heartbeats
  }

  #makeNames (): Names | NoNames {
    const { events, logger, transport } = this.#options
    if (!transport.caps.registry) return new NoNames(transport.caps.name)
    return new Names({
      clock: this.#clock,
      timing: this.#timing,
      counters: this.#counters,
      node: this.node,
      incarnation: this.#incarnation,
      local: this.local,
      random: this.#random,
      register: this.#register,
      acquireTimeout: this.#options.acquireTimeout ?? this.#timing.acquire,
      get durable () { return transport.caps.durable === true },
      membership: this.#membership!,
      isLocal: (pid) => this.#isLocal(pid),
      leaseLost: (names) => { logger.warn({ names }, 'cluster: this node lost its lease') },
      nameLost: (name, pid) => {
        logger.warn({ relayName: name, relayPid: pid }, 'cluster: a name is lost, and its process ends')
        this.guard(() => { events.nameLost(name, pid) })
      }
    })
  }

  /** A later incarnation of this node is known: it may live, or other nodes remember it. */
  #handleLaterIncarnation (known: number): void {
    this.#latestKnown = Math.max(this.#latestKnown, known)
    // A node that starts has made no PID yet: it starts above the other one.
    if (this.#hasLeft || this.#state === 'starting' || this.#latestKnown <= this.#incarnation) return
    this.#state = 'name taken'
    const error = new errorCodes.FST_CLUSTER_NODE_NAME_TAKEN(this.node)
    this.#options.logger.fatal({ err: error }, 'cluster: stopping: another node with the same name has started')
    this.close().catch(() => {})
    this.guard(() => { this.#options.events.fatal(error) })
  }

  // The engine

  #engineChanged (up: boolean): void {
    this.#membership?.setConnected(up)
    if (this.#state !== 'open') return
    const about = { engine: this.#transport.caps.name }
    if (!up) {
      this.#options.logger.warn(about, 'cluster: the engine is away')
      return
    }
    this.#options.logger.info(about, 'cluster: the engine is back')
    this.#heartbeats!.sendHello()
    this.#peers.engineReconnected()
    this.#names.engineUp()
  }

  /** How often the time is looked at. */
  get #tickInterval (): number {
    return this.#timing.heartbeat / 4
  }

  readonly #tick = (): void => {
    this.#tickTimer = this.#clock.after(this.#tickInterval, this.#tick)
    this.#membership!.tick(this.#tickInterval)
    this.#peers.tick(this.#clock.now())
  }

  readonly #receiveBatch = (bytes: Buffer): void => {
    if (bytes[1] === batchTypes.outdated) return this.#receiveOutdated(bytes)
    const source = this.#acceptSource(bytes)
    if (source !== undefined && !source.peer.channel.receiveBatch(bytes[1], bytes, source.end)) this.#counters.garbage++
  }

  #receiveOutdated (bytes: Buffer): void {
    const source = decodeSource(bytes)
    const known = source && decodeNumber(bytes, source.end)
    if (known === undefined) this.#counters.garbage++
    else this.#handleLaterIncarnation(known)
  }

  /** Who sent a batch, if it may be listened to. */
  #acceptSource (bytes: Buffer, type?: number): { readonly peer: Peer, readonly end: number } | undefined {
    const source = decodeSource(bytes)
    if (source === undefined || (type !== undefined && source.type !== type)) {
      this.#counters.garbage++
      return undefined
    }
    if (!this.#membership!.recordContact(source.node, source.incarnation)) return undefined
    return { peer: this.#peers.ofNode(source.node)!, end: source.end }
  }

  // What others of this folder need

  pid (serial: number): Pid {
    return `${serial}${this.#suffix}` as Pid
  }

  #isLocal (pid: Pid): boolean {
    return isPid(pid) && pid.endsWith(this.#suffix)
  }

  peerOf (pid: Pid): Peer | undefined {
    return this.#peers.ofPid(pid)
  }

  recordUnreachable (pid: Pid): void {
    this.#peers.recordUnreachable(pid)
  }

  /** A later incarnation is there, or the node is and can have none of that number: it is dead for certain. Otherwise nobody knows. */
  exitReasonFor (pid: Pid): Exit['reason'] {
    const [node, incarnation] = pid.slice(pid.indexOf('@') + 1).split('.')
    const member = this.#membership?.find(node)
    return member?.state === 'up' && member.incarnation >= parseInt(incarnation, 36) ? 'noproc' : 'noconnection'
  }

  nextRef (): number {
    return ++this.#refs
  }

  unsendable ({ type, path }: Unsendable, about: Readonly<Record<string, unknown>>): Error {
    this.#options.logger.warn({ ...about, type, path }, 'cluster: a value cannot be sent to another node')
    return new errorCodes.FST_CLUSTER_INVALID_PAYLOAD(type, path)
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
    return this.#peers.addListener(listener)
  }

  stats (): ClusterStats {
    return { ...this.#counters, up: this.#membership?.upCount ?? 0, unacknowledged: this.#peers.unacknowledged, refused: this.#peers.refusedByNode }
  }

  health (): ClusterHealth {
    if (this.#state === 'name taken') return { ready: false, problem: 'node name taken' }
    if (this.#state === 'closed') return { ready: false, problem: 'closed' }
    if (this.#state !== 'open') return { ready: false, problem: 'starting' }
    return this.#engineLink.up ? { ready: true } : { ready: false, problem: 'engine away' }
  }

  /** Records of what goes on with others, for the tests that count what remains. */
  get size (): number {
    return this.#router.size + this.#groups.size + this.#names.size + this.#peers.size
  }

  // The end

  /** Nothing is said any more, and nobody is listened to. */
  get #hasLeft (): boolean {
    return this.#state === 'closed' || this.#state === 'name taken'
  }

  /**
   * Tells the other nodes that this one is closing, before its processes are stopped: their clients are closed with
   * 1012, and its targets get their leaves.
   */
  announceClosing (): void {
    if (this.#state !== 'open') return
    this.#router.announceClosing(this.#peers.upPeers)
    this.#peers.flush()
  }

  /** Says goodbye, when everything that was sent is on its way. Idempotent. */
  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    if (this.#state === 'open') {
      await this.#names.close()
      this.#peers.flush()
      await this.#engineLink.flush(this.#timing.request)
      this.#heartbeats!.sendBye()
      await this.#engineLink.flush(this.#timing.request)
    } else if (this.#state === 'starting') {
      this.#state = 'closed'
      // It may have said hello.
      this.#heartbeats?.sendBye()
      await this.#engineLink.flush(this.#timing.request)
    }
    if (this.#hasLeft) this.#names.abandon()
    else this.#state = 'closed'
    this.#engineLink.silence()
    this.#heartbeats?.stop()
    this.#tickTimer?.cancel()
    this.#membership?.markAllDown()
    this.#groups.close()
    this.#peers.clear()
    await this.#transport.close()
  }
}
