import type { PayloadAndOptions, TopicFor } from './messages.js'
import type { Duration, Pid } from './pid.js'

/** The capabilities of a transport, and its name in logs. */
export interface TransportCaps {
  readonly name: string
  /** Bytes of the largest frame that `publish` takes. */
  readonly maxFrame: number
  /** Whether it has the compare-and-set register: without one there are no cluster-wide names. */
  readonly registry: boolean
  /** Whether `probe` can tell anything. */
  readonly probe: boolean
  /**
   * The register is durable: an empty one is known never to have held names, so that names are free at
   * once. Without it, an empty register may have lost names: they are free after the time of a lease.
   */
  readonly durable?: boolean
}

/** The events of a transport. */
export interface TransportEvents {
  /** Up only when every subscription is confirmed again; down as soon as the engine is out of reach. */
  state (up: boolean): void
}

/** One entry of the compare-and-set register. */
export interface RegisterEntry {
  readonly value: Uint8Array
  /**
   * Of the last write: from 1, one counter for all keys. Each write has a higher one than all before it, as long as the
   * register keeps its data; fences are made of them.
   */
  readonly revision: number
}

/**
 * An engine that carries frames between nodes: pub/sub that is FIFO per connection, and a
 * compare-and-set register. Nothing of it is trusted further than that: neither delivery, nor
 * presence, nor expiry. What a node publishes may come back to it, or not.
 */
export interface Transport {
  readonly caps: TransportCaps
  /** Connects, and goes on trying for as long as it is open. Rejects for what no retry can mend (credentials, a missing feature). */
  open (events: TransportEvents): Promise<void>
  close (): Promise<void>
  /**
   * Publishes a frame, which is the transport's from then on: a client keeps it, uncopied, until it is written.
   *
   * @returns false when it is not connected, or too much is unflushed. Never queues while down.
   */
  publish (topic: string, frame: Uint8Array): boolean
  /** Resolves when the engine has all that was published; rejects after `timeout` milliseconds. */
  flush (timeout: number): Promise<void>
  /** Resolves when the subscription is confirmed; it is restored before the next `state(true)`. */
  subscribe (topic: string, listener: (frame: Uint8Array) => void): Promise<void>
  unsubscribe (topic: string): Promise<void>
  /** Whether a topic has a subscriber; undefined: cannot tell. */
  probe (topic: string): Promise<boolean | undefined>
  /** May be stale. */
  get (key: string): Promise<RegisterEntry | undefined>
  /**
   * Sets a key (undefined: deletes it) if it still has this revision; 0: if it is not there.
   * @returns the new revision, or 0 on a conflict. Rejects: whether it was set is UNKNOWN.
   */
  cas (key: string, value: Uint8Array | undefined, revision: number): Promise<number>
}

/**
 * How soon a silent node is taken for down. `default`: heartbeat 1 s, down after 8 s. `patient`:
 * 3 s and 45 s, for engines whose own failover takes half a minute (Redis Sentinel).
 */
export type ClusterTiming = 'default' | 'patient'

/** What an engine's function (`nats(…)`, `redis(…)`, `memory(…)`) makes for the option `cluster`. */
export interface ClusterEngine {
  readonly transport: Transport
  /** First part of every topic and key: nodes with another prefix are another cluster. */
  readonly prefix: string
  readonly timing: ClusterTiming
  /** How long to wait for the engine at start; then `FST_CLUSTER_UNAVAILABLE`. */
  readonly startTimeout: Duration
  /** What happens when another node with the same name has started. @defaultValue 'close' */
  readonly whenNameTaken?: 'close' | 'stay'
}

/** Options that every engine's function takes beside its client's own. */
export interface ClusterEngineOptions {
  /** `[A-Za-z0-9_-]{1,32}`. @defaultValue 'fwr' */
  prefix?: string
  /** @defaultValue 'default' */
  timing?: ClusterTiming
  /** @defaultValue '10s' */
  startTimeout?: Duration
  /**
   * What a node does when another node with the same name has started, after it has left the cluster. `close` closes the
   * application (`app.close()`, or `close()` of the process system). `stay` goes on serving its own clients alone;
   * `health()` says `node name taken`.
   * @defaultValue 'close'
   */
  whenNameTaken?: 'close' | 'stay'
}

/** Another node, as this one sees it. */
export interface ClusterNodeInfo {
  readonly node: string
  /** Start time in milliseconds, raised above the node's last one. */
  readonly incarnation: number
  readonly state: 'up' | 'down'
  /** When that began: milliseconds since 1970. */
  readonly since: number
}

