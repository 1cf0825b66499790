// A WebSocket client of a node. Its target echoes each message.
import { EventEmitter, once } from 'node:events'
import { WebSocket } from 'ws'
import { within } from './host.js'

export class Client {
  readonly received: string[] = []
  /** Resolves with code and reason of the close frame, as a text. */
  readonly closed: Promise<string>
  readonly #socket: WebSocket
  readonly #news = new EventEmitter()
  #said = 0
  /** Code and reason of the close frame; undefined while the socket is open. */
  end: string | undefined

  private constructor (socket: WebSocket) {
    this.#socket = socket
    // A `close` event follows each error.
    socket.on('error', () => {})
    socket.on('message', (data) => {
      this.received.push(String(data))
      this.#news.emit('message')
    })
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        resolve((this.end = `${code} ${String(reason)}`.trim()))
      })
    })
  }

  static async open (port: number, target: string): Promise<Client> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/?target=${encodeURIComponent(target)}`)
    const client = new Client(socket)
    await once(socket, 'open')
    return client
  }

  /** Sends the next number. */
  sendNext (): void {
    this.#socket.send(String(++this.#said))
  }

  /** Resolves when every message was echoed, or the socket is closed. */
  async untilEchoed (): Promise<void> {
    const all = (async () => {
      while (this.received.length < this.#said && this.end === undefined) {
        await Promise.race([once(this.#news, 'message'), this.closed])
      }
    })()
    await within(all, () => `a client sent ${this.#said} and received ${this.received.join()}`)
  }

  /** Whether every message was echoed once and in order, and the socket is still open. */
  get undisturbed (): boolean {
    return (
      this.end === undefined &&
      this.received.length === this.#said &&
      this.received.every((text, i) => text === String(i + 1))
    )
  }

  async untilClosed (): Promise<string> {
    return await within(this.closed, () => 'a client was never closed')
  }

  terminate (): void {
    this.#socket.terminate()
  }
}
