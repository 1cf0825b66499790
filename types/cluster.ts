import type { Duration } from './pid.js'

/** What a transport can do, and what it is called in logs. */
export interface TransportCaps {
  readonly name: string
  /** Bytes of the largest frame that `publish` takes. */
  readonly maxFrame: number
  /** Whether it has the compare-and-set register: without one there are no cluster-wide names. */
  readonly registry: boolean
  /** Whether `probe` can tell anything. */
  readonly probe: boolean
}

/** What a transport tells its owner. */
export interface TransportEvents {
  /** Up only when every subscription is confirmed again; down as soon as the engine is out of reach. */
  state (up: boolean): void
}

/** One entry of the compare-and-set register. */
export interface RegisterEntry {
  readonly value: Uint8Array
  /** From 1. */
  readonly revision: number
}

/**
 * An engine that carries frames between nodes: pub/sub that is FIFO per connection, and a
 * compare-and-set register. Nothing of it is trusted further than that: neither delivery, nor
 * presence, nor expiry.
 */
export interface Transport {
  readonly caps: TransportCaps
  /** Connects, and goes on trying for as long as it is open. Rejects for what no retry can mend (credentials, a missing feature). */
  open (events: TransportEvents): Promise<void>
  close (): Promise<void>
  /** @returns false when it is not connected, or too much is unflushed. Never queues while down. */
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
}

/** Options that every engine's function takes beside its client's own. */
export interface ClusterEngineOptions {
  /** `[A-Za-z0-9_-]{1,32}`. @defaultValue 'fwr' */
  prefix?: string
  /** @defaultValue 'default' */
  timing?: ClusterTiming
  /** @defaultValue '10s' */
  startTimeout?: Duration
}
