import type { Explanation } from './explain.js'
import type { PayloadAndOptions, TopicFor } from './messages.js'
import type { Duration, Pid } from './pid.js'

/** The capabilities of a transport, and its name in logs. */
export interface TransportCaps {
  readonly name: string
  /** Bytes of the largest frame that `publish` takes. */
  readonly maxFrame: number
  /** Whether it has a compare-and-set register. Without one there are no cluster-wide names. */
  readonly registry: boolean
  /** Whether `probe` can answer. Otherwise it resolves with undefined. */
  readonly probe: boolean
  /**
   * The register is durable: an empty one is known never to have held names, so names are free at
   * once. Otherwise an empty register may have lost names, and they are free when their leases must
   * have expired.
   */
  readonly durable?: boolean
}

/** The events of a transport. */
export interface TransportEvents {
  /**
   * @param up true only when every subscription is confirmed again; false as soon as the engine
   * cannot be reached
   */
  state (up: boolean): void
}

/** One entry of the compare-and-set register. */
export interface RegisterEntry {
  readonly value: Uint8Array
  /**
   * The revision of the last write of this key. All keys share one counter, which starts at 1. Each
   * write has a higher revision than all earlier ones, as long as the register keeps its data.
   * Fences are made of revisions.
   */
  readonly revision: number
}

/**
 * The engine as a cluster uses it. It carries frames between nodes: pub/sub that is FIFO per
 * connection, and a compare-and-set register. The cluster relies on nothing else: delivery,
 * presence and expiry need not be reliable. A node may or may not receive its own frames.
 */
export interface ClusterTransport {
  readonly caps: TransportCaps
  /** Where the engine is, for errors and logs: without credentials. */
  readonly address?: string
  /**
   * Connects, and tries again until `close` is called. Rejects with an error that no retry can
   * repair, such as wrong credentials or a missing feature of the engine.
   */
  open (events: TransportEvents): Promise<void>
  close (): Promise<void>
  /**
   * Publishes a frame. The caller must not change it afterwards, because the transport keeps it
   * without a copy until it is written. Nothing is queued while the engine is down.
   * @returns false when it is not connected, or when too many bytes are not flushed yet
   */
  publish (topic: string, frame: Uint8Array): boolean
  /** Resolves when the engine has all published frames. Rejects after `timeout` milliseconds. */
  flush (timeout: number): Promise<void>
  /** Resolves when the subscription is confirmed. It is restored before the next `state(true)`. */
  subscribe (topic: string, listener: (frame: Uint8Array) => void): Promise<void>
  unsubscribe (topic: string): Promise<void>
  /** Whether a topic has a subscriber; undefined when the engine cannot answer. */
  probe (topic: string): Promise<boolean | undefined>
  /** Reads a key. The entry may be older than the last write. */
  get (key: string): Promise<RegisterEntry | undefined>
  /**
   * Sets or deletes a key if it still has the given revision. When it rejects, nobody knows whether
   * the key was changed.
   * @param value undefined deletes the key
   * @param revision 0: the key must not exist
   * @returns the new revision, or 0 on a conflict
   */
  cas (key: string, value: Uint8Array | undefined, revision: number): Promise<number>
}

/**
 * The former name of {@link ClusterTransport}.
 *
 * @deprecated Use {@link ClusterTransport}: the type is the same.
 */
export type Transport = ClusterTransport

/**
 * How soon a silent node counts as down. `default`: a heartbeat each second, down after 8 s.
 * `patient`: 3 s and 45 s, for engines whose own failover takes half a minute (Redis Sentinel).
 */
export type ClusterTiming = 'default' | 'patient'

/** The value of the option `cluster`. Made by `nats(…)`, `redis(…)` or `memory(…)`. */
export interface ClusterEngine {
  readonly transport: ClusterTransport
  /** First part of every topic and key. Nodes with another prefix are another cluster. */
  readonly prefix: string
  readonly timing: ClusterTiming
  /** How long a start waits for the engine. After that it fails: `FST_CLUSTER_UNAVAILABLE`. */
  readonly startTimeout: Duration
  /** As in {@link ClusterEngineOptions}. @defaultValue 'close' */
  readonly whenNameTaken?: 'close' | 'stay'
}

