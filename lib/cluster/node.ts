import { errorCodes } from '../errors.js'
import { NodeKeys } from './keys/node-keys.js'
import { recordIncarnation } from './membership/incarnation.js'
import { NodeNames } from './names/names.js'
import { NoNames } from './names/no-names.js'
import { makeParts } from './node-parts.js'
import { joinWithin, tooLateError } from './node-start.js'
import type { Cancellable } from '../shared/clock.js'
import type { NodeContext } from './context.js'
import type { NodeGroups } from './groups/groups.js'
import type { NodeListener } from './membership/peers.js'
import type { ClusterNodeOptions } from './node-options.js'
import type { NodeParts } from './node-parts.js'
import type { RemoteNodes } from '../process/remote/remote-nodes.js'
import type {
  ClusterHealth, ClusterNames, ClusterNodeInfo, ClusterStats
} from '../../types/cluster.js'

export type { ClusterEvents, ClusterNodeOptions } from './node-options.js'
export type { NodeListener } from './membership/peers.js'

/**
 * One node of a cluster: starts and closes its parts in order.
 *
 * | state      | event                                 | then       | action                      |
 * | ---------- | ------------------------------------- | ---------- | --------------------------- |
 * | new        | `start`                               | starting   | connects, announces itself  |
 * | starting   | its incarnation is final              | open       | sends heartbeats, has names |
 * | starting   | `close`, or the engine is too late    | closed     | bye                         |
 * | open       | `close`                               | closed     | frees its names, bye        |
 * | open       | a later incarnation of it was heard   | name taken | gives up its names, closes  |
 * | new        | `close`                               | closed     |                             |
 */
export class ClusterNode {
  readonly remote: RemoteNodes
  readonly groups: NodeGroups
  readonly node: string
  readonly #parts: NodeParts
  readonly #context: NodeContext
  readonly #startTimeout: number
  readonly #acquireTimeout: number | undefined
  #names: NodeNames | NoNames = new NoNames()
  /** The latest incarnation of this node that other nodes have heard of; 0: unknown. */
  #latestKnown = 0
  #state: 'new' | 'starting' | 'open' | 'closed' | 'name taken' = 'new'
  #tickTimer: Cancellable | undefined
  #closing: Promise<void> | undefined

