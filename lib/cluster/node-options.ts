import type { Clock } from '../shared/clock.js'
import type { LocalNode } from '../process/remote-nodes.js'
import type { ClusterTiming, Transport } from '../../types/cluster.js'
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
  /** The incarnation in the PIDs of this node; the start may ask for a higher one. */
  readonly incarnation: number
  readonly prefix: string
  readonly transport: Transport
  readonly timing: ClusterTiming
  /** Milliseconds. */
  readonly startTimeout: number
  /** Milliseconds after which a claim for a name that is not free yet is rejected. @defaultValue that of `timing` */
  readonly acquireTimeout?: number
  readonly local: LocalNode
  readonly events: ClusterEvents
  readonly logger: Logger
  readonly clock: Clock
  /** From 0 to 1, as Math.random. */
  readonly random?: () => number
}