/** Options of every engine, besides those of its client. */
export interface ClusterEngineOptions {
  /**
   * First part of every topic and key: `[A-Za-z0-9_-]{1,32}`. Nodes with another prefix are another
   * cluster.
   * @defaultValue 'fwr'
   */
  prefix?: string
  /** How soon a silent node counts as down. @defaultValue 'default' */
  timing?: ClusterTiming
  /** How long a start waits for the engine. @defaultValue '10s' */
  startTimeout?: Duration
  /**
   * When another node with the same name has started, this node leaves the cluster. `close` then
   * closes the application (`app.close()`, or `close()` of the process system). With `stay` the
   * node continues to serve its own clients, and the `problem` of `health()` is `node name taken`.
   * @defaultValue 'close'
   */
  whenNameTaken?: 'close' | 'stay'
}

/** Another node, as this node sees it. */
export interface ClusterNodeInfo {
  readonly node: string
  /** Start time in milliseconds since 1970; higher at each start, even if the clock went back. */
  readonly incarnation: number
  readonly state: 'up' | 'down'
  /** When this state began, in milliseconds since 1970. */
  readonly since: number
}

/** A cluster-wide name: its holder, and a number that tells the holder from earlier ones. */
export interface ClusterName {
  readonly pid: Pid
  /**
   * Higher for each new holder of the name, whatever the clocks of the nodes show. Store it with
   * each write to a database, and refuse a write with a lower one.
   */
  readonly fence: number
}

/** Cluster-wide names: at any time, at most one process of all nodes has a name. */
export interface ClusterNames {
  /**
   * Gives a living process of this node a name. It is free again when the process ends. If the node
   * of the holder was lost, the call waits for the name: 8 seconds, or four fifths of the server's
   * `upgradeTimeout`.
   * @throws `FST_CLUSTER_NAME_TAKEN`, `FST_CLUSTER_NO_REGISTRY`, `FST_CLUSTER_UNAVAILABLE` (the
   * name did not become free in time, the engine is away, or this node lost its lease meanwhile; as
   * the reply of a route it is 503 with `Retry-After`), `FST_PROCESS_INVALID_NAME`,
   * `FST_PROCESS_INVALID_PID`, `FST_PROCESS_NOT_ALIVE`
   */
  register (name: string, pid: Pid): Promise<ClusterName>
  /** Frees a name. @returns false when no process of this node had it */
  unregister (name: string): Promise<boolean>
  /** The holder of a name. A change that has not reached this node yet is missing. */
  lookup (name: string): Promise<ClusterName | undefined>
}

/** The members of a group on all nodes that answered. */
export interface ClusterMembers {
  readonly members: Pid[]
  /** Nodes that are up and did not answer: their members are not in the list. */
  readonly missing: string[]
}

/** A change of a watched group. */
export interface ClusterGroupChange {
  readonly group: string
  readonly joined: readonly Pid[]
  readonly left: readonly Pid[]
}

/** The PID of a process of this node, or a listener. */
export type ClusterGroupWatcher = string | ((change: ClusterGroupChange) => void)

/** Options of `cluster.groups.broadcast`. */
export interface ClusterBroadcastOptions {
  /** A member that is left out. */
  except?: Pid
  /** The sender, a process of this node. */
  from?: Pid
}