/** A cluster-wide name: who has it, and the number that fences earlier holders off. */
export interface ClusterName {
  readonly pid: Pid
  /**
   * Rises with each new holder of a name, whatever the clocks of the nodes say: send it along with what you write
   * elsewhere.
   */
  readonly fence: number
}

/** Names that one process of the whole cluster has at a time. */
export interface ClusterNames {
  /**
   * Gives a living process of this node a name. It is free again when the process ends. A name whose holder was lost is
   * waited for: for 8 seconds, or four fifths of the server's `upgradeTimeout`.
   * @throws `FST_CLUSTER_NAME_TAKEN`, `FST_CLUSTER_NO_REGISTRY`, `FST_CLUSTER_UNAVAILABLE` (the name did not become free
   * in time, the engine is away, or this node lost its lease meanwhile; as the answer of a route it is 503 with
   * `Retry-After`), `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_INVALID_PID`, `FST_PROCESS_NOT_ALIVE`
   */
  register (name: string, pid: Pid): Promise<ClusterName>
  /** Frees a name of this node. @returns false when it was not held here */
  unregister (name: string): Promise<boolean>
  /** The holder of a name. Changes that are under way may be missing. */
  lookup (name: string): Promise<ClusterName | undefined>
}

/** The members of a group, as far as their nodes answered. */
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
   * A process of this node joins; it leaves by itself when it ends. Resolves when broadcasts reach it.
   * @throws `FST_CLUSTER_UNAVAILABLE` (it has not joined), `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_INVALID_PID`,
   * `FST_PROCESS_NOT_ALIVE`
   */
  join(group: string, pid: Pid): Promise<void>
  /** @returns false when it was no member */
  leave(group: string, pid: Pid): Promise<boolean>
  members(group: string): Promise<ClusterMembers>
  /**
   * Sends to each member on every node, at most once.
   * @returns false when only the members of this node could be reached, or the payload cannot cross
   * @throws `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_INVALID_TOPIC`, `FST_PROCESS_INVALID_PID`
   */
  broadcast<K extends string>(
    group: string,
    topic: TopicFor<{}, K>,
    ...args: PayloadAndOptions<{}, K, ClusterBroadcastOptions>
  ): boolean
  /**
   * Tells of each later change, until {@link unwatch}. Resolves with the members before the first one.
   * @throws `FST_CLUSTER_UNAVAILABLE` (nothing will be told), `FST_PROCESS_INVALID_NAME`
   */
  watch(group: string, listener: (change: ClusterGroupChange) => void): Promise<ClusterMembers>
  unwatch(group: string, listener: (change: ClusterGroupChange) => void): void
}

/** Counters since the start of the node, and gauges of now. */
export interface ClusterStats {
  framesIn: number
  framesOut: number
  batchesIn: number
  batchesOut: number
  /** Frames sent once more. */
  resent: number
  /** Channels torn down, with what was under way on them. */
  torn: number
  /** Frames that were no frames of ours. */
  garbage: number
  /** Times this node's event loop stood still for over a second. */
  stalls: number
  /** Times this node lost its names. */
  fences: number
  /** Gauge: nodes that are up. */
  up: number
  /** Gauge: frames that wait for an acknowledgement. */
  unacknowledged: number
  /** Messages to each other node that were refused since it was first seen: it is too slow, or down. */
  refused: Record<string, number>
}

/** For readiness probes. */
export interface ClusterHealth {
  readonly ready: boolean
  /** Why it is not: `starting`, `engine away`, `closed`, `node name taken`. */
  readonly problem?: string
}

/** `processes.cluster`: what needs the engine, or other nodes. All of it that waits for an answer is asynchronous. */
export interface Cluster {
  /** This node's name, as in `processes.node`. */
  readonly node: string
  /** The other nodes, those that are down included until they are forgotten. */
  nodes (): ClusterNodeInfo[]
  /**
   * Tells a process of this node, by `@node`, of each node that comes up or goes down (as OTP's
   * `net_kernel:monitor_nodes/1`). A node's `down` comes before the `noconnection` exits of what
   * lived there. Idempotent; ends with the process.
   * @returns the nodes before the first change
   * @throws `FST_PROCESS_NOT_ALIVE`, `FST_PROCESS_INVALID_PID`
   */
  watch (pid: string): ClusterNodeInfo[]
  /** Ends a {@link watch}. */
  unwatch (pid: string): void
  /**
   * Names that one process of the whole cluster has at a time. A process whose node lost its lease
   * ends with the reason `name_lost`: another may have the name by then.
   */
  readonly names: ClusterNames
  readonly groups: ClusterGroups
  /** Counters of this node's traffic with others. */
  stats (): ClusterStats
  /** For readiness probes. */
  health (): ClusterHealth
}
