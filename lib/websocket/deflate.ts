import * as wsExports from 'ws'
import { frame, opcodes } from './frames.js'
import { Sender } from './sender.js'
import type { Duplex } from 'node:stream'
import type { Flusher } from './sender.js'
import type { DeflateOptions } from '../../types/relay.js'

type Done = (err: (Error & { code?: string }) | null, data: Buffer) => void

/** What is used here of ws's implementation of RFC 7692. */
interface PerMessageDeflate {
  accept (offers: unknown[]): object
  compress (data: Buffer, fin: boolean, done: Done): void
  decompress (data: Buffer, fin: boolean, done: Done): void
  cleanup (): void
}

// Exported since ws 8.19; its types do not know them yet.
const ws = wsExports as unknown as {
  extension: { parse (header: string): Record<string, Record<string, unknown[]>[] | undefined>, format (extensions: object): string }
  PerMessageDeflate: { new (options: object): PerMessageDeflate }
}
/** Not `PerMessageDeflate.extensionName`: Bun's own `ws` lacks it, and this module must load there. */
const name = 'permessage-deflate'

/** permessage-deflate as it was agreed on with one client. */
export interface Deflate {
  /** The value of `Sec-WebSocket-Extensions` in the 101. */
  readonly response: string
  readonly codec: PerMessageDeflate
  /** Messages below this many bytes are sent as they are. */
  readonly threshold: number
}

/**
 * @param offer the request's `Sec-WebSocket-Extensions`
 * @returns undefined where the client offers nothing, or nothing that can be accepted
 */
export function negotiate (offer: string | undefined, options: boolean | DeflateOptions, maxPayload: number): Deflate | undefined {
  if (options === false || offer === undefined) return undefined
  const given = options === true ? {} : options
  for (const parameters of offersIn(offer)) {
    const codec = new ws.PerMessageDeflate({ ...given, isServer: true, maxPayload })
    try {
      const response = ws.extension.format({ [name]: [codec.accept([parameters])] })
      return { response, codec, threshold: given.threshold ?? 1024 }
    } catch {
      // RFC 7692 section 5.1: an offer that cannot be accepted is declined, and the next one is looked at.
    }
  }
  return undefined
}

/** The offers of permessage-deflate, in the client's order of preference. A malformed header has none. */
function offersIn (header: string): Record<string, unknown[]>[] {
  try {
    return ws.extension.parse(header)[name]?.filter(hasValidWindows) ?? []
  } catch {
    return []
  }
}

/** RFC 7692 section 7.1.2: 8 to 15, in decimal without leading zeroes. ws takes `08` and `1e1`, too. */
function hasValidWindows (offer: Record<string, unknown[]>): boolean {
  return ['server_max_window_bits', 'client_max_window_bits'].every((name) =>
    (offer[name] ?? []).every((bits) => bits === true || /^(?:[89]|1[0-5])$/.test(String(bits))))
}

/** An outbox whose larger messages are deflated on their way: in order, one at a time. */
export class DeflatingSender extends Sender {
  readonly #deflate: Deflate
  #queue: { readonly frame: Buffer, readonly written: (() => void) | undefined }[] = []
  #queuedBytes = 0
  #isCompressing = false
  #onAllCompressed: (() => void) | undefined

  constructor (socket: Duplex, flusher: Flusher, deflate: Deflate) {
    super(socket, flusher)
    this.#deflate = deflate
  }

  override get bufferedBytes (): number {
    return super.bufferedBytes + this.#queuedBytes
  }

  protected override bufferEmptied (): void {
    if (this.#queuedBytes === 0) super.bufferEmptied()
  }

  override sendFrame (frame: Buffer, written?: () => void): void {
    this.#queue.push({ frame, written })
    this.#queuedBytes += frame.length
    if (!this.#isCompressing) this.#compressNext()
  }

  override whenFlushed (last: () => void): void {
    if (this.#queue.length === 0) super.whenFlushed(last)
    else this.#onAllCompressed = last
  }

  #compressNext (): void {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const payload = payloadOf(first.frame)
      if (payload === undefined || payload.length < this.#deflate.threshold) this.#sendProcessed(first.frame)
      else {
        this.#isCompressing = true
        const opcode = first.frame[0] & 0x0f
        this.#deflate.codec.compress(payload, true, (err, data) => {
          this.#isCompressing = false
          // The codec was closed with the connection.
          if (err) {
            this.#queue = []
            this.#queuedBytes = 0
          } else {
            this.#sendProcessed(frame(opcode, data, true))
            this.#compressNext()
          }
        })
        return
      }
    }
    const last = this.#onAllCompressed
    this.#onAllCompressed = undefined
    if (last !== undefined) super.whenFlushed(last)
  }

  #sendProcessed (bytes: Buffer): void {
    const { frame, written } = this.#queue.shift()!
    this.#queuedBytes -= frame.length
    super.sendFrame(bytes, written)
  }
}

/** The payload of one of our own frames; undefined for a control frame, which is never deflated. */
function payloadOf (bytes: Buffer): Buffer | undefined {
  if ((bytes[0] & 0x0f) > opcodes.binary) return undefined
  const short = bytes[1]
  return bytes.subarray(short < 126 ? 2 : short === 126 ? 4 : 10)
}