/** Groups across nodes. */
export interface ClusterGroups {
  /**
   * Adds a process of this node to a group. It leaves by itself when it ends. Resolves when
   * broadcasts reach it.
   * @throws `FST_CLUSTER_UNAVAILABLE` (it has not joined), `FST_PROCESS_INVALID_NAME`,
   * `FST_PROCESS_INVALID_PID`, `FST_PROCESS_NOT_ALIVE`
   */
  join(group: string, pid: Pid): Promise<void>
  /** @returns false when it was no member */
  leave(group: string, pid: Pid): Promise<boolean>
  members(group: string): Promise<ClusterMembers>
  /**
   * Sends to each member on every node, at most once.
   * @returns false when only members of this node could be reached, or when the payload cannot be
   * sent to another node
   * @throws `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_INVALID_TOPIC`, `FST_PROCESS_INVALID_PID`
   */
  broadcast<K extends string>(
    group: string,
    topic: TopicFor<{}, K>,
    ...args: PayloadAndOptions<{}, K, ClusterBroadcastOptions>
  ): boolean
  /**
   * Reports each later change of a group, until {@link ClusterGroups.unwatch}. Resolves with the
   * members before the first change.
   * @param watcher a process of this node, which gets `@group` messages as those of
   * `processes.groups.watch`; or a function, which is called
   * @throws `FST_CLUSTER_UNAVAILABLE` (no change is reported), `FST_PROCESS_INVALID_NAME`,
   * `FST_PROCESS_NOT_ALIVE`, `FST_PROCESS_INVALID_PID`
   */
  watch(group: string, watcher: ClusterGroupWatcher): Promise<ClusterMembers>
  /** Ends {@link ClusterGroups.watch}, and removes its messages from the mailbox. */
  unwatch(group: string, watcher: ClusterGroupWatcher): void
}

/** Counters since the start of the node, and gauges of the present. */
export interface ClusterStats {
  framesIn: number
  framesOut: number
  batchesIn: number
  batchesOut: number
  /** Frames that were sent again. */
  resent: number
  /** Channels that were reset. Their messages under way were lost. */
  torn: number
  /** Received frames that could not be read. */
  garbage: number
  /** Times that this node's event loop stalled for over a second. */
  stalls: number
  /** Times that this node lost its lease, and its names. */
  fences: number
  /** Gauge: nodes that are up. */
  up: number
  /** Gauge: frames that wait for an acknowledgement. */
  unacknowledged: number
  /** Messages refused because their node was too slow or down, by node, since it was first seen. */
  refused: Record<string, number>
}

/** For readiness probes. */
export interface ClusterHealth {
  readonly ready: boolean
  /** Why it is not ready: `starting`, `engine away`, `closed` or `node name taken`. */
  readonly problem?: string
}

/** `processes.cluster`: the other nodes, and names and groups of the whole cluster. */
export interface Cluster {
  /** This node's name, as in `processes.node`. */
  readonly node: string
  /** The other nodes. A node that is down stays in the list until it is forgotten. */
  nodes (): ClusterNodeInfo[]
  /**
   * Sends `@node` to a process of this node whenever another node comes up or goes down (as OTP's
   * `net_kernel:monitor_nodes/1`). The `down` of a node comes before the `noconnection` exits of
   * its processes. Idempotent; ends with the process.
   * @returns the nodes before the first change
   * @throws `FST_PROCESS_NOT_ALIVE`, `FST_PROCESS_INVALID_PID`
   */
  watch (pid: string): ClusterNodeInfo[]
  /** Ends a {@link watch}. */
  unwatch (pid: string): void
  /**
   * Names of the whole cluster. When a node loses its lease, its processes with such names end with
   * the reason `name_lost`, because other processes may already have these names.
   */
  readonly names: ClusterNames
  readonly groups: ClusterGroups
  /**
   * As `processes.explain`, for the processes and connections of all nodes: the node of the PID is
   * asked, and then each node on which a cause of the end was. A node that does not answer within 5
   * seconds ends the chain. `together` counts the ends on the nodes that were asked.
   *
   * Resolves with undefined for a PID that its node has not made.
   * @throws `FST_PROCESS_INVALID_PID` for anything but a string (as a rejection)
   */
  explain (pid: string): Promise<Explanation | undefined>
  /** Counters of this node's traffic with others. */
  stats (): ClusterStats
  /** For readiness probes. */
  health (): ClusterHealth
}
