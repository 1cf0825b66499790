import type { ChannelHeader } from './codec.js'

/**
 * What a batch is to the connection that is.
 * `stale`: of one that was torn down, and to be answered with a reset. `foreign`: late, or too early; it is dropped.
 * `anew`: they tore theirs down, and this one is to be torn down before theirs is adopted.
 */
export type Verdict = 'current' | 'stale' | 'unknown' | 'restarted'

/** A connection number is a second of the start, and few teardowns: one so far ahead of the time is made up. */
const maxAhead = 2 ** 24

/**
 * Which connection of the one end is connected with which of the other. Both number theirs by themselves and upwards,
 * so neither waits for the other to know of a teardown.
 */
export class ConnectionNumbers {
  /** Mine: one more at each teardown. It begins with the time, above all that an earlier end may have used. */
  #local: number
  /** The one of theirs that mine is connected with; 0: none yet. */
  #remote = 0
  /** The highest of theirs that was torn down. */
  #closed = 0

  /** @param now milliseconds */
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

  /** The order of these questions is the protocol. */
  classify ({ src, dst }: ChannelHeader): Verdict {
    if (dst !== 0 && dst < this.#local) {
      // They talk to one that I tore down. Theirs was bound to it for ever, and is dead with it.
      this.#closed = Math.max(this.#closed, src)
      return 'stale'
    }
    if (src <= this.#closed) return 'stale'
    if (dst > this.#local || src < this.#remote) return 'unknown'
    return src > this.#remote && this.#remote !== 0 ? 'restarted' : 'current'
  }

  adoptRemote (theirs: number): void {
    this.#remote = theirs
  }

  /** The other node says up to which number mine are buried there. */
  bump (buried: number, now: number): void {
    if (!isImplausible(buried, now)) this.#local = Math.max(this.#local, buried)
  }

  /** The next connection of mine, with none of theirs. @returns the one of theirs that is buried; 0: none */
  startNext (): number {
    const buried = this.#remote
    this.#closed = Math.max(this.#closed, buried)
    this.#local++
    this.#remote = 0
    return buried
  }
}

/** Whether a connection number cannot be one. @param now milliseconds */
export function isImplausible (number: number, now: number): boolean {
  return number > now / 1000 + maxAhead
}
