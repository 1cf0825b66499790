import type { Clock } from './clock.js'
import type { Elsewhere, Here } from '../process/elsewhere.js'
import type { ClusterGroups, ClusterHealth, ClusterNames, ClusterNodeInfo, ClusterStats, ClusterTiming, Transport } from '../../types/cluster.js'
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

/** One node of a cluster: its way to the processes of all others. */
export class ClusterNode {
  readonly elsewhere!: Elsewhere
  readonly names!: ClusterNames
  readonly groups!: ClusterGroups

  constructor (options: ClusterNodeOptions) {
    void options
  }

  /**
   * Claims an incarnation, subscribes, and hears who is there.
   * @returns the incarnation to use in PIDs, at least the one asked for: no PID may have been made before
   * @throws `FST_CLUSTER_UNAVAILABLE` when the engine is not there in time
   */
  async start (): Promise<number> { return 0 }

  /** Says goodbye, when everything that was sent is on its way. Idempotent. */
  async close (): Promise<void> {}

  /** The other nodes, down ones included until they are forgotten. */
  nodes (): ClusterNodeInfo[] { return [] }

  /** @returns what ends it */
  watchNodes (listener: NodeListener): () => void { void listener; return () => {} }

  stats (): ClusterStats { return {} as ClusterStats }

  health (): ClusterHealth { return { ready: false } }
}
