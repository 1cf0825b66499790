import type { Duplex } from 'node:stream'
import type { Context } from '../shared/context.js'

/** Milliseconds between two looks at each pending handshake: a client that leaves has a second. */
const interval = 250

/** A handshake, as far as the timer and the closing server deal with it. */
export interface PendingHandshake {
  readonly socket: Duplex
  checkSocket (): void
  serverCloses (): void
}

/** The upgrades of a server that have no complete answer yet. Looks at them a few times a second. */
export class PendingHandshakes {
  readonly #all = new Set<PendingHandshake>()
  /** The timer is one for many requests: it runs in the context of none. */
  readonly #context: Context
  #timer: NodeJS.Timeout | undefined

  constructor (context: Context) {
    this.#context = context
  }

  add (handshake: PendingHandshake): void {
    this.#all.add(handshake)
    this.#timer ??= this.#context.start(setInterval, () => { for (const one of this.#all) one.checkSocket() }, interval)
  }

  delete (handshake: PendingHandshake): void {
    this.#all.delete(handshake)
    if (this.#all.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** The server closes. */
  close (): void {
    for (const handshake of [...this.#all]) handshake.serverCloses()
  }
}
