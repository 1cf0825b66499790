import type { Clock } from '../shared/clock.js'
import type { ConnectionCodec } from '../process/remote/connection-codec.js'
import type { LocalNode } from '../process/remote/remote-nodes.js'
import type { ClusterTiming, ClusterTransport } from '../../types/cluster.js'
import type { Pid } from '../../types/pid.js'
import type { Logger } from '../../types/options.js'

/** Callbacks of a cluster node. */
export interface ClusterEvents {
  /** A process lost its cluster-wide name with the lease of this node: another may have it soon. */
  nameLost (name: string, pid: Pid): void
  /** Delivers a broadcast to members of this node. @returns how many members accepted it */
  broadcast (
    members: readonly Pid[], topic: string, payload: unknown, from: Pid | undefined
  ): number
  /** This node has left the cluster: `FST_CLUSTER_NODE_NAME_TAKEN`. */
  fatal (error: Error): void
}

/** The values are validated already. */
export interface ClusterNodeOptions {
  readonly node: string
  /** The incarnation that is wished for. The start may choose a higher one. */
  readonly incarnation: number
  readonly prefix: string
  readonly transport: ClusterTransport
  readonly timing: ClusterTiming
  /** Milliseconds. */
  readonly startTimeout: number
  /** Milliseconds after which `names.register` is rejected. @defaultValue `acquire` of `timing` */
  readonly acquireTimeout?: number
  readonly local: LocalNode
  /** Reads and writes the messages of connections. */
  readonly codec: ConnectionCodec
  readonly events: ClusterEvents
  readonly logger: Logger
  readonly clock: Clock
  /**
   * When the clock read 0: milliseconds since 1970.
   * @defaultValue `performance.timeOrigin`, as that of the clocks of Node
   */
  readonly timeOrigin?: number
  /** From 0 to 1, as Math.random. */
  readonly random?: () => number
}
