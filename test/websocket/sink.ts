// A socket that records each write, and a sender that writes to it.
import { Duplex } from 'node:stream'
import { nodeClock } from '../../lib/shared/clock.js'
import { Flusher, Sender } from '../../lib/websocket/sender.js'

/** A socket that writes at once while it is open, else when `go` is called. */
export class Sink extends Duplex {
  readonly chunks: Buffer[] = []
  /** How often it was written to. A vector counts once. */
  writes = 0
  open = true
  #pending: (() => void) | undefined

  constructor () {
    super({ highWaterMark: 1000 })
    this.on('error', () => {})
  }

  override _read (): void {}

  override _write (chunk: Buffer, _encoding: string, done: (err?: Error) => void): void {
    this.#take([chunk], done)
  }

  override _writev (items: Array<{ chunk: Buffer }>, done: (err?: Error) => void): void {
    this.#take(items.map(({ chunk }) => chunk), done)
  }

  #take (chunks: Buffer[], done: () => void): void {
    this.writes++
    this.chunks.push(...chunks)
    if (this.open) done()
    else this.#pending = done
  }

  /** Finishes the pending write. */
  go (): void {
    const pending = this.#pending
    this.#pending = undefined
    pending?.()
  }

  get bytes (): string {
    return Buffer.concat(this.chunks).toString()
  }
}

export function build (busy?: () => boolean) {
  const sink = new Sink()
  const flusher = new Flusher(nodeClock, busy)
  const sender = new Sender(sink, flusher)
  sink.on('drain', () => { sender.socketDrained() })
  return { sink, flusher, sender }
}

export function turn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}
