import type { ChannelHeader } from './codec.js'

/**
 * What a batch is to the connection that is.
 * `stale`: of one that was torn down, and to be answered with a reset. `foreign`: late, or too early; it is dropped.
 * `anew`: they tore theirs down, and this one is to be torn down before theirs is adopted.
 */
export type Verdict = 'current' | 'stale' | 'foreign' | 'anew'

/** A connection number is a second of the start, and few teardowns: one so far ahead of the time is made up. */
const farthest = 2 ** 24

/**
 * Which connection of the one end is connected with which of the other. Both number theirs by themselves and upwards,
 * so neither waits for the other to know of a teardown.
 */
export class ConnectionNumbers {
  /** Mine: one more at each teardown. It begins with the time, above all that an earlier end may have used. */
  #mine: number
  /** The one of theirs that mine is connected with; 0: none yet. */
  #theirs = 0
  /** The highest of theirs that was torn down. */
  #buried = 0

  /** @param now milliseconds */
  constructor (now: number) {
    this.#mine = Math.floor(now / 1000)
  }

  get mine (): number {
    return this.#mine
  }

  get theirs (): number {
    return this.#theirs
  }

  get buried (): number {
    return this.#buried
  }

  /** The order of these questions is the protocol. */
  judge ({ src, dst }: ChannelHeader): Verdict {
    if (dst !== 0 && dst < this.#mine) {
      // They talk to one that I tore down. Theirs was bound to it for ever, and is dead with it.
      this.#buried = Math.max(this.#buried, src)
      return 'stale'
    }
    if (src <= this.#buried) return 'stale'
    if (dst > this.#mine || src < this.#theirs) return 'foreign'
    return src > this.#theirs && this.#theirs !== 0 ? 'anew' : 'current'
  }

  adopt (theirs: number): void {
    this.#theirs = theirs
  }

  /** The other node says up to which number mine are buried there. */
  raise (buried: number, now: number): void {
    if (!isMadeUp(buried, now)) this.#mine = Math.max(this.#mine, buried)
  }

  /** The next connection of mine, with none of theirs. @returns the one of theirs that is buried; 0: none */
  next (): number {
    const buried = this.#theirs
    this.#buried = Math.max(this.#buried, buried)
    this.#mine++
    this.#theirs = 0
    return buried
  }
}

/** Whether a connection number cannot be one. @param now milliseconds */
export function isMadeUp (number: number, now: number): boolean {
  return number > now / 1000 + farthest
}
