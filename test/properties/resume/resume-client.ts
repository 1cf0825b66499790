// A client of the protocol in docs/resume.md, and its sockets, without a network. A test moves each
// byte.
import { Duplex } from 'node:stream'
import { frameOf } from '../../client-frames.js'
import { equal } from '../suite.js'

/** A socket between the server and a client. The bytes of both directions wait until they move. */
export class Link extends Duplex {
  #up = Buffer.alloc(0)
  #down = Buffer.alloc(0)
  /** Bytes that the server has written. */
  writtenBytes = 0
  /** The client does not use it any more. The server may not know. */
  isLeft = false
  /** Complete messages of the client that the server has. */
  arrivedMessages = 0
  #seenMessages = 0
  readonly #messageEnds: number[] = []
  #sentBytes = 0
  #movedBytes = 0
  #onBytes: (bytes: Buffer) => void

  constructor (onBytes: (bytes: Buffer) => void) {
    super({ highWaterMark: 512 })
    this.#onBytes = onBytes
    this.on('error', () => {})
  }

  override _read (): void {}

  override _write (chunk: Buffer, _encoding: string, done: () => void): void {
    this.writtenBytes += chunk.length
    if (!this.isLeft) this.#down = Buffer.concat([this.#down, chunk])
    done()
  }

  /** Whether a message has arrived since the last call. */
  hasNewMessage (): boolean {
    const isNew = this.arrivedMessages > this.#seenMessages
    this.#seenMessages = this.arrivedMessages
    return isNew
  }

  /** The client writes a message. */
  write_ (frame: Buffer): void {
    this.#sentBytes += frame.length
    this.#messageEnds.push(this.#sentBytes)
    this.#up = Buffer.concat([this.#up, frame])
  }

  /** Moves bytes from the client to the server. */
  moveUp (count = Infinity): void {
    if (this.destroyed || this.readableEnded || this.#up.length === 0) return
    const bytes = this.#up.subarray(0, count)
    this.#up = this.#up.subarray(bytes.length)
    this.#movedBytes += bytes.length
    this.arrivedMessages = this.#messageEnds.filter((end) => end <= this.#movedBytes).length
    this.push(Buffer.from(bytes))
  }

  /** Moves bytes from the server to the client. */
  moveDown (count = Infinity): void {
    if (this.isLeft || this.#down.length === 0) return
    const bytes = this.#down.subarray(0, count)
    this.#down = this.#down.subarray(bytes.length)
    this.#onBytes(bytes)
  }

  /** The client has gone. The server does not know yet. */
  leave (): void {
    this.isLeft = true
    this.#up = this.#down = Buffer.alloc(0)
  }

  /** The server notices that the client has gone. */
  reset (): void {
    this.leave()
    this.destroy(new Error('read ECONNRESET'))
  }
}

export interface ModelHello {
  readonly token: string
  readonly from: number
  readonly received: number
  readonly resumed: boolean
  readonly why?: string
}

/** The client's half of one session. */
export class ModelClient {
  /** The data messages of the session, over all sockets. */
  received: string[] = []
  /** All that it has sent in the session. */
  sent: string[] = []
  token: string | undefined
  /** Tokens that a message on a later socket has retired. */
  readonly retired: string[] = []
  link: Link | undefined
  onReset: (hello: ModelHello) => void = () => {}
  /** Messages up to this number need not be sent again. */
  #acknowledged = 0
  /** Tokens of earlier hellos. The last one may still be valid. */
  #replaced: string[] = []
  #hasHello = false
  #skip = 0
  #rest: Buffer<ArrayBufferLike> = Buffer.alloc(0)

  /** The server has a message on this socket: only the token of its hello is valid. */
  retire (link: Link): void {
    if (link === this.link) this.retired.push(...this.#replaced.splice(0))
  }

  /** A new socket takes the place of the present one. */
  use (): Link {
    const link: Link = new Link((bytes) => { if (this.link === link) this.#receive(bytes) })
    this.link?.leave()
    this.link = link
    this.#hasHello = false
    this.#rest = Buffer.alloc(0)
    return link
  }

  send (text: string): void {
    this.sent.push(text)
    if (this.#hasHello) this.#write(text)
  }

  ack (): void {
    this.#control(`a${this.received.length}`)
  }

  ping (): void {
    this.#control('p')
  }

  #control (text: string): void {
    if (this.#hasHello && this.link?.isLeft === false) this.link.write_(frameOf(1, `\u0000${text}`))
  }

  #write (text: string): void {
    const escaped = text.startsWith('\u0000') ? `\u0000${text}` : text
    if (this.link?.isLeft === false) this.link.write_(frameOf(1, escaped))
  }

  #receive (bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes])
    for (;;) {
      const rest = this.#rest
      if (rest.length < 2) return
      const header = rest[1] < 126 ? 2 : 4
      if (rest.length < header) return
      const length = header === 2 ? rest[1] : rest.readUInt16BE(2)
      if (rest.length < header + length) return
      this.#rest = rest.subarray(header + length)
      if ((rest[0] & 0x0f) === 1) this.#message(rest.toString('utf8', header, header + length))
    }
  }

  #message (text: string): void {
    if (!this.#hasHello) return this.#hello(JSON.parse(text.slice(2)))
    if (text.startsWith('\u0000a')) {
      const number = Number(text.slice(2))
      equal(number <= this.sent.length, true, 'an acknowledgement of what was not sent')
      equal(number >= this.#acknowledged, true, 'an acknowledgement that goes back')
      this.#acknowledged = number
    } else if (text.startsWith('\u0000r')) {
      // Advice to come back on another socket. A step does so, or not.
    } else if (this.#skip > 0) this.#skip--
    else this.received.push(text.startsWith('\u0000') ? text.slice(1) : text)
  }

  #hello (hello: ModelHello): void {
    this.#hasHello = true
    if (!hello.resumed) {
      this.onReset(hello)
      this.received = []
      this.sent = []
      this.#acknowledged = 0
    }
    if (this.token !== undefined) this.#replaced.push(this.token)
    this.token = hello.token
    this.#skip = this.received.length + 1 - hello.from
    equal(this.#skip >= 0, true, 'a gap before the first message')
    equal(hello.received >= this.#acknowledged, true, 'messages that are not received any more')
    equal(hello.received <= this.sent.length, true, 'messages that were not sent')
    this.#acknowledged = hello.received
    for (const sent of this.sent.slice(hello.received)) this.#write(sent)
    this.ack()
  }
}
