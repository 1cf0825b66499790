// A client of the protocol in docs/resume.md, on raw sockets, so that a test can do anything with
// it. It knows nothing of the code of the package.
import { once } from 'node:events'
import { connect } from 'node:net'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { handshake } from '../../helpers.js'
import { closeOf, frameOf } from '../../client-frames.js'
import type { Socket } from 'node:net'

/** A test, or anything else that closes its parts at the end. */
export interface Closing {
  teardown (close: () => void): void
}

export interface WireHello {
  readonly v: number
  readonly token?: string
  readonly window: number
  readonly from: number
  readonly received: number
  readonly resumed: boolean
  readonly why?: string
  readonly protocol: string
}

export interface WireOptions {
  readonly port: number
  readonly path?: string
  readonly headers?: Record<string, string>
  /** Protocols of the application. */
  readonly protocols?: readonly string[]
}

/** Destroys a socket with an RST. Node loses the handle of one that has begun to end. */
export function reset (socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}

/** Offers compression without a context, so that each message stands alone. */
export const compressing = {
  'sec-websocket-extensions':
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
}

/** RFC 7692: the end of each message that is not sent. */
const tail = Buffer.from([0, 0, 0xff, 0xff])
const sync = { finishFlush: constants.Z_SYNC_FLUSH }

/** One socket of a {@link WireClient}, with everything that it has received. */
export class WireSocket {
  readonly socket: Socket
  /** The head of the server's response. */
  head = ''
  hello: WireHello | undefined
  /** Data messages on this socket. */
  readonly data: string[] = []
  readonly acks: number[] = []
  /** Reports about invalid messages. */
  readonly reports: unknown[] = []
  /** The server has asked the client to leave. */
  advice: { readonly after: number, readonly by: number } | undefined
  /** Pongs so far. */
  pongs = 0
  close: { code: number | undefined, reason: string } | undefined
  /** The body of a response that is no 101. */
  body = ''
  isOpen = true
  #rest = Buffer.alloc(0)
  /** Bytes that came after `#rest`, while a large frame is not complete. */
  #later: Buffer[] = []
  #missing = 0
  #waiting: Array<() => void> = []
  #fragments: Buffer[] = []

  constructor (socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes) => { this.#receive(bytes) })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isOpen = false
      this.#notify()
    })
    socket.on('end', () => { socket.end() })
  }

  get status (): number {
    return Number(this.head.split(' ')[1])
  }

  /** A header of the response. */
  header (name: string): string | undefined {
    return new RegExp(`^${name}: (.*)\r$`, 'im').exec(this.head)?.[1]
  }

  /** Waits until the condition holds; rejects when the socket is closed before. */
  async until (holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (!this.isOpen) throw new Error(`closed: ${this.head}${this.body}`)
      await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    }
  }

  async closed (): Promise<void> {
    while (this.isOpen) await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
  }

  write (...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames))
  }

  /** Writes a text of the application, compressed if that was negotiated. */
  writeText (text: string): void {
    const escaped = text.startsWith('\u0000') ? `\u0000${text}` : text
    const rsv1 = this.header('sec-websocket-extensions') !== undefined
    const data = rsv1 ? deflateRawSync(escaped, sync).subarray(0, -tail.length) : escaped
    this.write(frameOf(1, data, { rsv1, mask: 0x12345678 }))
  }

  #notify (): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #receive (bytes: Buffer): void {
    this.#later.push(bytes)
    this.#missing -= bytes.length
    if (this.#missing > 0) return
    this.#rest = Buffer.concat([this.#rest, ...this.#later])
    this.#later = []
    if (this.head === '') {
      const end = this.#rest.indexOf('\r\n\r\n')
      if (end === -1) return
      this.head = this.#rest.toString('latin1', 0, end + 2)
      this.#rest = this.#rest.subarray(end + 4)
    }
    if (this.status === 101) this.#frames()
    else this.body = this.#rest.toString()
    this.#notify()
  }

  #frames (): void {
    for (;;) {
      const rest = this.#rest
      if (rest.length < 2) return
      const header = rest[1] < 126 ? 2 : rest[1] === 126 ? 4 : 10
      if (rest.length < header) return
      const length = header === 2
        ? rest[1]
        : header === 4 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
      if (rest.length < header + length) {
        this.#missing = header + length - rest.length
        return
      }
      const payload = rest.subarray(header, header + length)
      const isCompressed = (rest[0] & 0x40) !== 0
      this.#frame(
        rest[0] & 0x0f,
        isCompressed ? inflateRawSync(Buffer.concat([payload, tail]), sync) : payload
      )
      this.#rest = rest.subarray(header + length)
    }
  }

  #frame (opcode: number, payload: Buffer): void {
    if (opcode === 8) {
      this.close = payload.length === 0
        ? { code: undefined, reason: '' }
        : { code: payload.readUInt16BE(), reason: payload.toString('utf8', 2) }
      this.write(closeOf(this.close.code))
    } else if (opcode === 9) this.write(frameOf(10, payload))
    else if (opcode === 10) this.pongs++
    else if (opcode === 1 && payload[0] === 0 && payload[1] !== 0) this.#control(payload)
    else if (opcode === 1) this.data.push(payload.toString('utf8', payload[0] === 0 ? 1 : 0))
    else this.data.push(payload.toString('hex'))
  }

  #control (payload: Buffer): void {
    const text = payload.toString('utf8', 2)
    if (payload[1] === 0x68) this.hello = JSON.parse(text)
    else if (payload[1] === 0x61) this.acks.push(Number(text))
    else if (payload[1] === 0x72) this.advice = JSON.parse(text)
    else if (payload[1] === 0x65) this.reports.push(JSON.parse(text))
  }
}