  constructor (options: ClusterNodeOptions) {
    this.#startTimeout = options.startTimeout
    this.#acquireTimeout = options.acquireTimeout
    this.#parts = makeParts(options, {
      engineChanged: (up) => { this.#engineChanged(up) },
      nodeDown: (node) => { this.#names.nodeDown(node) },
      laterIncarnation: (incarnation) => { this.#handleLaterIncarnation(incarnation) }
    })
    this.#context = this.#parts.context
    this.node = this.#context.node
    this.remote = this.#parts.router
    this.groups = this.#parts.groups
  }

  get names (): ClusterNames {
    return this.#names
  }

  /** The places of keys; undefined without a register, and before the node has started. */
  get keys (): NodeKeys | undefined {
    const { context, peers, router } = this.#parts
    const names = this.#names
    return names instanceof NodeNames ? new NodeKeys(context, names, peers, router) : undefined
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
    let joined: boolean
    try {
      joined = await joinWithin(this.#startTimeout, this.#parts, {
        get isWanted () { return node.#state === 'starting' },
        get latestKnown () { return node.#latestKnown }
      })
    } catch (err) {
      await this.close()
      throw err
    }
    if (!joined) {
      // Only after the close is it known why the transport could not connect.
      await this.close()
      throw tooLateError(this.#startTimeout, this.#parts)
    }
    if (node.#state === 'starting') this.#open()
    return this.#context.incarnation
  }

  #open (): void {
    const { register, membership, heartbeats } = this.#parts
    const { caps } = this.#context.transport
    this.#state = 'open'
    this.#names = caps.registry
      ? new NodeNames(this.#context, register, membership, this.#acquireTimeout)
      : new NoNames(caps.name)
    heartbeats.start()
    this.#names.engineUp()
    this.#tickTimer = this.#context.after(this.#tickInterval, this.#tick)
  }

  /** That incarnation is running, or it ran before and other nodes remember it. */
  #handleLaterIncarnation (known: number): void {
    this.#latestKnown = Math.max(this.#latestKnown, known)
    // During the start there are no PIDs yet: the start announces an incarnation above it.
    if (this.#state !== 'open') return
    this.#state = 'name taken'
    const error = new errorCodes.FST_CLUSTER_NODE_NAME_TAKEN(this.node)
    const { logger, events } = this.#context
    logger.fatal({ err: error }, 'cluster: stopping: another node with the same name has started')
    this.close().catch(() => {})
    this.#context.guard(() => { events.fatal(error) })
  }

  // While it is open

  #engineChanged (up: boolean): void {
    const { membership, heartbeats, peers } = this.#parts
    membership.setConnected(up)
    if (this.#state !== 'open') return
    const { logger, transport } = this.#context
    const about = { engine: transport.caps.name, address: transport.address }
    if (!up) {
      logger.warn(about, 'cluster: the engine is away')
      return
    }
    logger.info(about, 'cluster: the engine is back')
    heartbeats.sendHello()
    peers.engineReconnected()
    this.#names.engineUp()
  }

  /** Milliseconds between two checks of membership and channels. */
  get #tickInterval (): number {
    return this.#context.timing.heartbeat / 4
  }

  readonly #tick = (): void => {
    this.#tickTimer = this.#context.after(this.#tickInterval, this.#tick)
    this.#parts.membership.tick(this.#tickInterval)
    this.#parts.peers.tick(this.#context.now())
  }

  // State for the public API

  /** The other nodes. Nodes that are down are included until they are forgotten. */
  nodes (): ClusterNodeInfo[] {
    return this.#parts.membership.nodes()
  }

  /** @returns a function that removes the listener */
  watchNodes (listener: NodeListener): () => void {
    return this.#parts.peers.addListener(listener)
  }

  stats (): ClusterStats {
    const { membership, peers } = this.#parts
    const { unacknowledged, refusedByNode: refused } = peers
    return { ...this.#context.counters, up: membership.upCount, unacknowledged, refused }
  }

  health (): ClusterHealth {
    if (this.#state === 'name taken') return { ready: false, problem: 'node name taken' }
    if (this.#state === 'closed') return { ready: false, problem: 'closed' }
    if (this.#state !== 'open') return { ready: false, problem: 'starting' }
    return this.#parts.engineLink.up ? { ready: true } : { ready: false, problem: 'engine away' }
  }

  /** Records about other nodes, for the tests that check that nothing is left over. */
  get size (): number {
    const { router, groups, peers } = this.#parts
    return router.size + groups.size + this.#names.size + peers.size
  }

  // Closing

  /**
   * Tells the other nodes that this one is closing. Call it before the processes are stopped. The
   * other nodes close the clients of these processes with 1012, and the processes get the leaves.
   */
  announceClosing (): void {
    if (this.#state !== 'open') return
    const { router, peers } = this.#parts
    router.announceClosing(peers.upPeers)
    peers.flush()
  }

  /** Leaves the cluster after the engine has accepted every frame that was sent. Idempotent. */
  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    const { register, engineLink, heartbeats, membership, groups, peers } = this.#parts
    const { timing, transport } = this.#context
    if (this.#state === 'open') {
      await this.#names.close()
      peers.flush()
      await engineLink.flush(timing.request)
      heartbeats.sendBye()
      await engineLink.flush(timing.request)
    } else if (this.#state === 'starting') {
      this.#state = 'closed'
      // It may have sent a hello.
      heartbeats.sendBye()
      await engineLink.flush(timing.request)
    }
    if (this.#state === 'closed' || this.#state === 'name taken') this.#names.abandon()
    else this.#state = 'closed'
    engineLink.silence()
    heartbeats.stop()
    this.#tickTimer?.cancel()
    membership.markAllDown()
    groups.close()
    peers.clear()
    if (this.#state === 'name taken' && transport.caps.registry) {
      // The next start is then above it, even if its clock is behind.
      await recordIncarnation(register, this.node, this.#latestKnown)
    }
    await transport.close()
  }
}
