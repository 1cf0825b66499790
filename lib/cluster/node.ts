import { errorCodes, toError } from '../errors.js'
import { batchTypes } from './link/codec.js'
import { Groups } from './groups/groups.js'
import { recordIncarnation } from './membership/incarnation.js'
import { EngineLink } from './link/engine-link.js'
import { NoNames } from './names/no-names.js'
import { makeMembershipParts, makeNames, newCounters } from './node-parts.js'
import { startNode } from './node-start.js'
import { suffixOf } from './membership/peer.js'
import { Peers } from './membership/peers.js'
import { Register } from './register.js'
import { Router } from './remote/router.js'
import { timings } from './timing.js'
import { isPid } from '../process/pid.js'
import type { Cancellable, Clock } from '../shared/clock.js'
import type { ClusterNodeOptions } from './node-options.js'
import type { Heartbeats } from './membership/heartbeats.js'
import type { Inbox } from './inbox.js'
import type { MembershipParts } from './node-parts.js'
import type { Membership } from './membership/membership.js'
import type { Names } from './names/names.js'
import type { NodeContext, Peer } from './membership/peer.js'
import type { NodeListener } from './membership/peers.js'
import type { Timing } from './timing.js'
import type { Unsendable } from './values/unsendable.js'
import type { RemoteNodes, LocalNode } from '../process/remote-nodes.js'
import type {
  ClusterGroups, ClusterHealth, ClusterNames, ClusterNodeInfo, ClusterStats, ClusterTransport
} from '../../types/cluster.js'
import type { Exit } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

export type { ClusterEvents, ClusterNodeOptions } from './node-options.js'
export type { NodeListener } from './membership/peers.js'

/**
 * One node of a cluster. Creates the parts, connects them, and starts and closes them in order.
 * Its states: new -> starting -> open -> closed, or name taken when another node has its name.
 */
