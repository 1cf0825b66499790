// A user: a WebSocket to a node, whose target echoes what it is told.
import { EventEmitter, once } from 'node:events'
import { WebSocket } from 'ws'
import { within } from './host.js'

export class Client {
  readonly heard: string[] = []
  /** How it ended: the code and the reason of the close frame, as a text. */
  readonly closed: Promise<string>
  readonly #socket: WebSocket
  readonly #news = new EventEmitter()
  #said = 0
  /** What it is told when its socket ends; undefined: it has not ended. */
  end: string | undefined

  private constructor (socket: WebSocket) {
    this.#socket = socket
    // The close that follows tells.
    socket.on('error', () => {})
    socket.on('message', (data) => {
      this.heard.push(String(data))
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

  /** Says the next number. */
  say (): void {
    this.#socket.send(String(++this.#said))
  }

  /** Resolves when everything it said was answered. */
  async answered (): Promise<void> {
    const all = (async () => {
      while (this.heard.length < this.#said && this.end === undefined) {
        await Promise.race([once(this.#news, 'message'), this.closed])
      }
    })()
    await within(all, () => `a client said ${this.#said} and heard ${this.heard.join()}`)
  }

  /** Whether it heard what it said, once each and in order, and is still there. */
  get undisturbed (): boolean {
    return (
      this.end === undefined &&
      this.heard.length === this.#said &&
      this.heard.every((text, i) => text === String(i + 1))
    )
  }

  async ended (): Promise<string> {
    return await within(this.closed, () => 'a client was never closed')
  }

  terminate (): void {
    this.#socket.terminate()
  }
}
