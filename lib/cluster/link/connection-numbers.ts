import type { ChannelHeader } from './codec.js'

/**
 * Whether a batch belongs to the current connection.
 *
 * | verdict     | the batch                                            | the channel            |
 * | ----------- | ---------------------------------------------------- | ---------------------- |
 * | `stale`     | is for a closed connection, or comes from one        | answers with a reset   |
 * | `unknown`   | is for a later connection, or comes from an old one  | drops it               |
 * | `restarted` | comes from a new connection of the other node        | resets, then adopts it |
 * | `current`   | is none of these                                     | handles it             |
 */
export type Verdict = 'current' | 'stale' | 'unknown' | 'restarted'

/**
 * A connection number is the second in which the node started, plus the number of resets. A number
 * this far above the time is an attack.
 */
const maxAhead = 2 ** 24

/**
 * The connection numbers of a channel: which connection of this node is connected with which
 * connection of the other node. Each node increments its own number with each reset. Thus a batch
 * of an earlier connection is recognised, and neither node waits for the other to confirm a reset.
 */
export class ConnectionNumbers {
  /**
   * The number of this node. It starts with the time, so it is above all numbers that an earlier
   * channel between the two nodes may have used.
   */
  #local: number
  /** The number of the other node, or 0 as long as it is unknown. */
  #remote = 0
  /** The highest number of the other node that this node has closed. */
  #closed = 0

  /** @param now milliseconds since 1970 */
  constructor (now: number) {
    this.#local = Math.floor(now / 1000)
  }

  get local (): number {
    return this.#local
  }

  get remote (): number {
    return this.#remote
  }

  get closed (): number {
    return this.#closed
  }

  /** The order of these conditions is part of the protocol. */
  classify ({ src, dst }: ChannelHeader): Verdict {
    if (dst !== 0 && dst < this.#local) {
      // It was sent to a connection that this node has closed. Connections are paired for ever, so
      // the connection that sent it is closed as well.
      this.#closed = Math.max(this.#closed, src)
      return 'stale'
    }
    if (src <= this.#closed) return 'stale'
    if (dst > this.#local || src < this.#remote) return 'unknown'
    return src > this.#remote && this.#remote !== 0 ? 'restarted' : 'current'
  }

  adoptRemote (remote: number): void {
    this.#remote = remote
  }

  /**
   * Called before a reset that the other node asked for. The connection that begins then has a
   * number above `closed`.
   * @param closed the highest number of this node that the other node has closed
   */
  bump (closed: number, now: number): void {
    if (!isImplausible(closed, now)) this.#local = Math.max(this.#local, closed)
  }

  /**
   * Begins the next connection, which is not connected yet.
   * @returns the number of the other node that is closed by this; 0: none
   */
  startNext (): number {
    const closed = this.#remote
    this.#closed = Math.max(this.#closed, closed)
    this.#local++
    this.#remote = 0
    return closed
  }
}

/** Whether no node can have this connection number. @param now milliseconds since 1970 */
export function isImplausible (number: number, now: number): boolean {
  return number > now / 1000 + maxAhead
}
