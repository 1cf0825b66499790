// A client on a bare socket, which can also break the protocol.
import { once } from 'node:events'
import { connect } from 'node:net'
import { opcodes } from '../../../lib/websocket/frames.js'
import { closeOf, frameOf, textOf } from '../../client-frames.js'
import { handshake, until } from '../../helpers.js'
import type { Socket } from 'node:net'
import type { Test } from 'tap'
import type { RelayConfig } from '../../../types/relay.js'

/** The close frame that a client received, or 1006 when there was none. */
export interface Seen { code: number | undefined, reason: string }

/** A client on a bare socket. */
export class Peer {
  readonly socket: Socket
  readonly frames: Array<{ opcode: number, payload: Buffer, rsv1: boolean }> = []
  /** Whether it answers a close frame, as RFC 6455 requires. */
  answersClose = true
  answersPings = true
  seen: Seen | undefined
  /** The HTTP response to its handshake, without the empty line. */
  head = ''
  /** Whether the server has ended its side, or the socket is closed. */
  gone = false
  /** The chunks of an incomplete frame. They are joined when enough bytes have arrived. */
  #chunks: Buffer[] = []
  #length = 0
  #wanted = 2
  #sentClose = false

  constructor (socket: Socket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('end', () => { this.gone = true })
    socket.on('close', () => { this.gone = true })
  }

  get texts (): string[] {
    return this.frames
      .filter(({ opcode }) => opcode === opcodes.text)
      .map(({ payload }) => payload.toString())
  }

  count (opcode: number): number {
    return this.frames.filter((frame) => frame.opcode === opcode).length
  }

  write (...frames: Buffer[]): this {
    this.socket.write(Buffer.concat(frames))
    return this
  }

  text (data: string): this {
    return this.write(textOf(data))
  }

  close (code?: number, reason?: string): this {
    this.#sentClose = true
    return this.write(closeOf(code, reason))
  }

  /** Ends the socket without a close frame. */
  fin (): void {
    this.socket.end()
  }

  rst (): void {
    // Node ignores resetAndDestroy() on a socket that is already ending.
    if (this.socket.writableEnded) this.socket.destroy()
    else this.socket.resetAndDestroy()
  }

  /** Resolves with the received close frame when the socket is closed. */
  async end (): Promise<Seen> {
    await until(() => this.gone)
    return this.seen ?? { code: 1006, reason: '' }
  }

  /** Reads the response to the handshake, then frames. Rejects when the status is not 101. */
  async open (): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      let come = Buffer.alloc(0)
      const onHead = (bytes: Buffer): void => {
        come = Buffer.concat([come, bytes])
        const end = come.indexOf('\r\n\r\n')
        if (end === -1) return
        this.socket.off('data', onHead)
        const head = come.toString('latin1', 0, end)
        const rest = come.subarray(end + 4)
        this.head = head
        if (!head.startsWith('HTTP/1.1 101')) {
          reject(new Error(head))
          return
        }
        this.socket.on('data', (more) => { this.#read(more) })
        if (rest.length > 0) this.#read(rest)
        resolve()
      }
      this.socket.on('data', onHead)
      this.socket.once('close', () => { reject(new Error('closed')) })
    })
    return this
  }

  #read (bytes: Buffer): void {
    this.#chunks.push(bytes)
    this.#length += bytes.length
    if (this.#length < this.#wanted) return
    let rest = Buffer.concat(this.#chunks)
    for (;;) {
      this.#wanted = 2
      const short = rest.length < 2 ? -1 : rest[1]
      const header = short < 126 ? 2 : short === 126 ? 4 : 10
      if (short === -1) break
      this.#wanted = header
      if (rest.length < header) break
      const length =
        short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
      this.#wanted = header + length
      if (rest.length < this.#wanted) break
      this.#take(rest[0], rest.subarray(header, header + length))
      rest = rest.subarray(header + length)
    }
    this.#chunks = [rest]
    this.#length = rest.length
  }

  #take (first: number, payload: Buffer): void {
    const opcode = first & 0x0f
    this.frames.push({ opcode, payload, rsv1: (first & 0x40) !== 0 })
    if (opcode === opcodes.ping && this.answersPings) this.write(frameOf(opcodes.pong, payload))
    if (opcode !== opcodes.close) return
    this.seen =
      payload.length === 0
        ? { code: undefined, reason: '' }
        : { code: payload.readUInt16BE(), reason: payload.toString('utf8', 2) }
    if (this.answersClose && !this.#sentClose) this.close(this.seen.code)
  }
}

/** Connects a client with a relay config, or at a path of the application. */
export async function connectTo (
  t: Test,
  { port }: { port: number },
  config: RelayConfig | string,
  { early = Buffer.alloc(0), headers = {}, reads = true } = {}
): Promise<Peer> {
  const socket = connect({ port, host: '127.0.0.1' })
  t.teardown(() => {
    socket.destroy()
  })
  await once(socket, 'connect')
  const peer = new Peer(socket)
  const opened = peer.open()
  const path =
    typeof config === 'string' ? config : `/?relay=${encodeURIComponent(JSON.stringify(config))}`
  peer.write(Buffer.from(handshake(path, headers)), early)
  await opened
  if (!reads) socket.pause()
  return peer
}
