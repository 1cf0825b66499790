import { Duplex } from 'node:stream'
import { opcodes } from '../../../lib/websocket/frames.js'
import { frameOf } from '../../client-frames.js'

/** A socket without a network, with its client. */
export class FakeClient extends Duplex {
  /** Whether it answers pings. */
  answers = true
  /** Whether it answers a close frame, as RFC 6455 requires. */
  answersClose = false
  readonly texts: string[] = []
  readonly pongs: Buffer[] = []
  pings = 0
  /** The received close frame. An empty one has no code. */
  seen: { code: number | undefined, reason: string } | undefined
  /** The number of frames after the close frame. It must be 0. */
  late = 0
  /** Whether it has ended its side. */
  silent = false
  #open = true
  #pending: Array<() => void> = []
  #rest = Buffer.alloc(0)

  constructor () {
    super({ highWaterMark: 512 })
  }

  override _read (): void {}

  override _write (chunk: Buffer, _encoding: string, done: () => void): void {
    const taken = (): void => {
      this.#take(chunk)
      done()
    }
    if (this.#open) taken()
    else this.#pending.push(taken)
  }

  /** The client sends bytes. */
  sends (...frames: Buffer[]): void {
    if (!this.silent && !this.destroyed) {
      for (const bytes of frames) if (bytes.length > 0) this.push(bytes)
    }
  }

  /** The client ends its side. */
  ends (): void {
    if (!this.silent && !this.destroyed) this.push(null)
    this.silent = true
  }

  resets (): void {
    this.silent = true
    this.destroy(new Error('read ECONNRESET'))
  }

  /** Stops reading until {@link reads}. */
  stalls (): void {
    this.#open = false
  }

  reads (): void {
    this.#open = true
    for (const taken of this.#pending.splice(0)) taken()
  }

  #take (chunk: Buffer): void {
    let rest = Buffer.concat([this.#rest, chunk])
    while (rest.length >= 2) {
      const short = rest[1]
      const header = short < 126 ? 2 : short === 126 ? 4 : 10
      if (rest.length < header) break
      const length =
        short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2))
      if (rest.length < header + length) break
      this.#frame(rest[0] & 0x0f, rest.subarray(header, header + length))
      rest = rest.subarray(header + length)
    }
    this.#rest = rest
  }

  #frame (opcode: number, payload: Buffer): void {
    if (this.seen !== undefined) this.late++
    if (opcode === opcodes.text) this.texts.push(payload.toString())
    else if (opcode === opcodes.pong) this.pongs.push(Buffer.from(payload))
    else if (opcode === opcodes.ping) {
      this.pings++
      if (this.answers) process.nextTick(() => { this.sends(frameOf(opcodes.pong, payload)) })
    } else if (opcode === opcodes.close) {
      this.seen =
        payload.length === 0
          ? { code: undefined, reason: '' }
          : { code: payload.readUInt16BE(), reason: payload.toString('utf8', 2) }
      if (this.answersClose) {
        process.nextTick(() => { this.sends(frameOf(opcodes.close, payload)) })
      }
    }
  }
}
