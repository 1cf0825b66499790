import { clusterEvents, commonFields } from '../shared/diagnostics.js'
import type { ClusterStats } from '../../types/cluster.js'

/** The numbers in `cluster.stats()` that are counted. The others are read from the tables. */
type Counted = Omit<ClusterStats, 'up' | 'unacknowledged' | 'refused'>

/**
 * The counters of one node since its start, and the events about other nodes. Each number changes
 * in one method only.
 */
export class ClusterCounters implements Counted {
  framesIn = 0
  framesOut = 0
  batchesIn = 0
  batchesOut = 0
  resent = 0
  torn = 0
  garbage = 0
  stalls = 0
  fences = 0
  readonly #node: string

  constructor (node: string) {
    this.#node = node
  }

  // Traffic

  batchReceived (): void {
    this.batchesIn++
  }

  batchSent (): void {
    this.batchesOut++
  }

  frameReceived (): void {
    this.framesIn++
  }

  /** @param again how many of the frames were published before */
  framesSent (frames: number, again: number): void {
    this.framesOut += frames - again
    this.resent += again
  }

  /** A frame was published again in a batch of its own. */
  frameResent (): void {
    this.resent++
  }

  /** Bytes came in that no node of this version has sent. */
  garbageReceived (): void {
    this.garbage++
  }

  // This node

  /** The event loop was blocked for so long that no silence can be judged. */
  loopStalled (): void {
    this.stalls++
  }

  /** A name of this node was given to another one, or may be. */
  nameFenced (): void {
    this.fences++
  }

  // Other nodes

  nodeUp (peer: string, incarnation: number): void {
    if (!clusterEvents.hasSubscribers) return
    clusterEvents.publish({
      type: 'node', ...commonFields(this.#node), peer, incarnation, state: 'up', reason: undefined
    })
  }

  nodeDown (peer: string, incarnation: number, reason: string): void {
    if (!clusterEvents.hasSubscribers) return
    clusterEvents.publish({
      type: 'node', ...commonFields(this.#node), peer, incarnation, state: 'down', reason
    })
  }

  /** A channel that was in use was reset. */
  channelTorn (peer: string, reason: string): void {
    this.torn++
    if (!clusterEvents.hasSubscribers) return
    clusterEvents.publish({ type: 'torn', ...commonFields(this.#node), peer, reason })
  }
}