/** Opens a socket to the server, and offers these protocols. */
export async function openWire (
  t: Closing, { port, path = '/ws', headers = {} }: WireOptions, offer: readonly string[]
): Promise<WireSocket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  t.teardown(() => { socket.destroy() })
  await once(socket, 'connect')
  const wire = new WireSocket(socket)
  const protocols = offer.length === 0 ? undefined : offer.join(', ')
  socket.write(handshake(path, { ...headers, 'sec-websocket-protocol': protocols }))
  await wire.until(() => wire.head !== '' && (wire.status !== 101 || wire.hello !== undefined ||
    offer[0] !== 'v1.ws-relay'))
  return wire
}

/** A session of the protocol, over any number of sockets. */
export class WireClient {
  /** All data messages of the session, in order. */
  readonly received: string[] = []
  readonly hellos: WireHello[] = []
  wire!: WireSocket
  token: string | undefined
  readonly #t: Closing
  readonly #options: WireOptions
  /** Messages that the server has not acknowledged. */
  #unacknowledged: Array<{ readonly number: number, readonly text: string }> = []
  #sent = 0
  /** Messages of the present socket that are in `received`. */
  #taken = 0
  #skip = 0

  constructor (t: Closing, options: WireOptions) {
    this.#t = t
    this.#options = options
  }

  get port (): number {
    return this.#options.port
  }

  /** Opens a socket, with the token of the last hello. It may cut the one before, or not. */
  async connect (changes: Partial<WireOptions> & { token?: string, received?: number } = {}):
  Promise<WireSocket> {
    this.take()
    const { token = this.token, received = this.received.length, ...options } = changes
    const resume = token === undefined ? [] : [`resume.ws-relay.${token}.${received}`]
    const headers = { ...this.#options.headers, ...options.headers }
    const all = { ...this.#options, ...options, headers }
    const offer = ['v1.ws-relay', ...resume, ...all.protocols ?? []]
    const wire = await openWire(this.#t, all, offer)
    if (wire.hello === undefined) return wire
    this.take()
    this.wire = wire
    this.hellos.push(wire.hello)
    this.token = wire.hello.token
    if (!wire.hello.resumed) {
      this.received.length = 0
      this.#unacknowledged = []
      this.#sent = 0
    }
    this.#taken = 0
    this.#skip = this.received.length + 1 - wire.hello.from
    this.#acknowledged(wire.hello.received)
    for (const { text } of this.#unacknowledged) wire.writeText(text)
    return wire
  }

  /** Takes the messages of the present socket. */
  take (): string[] {
    for (const text of this.wire?.data.slice(this.#taken) ?? []) {
      this.#taken++
      if (this.#skip > 0) this.#skip--
      else this.received.push(text)
    }
    return this.received
  }

  async until (holds: () => boolean): Promise<void> {
    await this.wire.until(() => {
      this.take()
      return holds()
    })
  }

  send (text: string): void {
    this.#unacknowledged.push({ number: ++this.#sent, text })
    if (this.wire.isOpen) this.wire.writeText(text)
  }

  ack (): void {
    this.wire.write(frameOf(1, `\u0000a${this.take().length}`))
  }

  ping (): void {
    this.wire.write(frameOf(1, '\u0000p'))
  }

  /** Destroys the socket without a close frame. */
  async cut (): Promise<void> {
    reset(this.wire.socket)
    await this.wire.closed()
    this.take()
  }

  #acknowledged (number: number): void {
    this.#unacknowledged = this.#unacknowledged.filter((one) => one.number > number)
  }
}
