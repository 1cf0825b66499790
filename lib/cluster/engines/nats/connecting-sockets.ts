import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/**
 * Tracks the sockets that a client opens while it connects, and can destroy them. The NATS client
 * forgets a socket if the server accepts it and then does not greet, for example because it is
 * frozen. Such a socket keeps the OS process alive, and each attempt would leave one more.
 */
export class ConnectingSockets {
  readonly #open = new Set<Socket>()
  readonly #abort = new AbortController()

  /** An option for sockets that begin with TLS: Node publishes no diagnostics event for these. */
  get signal (): AbortSignal {
    return this.#abort.signal
  }

  /** Tracks the sockets that are opened while `connect` runs, by it or in its async context. */
  async trackDuring<T> (connect: () => Promise<T>): Promise<T> {
    const mine = new AsyncLocalStorage<ConnectingSockets>()
    const keep = (message: unknown): void => {
      const { socket } = message as { socket: Socket }
      if (mine.getStore() === this) this.#track(socket)
    }
    subscribe('net.client.socket', keep)
    try {
      return await mine.run(this, connect)
    } finally {
      unsubscribe('net.client.socket', keep)
      // An enabled store makes every promise of the OS process slower.
      mine.disable()
    }
  }

  destroy (): void {
    this.#abort.abort()
    for (const socket of this.#open) socket.destroy()
  }

  #track (socket: Socket): void {
    // The event comes before the socket connects: a socket destroyed now would be opened again.
    if (this.#abort.signal.aborted) process.nextTick(() => { socket.destroy() })
    this.#open.add(socket)
    socket.once('close', () => { this.#open.delete(socket) })
  }
}