export class ClusterNode implements NodeContext {
  readonly remote: RemoteNodes
  readonly groups: ClusterGroups
  readonly local: LocalNode
  readonly node: string
  readonly #options: ClusterNodeOptions
  readonly #transport: ClusterTransport
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
  #inbox: Inbox | undefined
  #incarnation: number
  /** The latest incarnation of this node that other nodes have heard of; 0: unknown. */
  #latestKnown = 0
  #suffix: string
  #refs = 0
  #state: 'new' | 'starting' | 'open' | 'closed' | 'name taken' = 'new'
  #tickTimer: Cancellable | undefined
  #closing: Promise<void> | undefined
  readonly #counters = newCounters()

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
    const { transport, prefix } = options
    this.#register = new Register(transport, this.#clock, `${prefix}.`, this.#timing.request)
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
      handleFrame: (peer, frame) => {
        return this.#groups.receive(peer, frame) ?? this.#router.receive(peer, frame)
      },
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
      broadcast: (members, topic, payload, from) => {
        events.broadcast(members, topic, payload, from)
      },
      acceptBatch: (bytes) => {
        if (this.#engineLink.isOwn(bytes)) return undefined
        return this.#inbox!.acceptSource(bytes, batchTypes.broadcast)
      },
      countGarbage: () => { this.#counters.garbage++ }
    })
  }

  get names (): ClusterNames {
    return this.#names
  }

  // Starting

  /**
   * Connects to the engine, registers an incarnation, and waits for the heartbeats of other nodes.
   *
   * @returns the incarnation for PIDs, at least that of the options. No PID may exist before
   * @throws `FST_CLUSTER_UNAVAILABLE` when the engine does not answer in time, and the errors of
   * the engine's `open`
   */
  async start (): Promise<number> {
    const node = this
    this.#state = 'starting'
    await startNode({
      options: this.#options,
      timing: this.#timing,
      register: this.#register,
      engineLink: this.#engineLink,
      get starting () { return node.#state === 'starting' },
      get incarnation () { return node.#incarnation },
      get latestKnown () { return node.#latestKnown },
      makeMembership: () => this.#makeMembership(),
      setIncarnation: (incarnation) => {
        this.#incarnation = incarnation
        this.#suffix = suffixOf(this.node, incarnation)
      },
      open: () => {
        this.#state = 'open'
        this.#names = this.#makeNames()
        this.#heartbeats!.start()
        this.#names.engineUp()
        this.#tickTimer = this.#clock.after(this.#tickInterval, this.#tick)
      },
      close: () => this.close()
    })
    return this.#incarnation
  }

  #makeMembership (): MembershipParts {
    const node = this
    const { transport, logger } = this.#options
    const parts = makeMembershipParts({
      clock: this.#clock,
      timing: this.#timing,
      counters: this.#counters,
      random: this.#random,
      engineLink: this.#engineLink,
      node: this.node,
      get incarnation () { return node.#incarnation },
      transport,
      peers: this.#peers,
      logger,
      nodeDown: (name) => { if (!this.#hasLeft) this.#names.nodeDown(name) },
      laterIncarnation: (incarnation) => { this.#handleLaterIncarnation(incarnation) }
    })
    this.#membership = parts.membership
    this.#inbox = parts.inbox
    this.#heartbeats = parts.heartbeats
    return parts
  }

  #makeNames (): Names | NoNames {
    return makeNames(this.#options, {
      clock: this.#clock,
      timing: this.#timing,
      counters: this.#counters,
      node: this.node,
      incarnation: this.#incarnation,
      random: this.#random,
      register: this.#register,
      membership: this.#membership!,
      isLocal: (pid) => this.#isLocal(pid),
      guard: (task) => { this.guard(task) }
    })
  }

  /**
   * Called when another node has heard of a later incarnation of this node. That incarnation is
   * running, or it ran before and other nodes remember it.
   */
  #handleLaterIncarnation (known: number): void {
    this.#latestKnown = Math.max(this.#latestKnown, known)
    // During the start there are no PIDs yet: the start announces an incarnation above it.
    if (this.#hasLeft || this.#state === 'starting') return
    if (this.#latestKnown <= this.#incarnation) return
    this.#state = 'name taken'
    const error = new errorCodes.FST_CLUSTER_NODE_NAME_TAKEN(this.node)
    const { logger, events } = this.#options
    logger.fatal({ err: error }, 'cluster: stopping: another node with the same name has started')
    this.close().catch(() => {})
    this.guard(() => { events.fatal(error) })
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

  /** Milliseconds between two checks of membership and channels. */
  get #tickInterval (): number {
    return this.#timing.heartbeat / 4
  }

  readonly #tick = (): void => {
    this.#tickTimer = this.#clock.after(this.#tickInterval, this.#tick)
    this.#membership!.tick(this.#tickInterval)
    this.#peers.tick(this.#clock.now())
  }

  // The context for the parts of the node

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

  /** `noproc` if the node is up with this or a later incarnation, else `noconnection`. */
  exitReasonFor (pid: Pid): Exit['reason'] {
    const [node, incarnation] = pid.slice(pid.indexOf('@') + 1).split('.')
    const member = this.#membership?.find(node)
    const isUp = member?.state === 'up' && member.incarnation >= parseInt(incarnation, 36)
    return isUp ? 'noproc' : 'noconnection'
  }

  nextRef (): number {
    return ++this.#refs
  }

  unsendable ({ type, path }: Unsendable, about: Readonly<Record<string, unknown>>): Error {
    const { logger } = this.#options
    logger.warn({ ...about, type, path }, 'cluster: a value cannot be sent to another node')
    return new errorCodes.FST_CLUSTER_INVALID_PAYLOAD(type, path)
  }

  guard (task: () => void): void {
    try {
      task()
    } catch (thrown) {
      const err = toError(thrown)
      this.#options.logger.error({ err }, 'cluster: handling an event of another node failed')
    }
  }

  // State for the public API

  /** The other nodes. Nodes that are down are included until they are forgotten. */
  nodes (): ClusterNodeInfo[] {
    return this.#membership?.nodes() ?? []
  }

  /** @returns a function that removes the listener */
  watchNodes (listener: NodeListener): () => void {
    return this.#peers.addListener(listener)
  }

  stats (): ClusterStats {
    const up = this.#membership?.upCount ?? 0
    const { unacknowledged, refusedByNode: refused } = this.#peers
    return { ...this.#counters, up, unacknowledged, refused }
  }

  health (): ClusterHealth {
    if (this.#state === 'name taken') return { ready: false, problem: 'node name taken' }
    if (this.#state === 'closed') return { ready: false, problem: 'closed' }
    if (this.#state !== 'open') return { ready: false, problem: 'starting' }
    return this.#engineLink.up ? { ready: true } : { ready: false, problem: 'engine away' }
  }

  /** Records about other nodes, for the tests that check that nothing is left over. */
  get size (): number {
    return this.#router.size + this.#groups.size + this.#names.size + this.#peers.size
  }

  // Closing

  /** From then on this node sends nothing, and ignores every frame. */
  get #hasLeft (): boolean {
    return this.#state === 'closed' || this.#state === 'name taken'
  }

  /**
   * Tells the other nodes that this one is closing. Call it before the processes are stopped. The
   * other nodes close the clients of these processes with 1012, and the processes get the leaves.
   */
  announceClosing (): void {
    if (this.#state !== 'open') return
    this.#router.announceClosing(this.#peers.upPeers)
    this.#peers.flush()
  }

  /** Leaves the cluster after the engine has accepted every frame that was sent. Idempotent. */
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
      // It may have sent a hello.
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
    if (this.#state === 'name taken' && this.#transport.caps.registry) {
      // The next start is then above it, even if its clock is behind.
      await recordIncarnation(this.#register, this.node, this.#latestKnown)
    }
    await this.#transport.close()
  }
}
