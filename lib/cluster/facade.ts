import { errorCodes, show } from '../errors.js'
import { LocalProcesses } from '../process/local-processes.js'
import { toMilliseconds } from '../shared/duration.js'
import { clockIn } from '../shared/clock.js'
import { ClusterNode } from './node.js'
import { NodeWatchers } from './remote/node-watchers.js'
import type { Batch } from '../process/entity.js'
import type { Runtime } from '../process/runtime.js'
import type { Cluster, ClusterEngine } from '../../types/cluster.js'
import type { Pid } from '../../types/pid.js'

/** Who has made the process system: a server, or a worker. */
export interface ClusterOwner {
  /** Milliseconds after which a claim for a name is rejected. */
  readonly acquireTimeout?: number
  /** Closes everything. Called when another node with the same name has started. */
  close (): Promise<unknown>
}

/** Milliseconds. */
const startCheck = 60_000

/**
 * Makes a process system a node of a cluster. No PID may have been made before: the incarnation in
 * it is only known when the engine has answered.
 *
 * @throws `FST_CLUSTER_UNAVAILABLE` when the engine is not there in time, `FST_PROCESS_CLOSING` when the system was closed
 * before, and what the engine itself says
 */
export async function startCluster (runtime: Runtime, engine: ClusterEngine, owner: ClusterOwner): Promise<void> {
  // Closed while this was loaded: nothing would ever end what starts now.
  if (runtime.closing) throw new errorCodes.FST_PROCESS_CLOSING()
  const { node: name, incarnation } = runtime.pids
  const node = new ClusterNode({
    node: name,
    incarnation,
    prefix: engine.prefix,
    transport: engine.transport,
    timing: engine.timing,
    startTimeout: toMilliseconds(engine.startTimeout),
    clock: clockIn(runtime.context),
    ...owner.acquireTimeout !== undefined && { acquireTimeout: owner.acquireTimeout },
    local: new LocalProcesses(runtime),
    logger: runtime.logger,
    events: {
      // Another process may have the name soon: two must not act under it.
      nameLost: (_name, pid) => { runtime.exit(pid, 'name_lost') },
      broadcast: (members, topic, payload, from) => broadcast(runtime, members, topic, payload, from),
      // The node has left the cluster already, and has logged why.
      fatal () { if (engine.whenNameTaken !== 'stay') closeAll(runtime, owner) }
    }
  })
  runtime.announceClosing = () => { node.announceClosing() }
  runtime.leaveCluster = () => node.close()
  // No timer of the node keeps a program running, and an engine that is away has no socket that does: this one, which does nothing.
  const awake = setInterval(clearInterval, startCheck, undefined)
  let raised: number
  try {
    raised = await node.start()
  } finally {
    clearInterval(awake)
  }
  // Closed while it started.
  if (runtime.closing) throw new errorCodes.FST_PROCESS_CLOSING()
  runtime.pids.bumpIncarnation(raised)
  runtime.joinCluster(node.remote, clusterOf(runtime, node))
}

/** Two nodes with one name must not serve the same clients: the one that was started first makes room. */
function closeAll (runtime: Runtime, owner: ClusterOwner): void {
  owner.close().catch((err: unknown) => { runtime.logger.error({ err }, 'cluster: closing failed') })
}

/** A broadcast that arrives for members of this node; a payload for connections is framed once. */
function broadcast (runtime: Runtime, members: readonly Pid[], topic: string, payload: unknown, from: Pid | undefined): number {
  const batch: Batch = {}
  let accepted = 0
  for (const member of members) if (runtime.getEntity(member)?.deliver(topic, payload, from, undefined, batch) === true) accepted++
  return accepted
}

/** `processes.cluster`: the typed surface, with the docs, is `Cluster`. */
function clusterOf (runtime: Runtime, node: ClusterNode): Cluster {
  const watchers = new NodeWatchers(runtime, node)
  return Object.freeze({
    node: node.node,
    names: node.names,
    groups: node.groups,
    nodes: () => node.nodes(),
    watch (pid: string) {
      const entity = runtime.findEntity(runtime.resolvePid(pid))
      if (entity === undefined) throw new errorCodes.FST_PROCESS_NOT_ALIVE(show(pid))
      watchers.add(entity.pid)
      return node.nodes()
    },
    unwatch (pid: string) { watchers.delete(runtime.resolvePid(pid)) },
    stats: () => node.stats(),
    health: () => node.health()
  })
}
