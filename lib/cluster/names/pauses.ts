import { unavailableError } from '../errors.js'
import type { NodeContext } from '../context.js'

/** The waits inside calls of `register`. They all end when the node leaves the cluster. */
export class Pauses {
  readonly #context: NodeContext
  readonly #endings = new Set<() => void>()
  #closed = false

  constructor (context: NodeContext) {
    this.#context = context
  }

  get size (): number {
    return this.#endings.size
  }

  /** @throws `FST_CLUSTER_UNAVAILABLE` when the node leaves the cluster meanwhile */
  start (ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        timer.cancel()
        this.#endings.delete(end)
        if (this.#closed) reject(unavailableError('this node has left it'))
        else resolve()
      }
      const timer = this.#context.after(ms, end)
      this.#endings.add(end)
    })
  }

  /** Rejects every pause that is running. */
  close (): void {
    this.#closed = true
    for (const end of this.#endings) end()
  }
}
