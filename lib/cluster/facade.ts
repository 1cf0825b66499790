import { errorCodes, show } from '../errors.js'
import { Batch } from '../process/batch.js'
import { explainAcrossNodes } from '../process/explain/across-nodes.js'
import { isKeyAddress } from '../process/keyed/address.js'
import { nameLost } from '../process/keyed/instance.js'
import { LocalProcesses } from '../process/remote/local-processes.js'
import { longestDelay, toMilliseconds } from '../shared/duration.js'
import { published } from '../shared/contract.js'
import { GroupWatchers } from './groups/group-watchers.js'
import { ClusterNode } from './node.js'
import { NodeWatchers } from './remote/node-watchers.js'
import type { ConnectionCodec } from '../process/remote/connection-codec.js'
import type { Runtime } from '../process/runtime.js'
import type { Plain } from '../shared/contract.js'
import type { NodeGroups } from './groups/groups.js'
import type { Cluster, ClusterEngine, ClusterGroups } from '../../types/cluster.js'
import type { Pid } from '../../types/pid.js'

/** The creator of the runtime: a server, or a worker. */
export interface ClusterOwner {
  /** Reads and writes the messages of connections. */
  readonly codec: ConnectionCodec
  /** Milliseconds after which `names.register` is rejected. */
  readonly acquireTimeout?: number
  /** Closes everything. Called when another node with the same name has started. */
  close (): Promise<unknown>
}

/**
 * Makes a runtime a node of a cluster. No PID may exist before, because the incarnation in it is
 * only known when the engine has answered.
 *
 * @throws `FST_CLUSTER_UNAVAILABLE` when the engine does not answer in time, `FST_PROCESS_CLOSING`
 * when the runtime was closed before, and the errors of the engine's `open`
 */
export async function startCluster (
  runtime: Runtime, engine: ClusterEngine, owner: ClusterOwner
): Promise<void> {
  // Closed while this module was loaded: nobody would close the node.
  if (runtime.shutdown.closing) throw new errorCodes.FST_PROCESS_CLOSING()
  const { node: name, incarnation } = runtime.pids
  const node = new ClusterNode({
    node: name,
    incarnation,
    prefix: engine.prefix,
    transport: engine.transport,
    timing: engine.timing,
    startTimeout: toMilliseconds(engine.startTimeout),
    clock: runtime.contextClock,
    codec: owner.codec,
    ...owner.acquireTimeout !== undefined && { acquireTimeout: owner.acquireTimeout },
    local: new LocalProcesses(runtime),
    logger: runtime.logger,
    events: {
      // Another process may have the name soon, and two must not act under it.
      nameLost: (name, pid) => {
        if (isKeyAddress(name)) runtime.kinds.placeLost(name)
        else runtime.exitRequests.exit(pid, nameLost)
      },
      broadcast: (members, topic, payload, from) => {
        return broadcast(runtime, members, topic, payload, from)
      },
      // The node has left the cluster already, and has logged why.
      fatal () { if (engine.whenNameTaken !== 'stay') closeAll(runtime, owner) }
    }
  })
  runtime.clusterAccess.announceClosing = () => { node.announceClosing() }
  runtime.clusterAccess.leaveCluster = () => node.close()
  // Keeps the event loop alive during the start: the timers of the node are unref'ed, and a client
  // that is not connected has no socket.
  const keepAlive = runtime.contextClock.after(longestDelay, () => {})
  let raised: number
  try {
    raised = await node.start()
  } finally {
    keepAlive.cancel()
  }
  // Closed during the start.
  if (runtime.shutdown.closing) throw new errorCodes.FST_PROCESS_CLOSING()
  runtime.pids.bumpIncarnation(raised)
  runtime.clusterAccess.joinCluster(node.remote, clusterOf(runtime, node), node.keys)
}

/** Two nodes with one name must not serve the same clients: the one that started first closes. */
function closeAll (runtime: Runtime, owner: ClusterOwner): void {
  owner.close().catch((err: unknown) => {
    runtime.logger.error({ err }, 'cluster: closing failed')
  })
}

/**
 * Delivers a broadcast to members of this node. Its payload is encoded once for all connections.
 * @returns how many members accepted it
 */
function broadcast (
  runtime: Runtime, members: readonly Pid[], topic: string, payload: unknown, from: Pid | undefined
): number {
  const batch = new Batch()
  let accepted = 0
  for (const member of members) {
    const entity = runtime.processTable.getEntity(member)
    if (entity?.deliver(topic, payload, from, undefined, batch) === true) accepted++
  }
  return accepted
}

/** @throws `FST_PROCESS_NOT_ALIVE`, `FST_PROCESS_INVALID_PID` */
function livingPid ({ processTable }: Runtime, pid: string): Pid {
  const entity = processTable.findEntity(processTable.resolvePid(pid))
  if (entity === undefined) throw new errorCodes.FST_PROCESS_NOT_ALIVE(show(pid))
  return entity.pid
}

/** `processes.cluster.groups`: the groups, and processes that watch them. */
function groupsOf (runtime: Runtime, groups: NodeGroups): ClusterGroups {
  const watchers = new GroupWatchers(runtime.processTable, runtime.exitSignals, groups)
  return published<ClusterGroups>(Object.freeze({
    join: (group, pid) => groups.join(group, pid),
    leave: (group, pid) => groups.leave(group, pid),
    members: (group) => groups.members(group),
    broadcast: (group, topic, payload, options) => groups.broadcast(group, topic, payload, options),
    async watch (group, watcher) {
      if (typeof watcher === 'function') return await groups.watch(group, watcher)
      return await watchers.watch(group, livingPid(runtime, watcher))
    },
    unwatch (group, watcher) {
      if (typeof watcher === 'function') groups.unwatch(group, watcher)
      else watchers.unwatch(group, runtime.processTable.resolvePid(watcher))
    }
  } satisfies Plain<ClusterGroups>))
}

/** `processes.cluster`: the typed surface, with the docs, is `Cluster`. */
function clusterOf (runtime: Runtime, node: ClusterNode): Cluster {
  const watchers = new NodeWatchers(runtime.processTable, runtime.exitSignals, node)
  return Object.freeze({
    node: node.node,
    names: node.names,
    groups: groupsOf(runtime, node.groups),
    nodes: () => node.nodes(),
    watch (pid: string) {
      watchers.add(livingPid(runtime, pid))
      return node.nodes()
    },
    unwatch (pid: string) { watchers.delete(runtime.processTable.resolvePid(pid)) },
    explain: (pid: string) => explainAcrossNodes(runtime, pid),
    stats: () => node.stats(),
    health: () => node.health()
  })
}
