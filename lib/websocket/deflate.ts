import * as wsExports from 'ws'
import { frame, opcodeOf, opcodes, payloadStart } from './frames.js'
import { Sender } from './sender.js'
import type { Slice } from '../shared/slice.js'
import type { Duplex } from 'node:stream'
import type { Flusher } from './sender.js'
import type { DeflateOptions } from '../../types/relay.js'

type Done = (err: (Error & { code?: string }) | null, data: Buffer) => void
type Parameters = Record<string, unknown[]>

/** The part of ws's implementation of RFC 7692 that is used here. */
interface PerMessageDeflate {
  accept (offers: unknown[]): object
  compress (data: Buffer, fin: boolean, done: Done): void
  decompress (data: Buffer, fin: boolean, done: Done): void
  cleanup (): void
}

// ws exports them since 8.19, but @types/ws does not have them.
const ws = wsExports as unknown as {
  extension: {
    parse (header: string): Record<string, Parameters[] | undefined>
    format (extensions: object): string
  }
  PerMessageDeflate: { new (options: object): PerMessageDeflate }
}
/**
 * Not `PerMessageDeflate.extensionName`, which Bun's own `ws` lacks: this module must load there.
 */
const name = 'permessage-deflate'

/** permessage-deflate as negotiated with one client. */
export interface Deflate {
  /** The value of `Sec-WebSocket-Extensions` in the 101. */
  readonly response: string
  readonly codec: PerMessageDeflate
  /** Messages below this many bytes are not compressed. */
  readonly threshold: number
}

/**
 * @param offer the request's `Sec-WebSocket-Extensions`
 * @returns undefined if the client offers nothing, or nothing that can be accepted
 */
export function negotiate (
  offer: string | undefined, options: boolean | DeflateOptions, maxPayload: number
): Deflate | undefined {
  if (options === false || offer === undefined) return undefined
  const given = options === true ? {} : options
  for (const parameters of offersIn(offer)) {
    const codec = new ws.PerMessageDeflate({ ...given, isServer: true, maxPayload })
    try {
      const response = ws.extension.format({ [name]: [codec.accept([parameters])] })
      return { response, codec, threshold: given.threshold ?? 1024 }
    } catch {
      // RFC 7692 section 5.1: an offer that cannot be accepted is declined. The next one is tried.
    }
  }
  return undefined
}

/** Returns the offers of permessage-deflate in the client's order. A malformed header has none. */
function offersIn (header: string): Parameters[] {
  try {
    return ws.extension.parse(header)[name]?.filter(hasValidWindows) ?? []
  } catch {
    return []
  }
}

/**
 * Whether the windows are 8 to 15, in decimal without leading zeroes (RFC 7692 section 7.1.2). ws
 * would accept `08` and `1e1`, too.
 */
function hasValidWindows (offer: Parameters): boolean {
  return ['server_max_window_bits', 'client_max_window_bits'].every((name) =>
    (offer[name] ?? []).every((bits) => bits === true || /^(?:[89]|1[0-5])$/.test(String(bits))))
}

/** A sender that compresses the larger messages, one at a time and in order. */
export class DeflatingSender extends Sender {
  readonly #deflate: Deflate
  #uncompressed: { readonly frame: Slice, readonly written: (() => void) | undefined }[] = []
  #uncompressedBytes = 0
  #isCompressing = false
  #onAllCompressed: (() => void) | undefined

  constructor (socket: Duplex, flusher: Flusher, deflate: Deflate) {
    super(socket, flusher)
    this.#deflate = deflate
  }

  override get bufferedBytes (): number {
    return super.bufferedBytes + this.#uncompressedBytes
  }

  protected override bufferEmptied (): void {
    if (this.#uncompressedBytes === 0) super.bufferEmptied()
  }

  override sendEncoded (frame: Slice, written?: () => void): void {
    this.#uncompressed.push({ frame, written })
    this.#uncompressedBytes += frame.length
    if (!this.#isCompressing) this.#compressNext()
  }

  override whenFlushed (flushed: () => void): void {
    if (this.#uncompressed.length === 0) super.whenFlushed(flushed)
    else this.#onAllCompressed = flushed
  }

  #compressNext (): void {
    for (let first = this.#uncompressed[0]; first !== undefined; first = this.#uncompressed[0]) {
      const payload = payloadOf(first.frame)
      if (payload === undefined || payload.length < this.#deflate.threshold) {
        this.#sendProcessed(first.frame)
      } else {
        this.#isCompressing = true
        const opcode = opcodeOf(first.frame)
        this.#deflate.codec.compress(payload, true, (err, data) => {
          this.#isCompressing = false
          // The codec was closed together with the connection.
          if (err) {
            this.#uncompressed = []
            this.#uncompressedBytes = 0
          } else {
            this.#sendProcessed(frame(opcode, data, true))
            this.#compressNext()
          }
        })
        return
      }
    }
    const flushed = this.#onAllCompressed
    this.#onAllCompressed = undefined
    if (flushed !== undefined) super.whenFlushed(flushed)
  }

  #sendProcessed (processed: Slice): void {
    const { frame, written } = this.#uncompressed.shift()!
    this.#uncompressedBytes -= frame.length
    super.sendEncoded(processed, written)
  }
}

/**
 * Returns the payload of a frame of this server; undefined for a control frame, never compressed.
 */
function payloadOf (frame: Slice): Buffer | undefined {
  if (opcodeOf(frame) > opcodes.binary) return undefined
  return frame.memory.subarray(payloadStart(frame), frame.end)
}
