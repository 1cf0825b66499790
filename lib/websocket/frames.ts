import { isUtf8 } from 'node:buffer'

/** The opcodes of RFC 6455 section 5.2. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** Close code meaning "the close frame carried none"; never on the wire. */
export const noCode = 1005

const maxReasonBytes = 123
const fin = 0x80
const rsv1Bit = 0x40

// Up to here a loop over the characters beats one call into C++ to count and one to write.
const maxLoopLength = 40

// Node's pool has 8 KiB: it wastes much of them on frames above 2 KiB, and makes a buffer of its own
// for those above 4, which costs more than to write them. A slab serves up to 32 of these; a frame
// that has to wait keeps its slab, as it would a pool.
const slabSize = 64 * 1024
const minSlabFrame = 2 * 1024
const maxSlabFrame = 16 * 1024

const empty = Buffer.alloc(0)
let slab = empty
let slabUsed = 0

function allocate (size: number): Buffer {
  if (size < minSlabFrame || size > maxSlabFrame) return Buffer.allocUnsafe(size)
  if (slabUsed + size > slab.length) {
    slab = Buffer.allocUnsafeSlow(slabSize)
    slabUsed = 0
  }
  const piece = slab.subarray(slabUsed, slabUsed + size)
  // The next one begins at a word again.
  slabUsed += size + 7 & ~7
  return piece
}

/** One final, unmasked frame: the payload is copied, so the caller may write to its bytes afterwards. */
export function frame (opcode: number, payload: Uint8Array, rsv1 = false): Buffer {
  const { length } = payload
  const target = allocate(headerSize(length) + length)
  const start = writeHeader(target, rsv1 ? opcode | rsv1Bit : opcode, length)
  // A detached buffer has no bytes, but `set` throws on it.
  if (length > 0) target.set(payload, start)
  return target
}

/** A text frame. A lone surrogate becomes U+FFFD, so that what is sent is always UTF-8. */
export function textFrame (text: string): Buffer {
  return stringFrame(opcodes.text, text)
}

/** A text frame of bytes that are text already; undefined when they are not UTF-8. */
export function textFrameFromBytes (data: Uint8Array): Buffer | undefined {
  const whole = frame(opcodes.text, data)
  // The copy is checked: shared memory may change in between.
  return isUtf8(whole.subarray(whole.length - data.length)) ? whole : undefined
}

/** A binary frame; a string is sent as its UTF-8 bytes. */
export function binaryFrame (data: Uint8Array | string): Buffer {
  return typeof data === 'string' ? stringFrame(opcodes.binary, data) : frame(opcodes.binary, data)
}

const emptyPing = frame(opcodes.ping, empty)

/** A ping of at most 125 bytes. */
export function pingFrame (data?: Uint8Array): Buffer {
  return data === undefined ? emptyPing : frame(opcodes.ping, data)
}

/** A pong of at most 125 bytes. */
export function pongFrame (data: Uint8Array): Buffer {
  return frame(opcodes.pong, data)
}

/** A close frame; with {@link noCode} it is empty. A reason that is too long is cut. */
export function closeFrame (code: number, reason: string): Buffer {
  if (code === noCode) return frame(opcodes.close, empty)
  const text = Buffer.from(cutReason(reason))
  const payload = Buffer.allocUnsafe(2 + text.length)
  payload.writeUInt16BE(code)
  payload.set(text, 2)
  return frame(opcodes.close, payload)
}

/** As much of a close reason as a close frame holds: 123 bytes of UTF-8, cut between two characters. */
export function cutReason (reason: string): string {
  // No UTF-16 unit takes less than a byte, so what stands behind is not encoded at all.
  const bytes = Buffer.from(reason.slice(0, maxReasonBytes + 1))
  if (bytes.length <= maxReasonBytes) return reason
  let end = maxReasonBytes
  while ((bytes[end] & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}

/** Whether a close frame may carry this code (RFC 6455 section 7.4). */
export function maySendCode (code: unknown): code is number {
  return typeof code === 'number' && Number.isInteger(code) &&
    ((code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999))
}

/**
 * The frame of the last text, so that a loop of sends of one string frames it once. Strings cannot
 * change; bytes can, so nothing here ever remembers a Buffer.
 */
export class FrameCache {
  /** How many texts were encoded. @internal */
  encoded = 0
  #text: string | undefined
  #frame: Buffer = empty

  text (text: string): Buffer {
    if (text !== this.#text) {
      this.encoded++
      this.#frame = textFrame(text)
      this.#text = text
    }
    return this.#frame
  }

  /** Lets go of the last text and its frame. */
  clear (): void {
    this.#text = undefined
    this.#frame = empty
  }
}

function stringFrame (opcode: number, text: string): Buffer {
  return (text.length <= maxLoopLength ? shortAscii(opcode, text) : undefined) ?? encoded(opcode, text)
}

function shortAscii (opcode: number, text: string): Buffer | undefined {
  const { length } = text
  const target = Buffer.allocUnsafe(2 + length)
  target[0] = fin | opcode
  target[1] = length
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return undefined
    target[2 + i] = unit
  }
  return target
}

function encoded (opcode: number, text: string): Buffer {
  const length = Buffer.byteLength(text)
  const target = allocate(headerSize(length) + length)
  // As many bytes as UTF-16 units: it is ASCII, and one byte per unit is written up to twice as fast.
  target.write(text, writeHeader(target, opcode, length), length, length === text.length ? 'latin1' : 'utf8')
  return target
}

function headerSize (length: number): number {
  return length < 126 ? 2 : length < 0x10000 ? 4 : 10
}

/** @returns where the payload begins */
function writeHeader (target: Buffer, opcode: number, length: number): number {
  target[0] = fin | opcode
  if (length < 126) {
    target[1] = length
    return 2
  }
  if (length < 0x10000) {
    target[1] = 126
    target.writeUInt16BE(length, 2)
    return 4
  }
  target[1] = 127
  target.writeUInt32BE(Math.floor(length / 0x100000000), 2)
  target.writeUInt32BE(length >>> 0, 6)
  return 10
}
