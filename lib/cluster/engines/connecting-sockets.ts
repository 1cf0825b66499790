import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/**
 * The sockets that a client opens while it connects. The client of NATS forgets one that was
 * accepted and never greeted, as by a frozen server: it would keep this process alive, and there
 * would be one more for each try.
 */
export class ConnectingSockets {
  readonly #open = new Set<Socket>()
  readonly #abort = new AbortController()

  /** For sockets that are TLS from their first byte, which Node does not tell of: an option of theirs. */
  get signal (): AbortSignal {
    return this.#abort.signal
  }

  /** Keeps what is opened by `connect`, and by what it starts, until it settles. */
  async trackDuring<T> (connect: () => Promise<T>): Promise<T> {
    const mine = new AsyncLocalStorage<ConnectingSockets>()
    const keep = (message: unknown): void => {
      if (mine.getStore() === this) this.#track((message as { socket: Socket }).socket)
    }
    subscribe('net.client.socket', keep)
    try {
      return await mine.run(this, connect)
    } finally {
      unsubscribe('net.client.socket', keep)
      // It costs every promise of the process something for as long as it is in use.
      mine.disable()
    }
  }

  destroy (): void {
    this.#abort.abort()
    for (const socket of this.#open) socket.destroy()
  }

  #track (socket: Socket): void {
    // It is told before it connects: one that is destroyed now would be opened again.
    if (this.#abort.signal.aborted) process.nextTick(() => { socket.destroy() })
    this.#open.add(socket)
    socket.once('close', () => { this.#open.delete(socket) })
  }
}
