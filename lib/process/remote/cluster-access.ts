import type { PidFactory } from '../pid.js'
import type { KeyDirectory } from './key-directory.js'
import type { RemoteNodes } from './remote-nodes.js'
import type { Cluster } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

/** The cluster of this node. Without one, or before it has joined, there are no other nodes. */
export class ClusterAccess {
  readonly #pids: PidFactory
  #remoteNodes: RemoteNodes | undefined
  /** The public `processes.cluster`. */
  cluster: Cluster | undefined
  /** Knows on which node a key has its process; undefined where each node has keys of its own. */
  keyDirectory: KeyDirectory | undefined
  /** The node has not joined its cluster yet: nothing can start. */
  joining = false
  /** This node is closing: connections of other nodes cannot be bound to its processes any more. */
  refusesBinds = false
  /** Tells the other nodes that this one is closing. Called before the first process is stopped. */
  announceClosing: (() => void) | undefined
  /** Called when all processes of this node have ended. */
  leaveCluster: (() => Promise<void>) | undefined

  constructor (pids: PidFactory) {
    this.#pids = pids
  }

  joinCluster (remoteNodes: RemoteNodes, cluster?: Cluster, keyDirectory?: KeyDirectory): void {
    this.#remoteNodes = remoteNodes
    this.cluster = cluster
    this.keyDirectory = keyDirectory
    this.joining = false
  }

  /** The other nodes, for a PID of one of them. Undefined for local PIDs, and without a cluster. */
  remoteNodesFor (pid: string): RemoteNodes | undefined {
    const remoteNodes = this.#remoteNodes
    return remoteNodes !== undefined && this.#pids.isRemote(pid) ? remoteNodes : undefined
  }

  /** The exit reason for a PID that is neither alive here nor on a node that can be reached. */
  absenceReason (pid: Pid): 'noconnection' | 'noproc' {
    return this.#pids.isRemote(pid) ? 'noconnection' : 'noproc'
  }
}
