// The global `Buffer` is a getter, which is slower than an import.
import { Buffer, isUtf8 } from 'node:buffer'
import { cutReason } from '../connection/close-codes.js'

/** The opcodes of RFC 6455 section 5.2. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** Stands for a close frame without a code. It is never sent (RFC 6455 section 7.4.1). */
export const noCode = 1005

const fin = 0x80
const rsv1Bit = 0x40

// Up to this length, a loop over the characters is faster than the two calls into C++ that count
// and write the bytes.
const maxLoopLength = 40

// Frames are cut from slabs, because an allocation for each one costs more than writing it. A
// queued frame keeps its slab in memory, so small frames have a small slab. They lie in it one
// after another: those for one client that are made in turn are joined without a copy.
const smallSlabSize = 8 * 1024
const largeSlabSize = 64 * 1024
const minLargeFrame = 2 * 1024
const maxSlabFrame = 16 * 1024

const empty = Buffer.alloc(0)
let smallSlab = empty
let smallUsed = 0
let largeSlab = empty
let largeUsed = 0

function allocate (size: number): Buffer {
  if (size < minLargeFrame) return allocateSmall(size)
  return size > maxSlabFrame ? Buffer.allocUnsafeSlow(size) : allocateLarge(size)
}

function allocateSmall (size: number): Buffer {
  if (smallUsed + size > smallSlab.length) {
    smallSlab = Buffer.allocUnsafeSlow(smallSlabSize)
    smallUsed = 0
  }
  const start = smallUsed
  smallUsed += size
  return smallSlab.subarray(start, smallUsed)
}

function allocateLarge (size: number): Buffer {
  if (largeUsed + size > largeSlab.length) {
    largeSlab = Buffer.allocUnsafeSlow(largeSlabSize)
    largeUsed = 0
  }
  const piece = largeSlab.subarray(largeUsed, largeUsed + size)
  // The next frame starts at a word boundary.
  largeUsed += size + 7 & ~7
  return piece
}

/**
 * Joins frames.
 * @param bytes of all of them
 * @returns a view of them, without a copy, if they lie one after the other in memory
 */
export function joinFrames (frames: readonly Buffer[], bytes: number): Buffer {
  const { buffer, byteOffset } = frames[0]
  let end = byteOffset
  for (const frame of frames) {
    if (frame.byteOffset !== end || frame.buffer !== buffer) return Buffer.concat(frames, bytes)
    end += frame.length
  }
  return Buffer.from(buffer, byteOffset, bytes)
}

/** Makes a final, unmasked frame. The payload is copied, so the caller may change it afterwards. */
export function frame (opcode: number, payload: Uint8Array, rsv1 = false): Buffer {
  const { length } = payload
  const target = allocate(headerSize(length) + length)
  const start = writeHeader(target, rsv1 ? opcode | rsv1Bit : opcode, length)
  // A detached buffer has the length 0, and `set` throws for it.
  if (length > 0) target.set(payload, start)
  return target
}

/** Makes a text frame. A lone surrogate becomes U+FFFD, so that the text is valid UTF-8. */
export function textFrame (text: string): Buffer {
  return stringFrame(opcodes.text, text)
}

/** Makes a text frame of bytes. @returns undefined if they are not UTF-8 */
export function textFrameFromBytes (data: Uint8Array): Buffer | undefined {
  const whole = frame(opcodes.text, data)
  // The copy is checked, because shared memory may change in between.
  return isUtf8(whole.subarray(whole.length - data.length)) ? whole : undefined
}

/** Makes a binary frame. A string is sent as its UTF-8 bytes. */
export function binaryFrame (data: Uint8Array | string): Buffer {
  return typeof data === 'string' ? stringFrame(opcodes.binary, data) : frame(opcodes.binary, data)
}

const emptyPing = frame(opcodes.ping, empty)

/** @param data at most 125 bytes */
export function pingFrame (data?: Uint8Array): Buffer {
  return data === undefined ? emptyPing : frame(opcodes.ping, data)
}

/** @param data at most 125 bytes */
export function pongFrame (data: Uint8Array): Buffer {
  return frame(opcodes.pong, data)
}

/** Makes a close frame. With {@link noCode} it is empty. A reason that is too long is cut. */
export function closeFrame (code: number, reason: string): Buffer {
  if (code === noCode) return frame(opcodes.close, empty)
  if (reason === '') return Buffer.from([fin | opcodes.close, 2, code >> 8, code & 0xff])
  const text = Buffer.from(cutReason(reason))
  const payload = Buffer.allocUnsafe(2 + text.length)
  payload.writeUInt16BE(code)
  payload.set(text, 2)
  return frame(opcodes.close, payload)
}

function stringFrame (opcode: number, text: string): Buffer {
  const short = text.length <= maxLoopLength ? shortAscii(opcode, text) : undefined
  return short ?? encodeText(opcode, text)
}

/** @returns undefined if a character is not ASCII */
function shortAscii (opcode: number, text: string): Buffer | undefined {
  const { length } = text
  const target = allocateSmall(2 + length)
  target[0] = fin | opcode
  target[1] = length
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return undefined
    target[2 + i] = unit
  }
  return target
}

function encodeText (opcode: number, text: string): Buffer {
  const length = Buffer.byteLength(text)
  const target = allocate(headerSize(length) + length)
  // A text with as many bytes as UTF-16 units is ASCII, and latin1 is written up to twice as fast.
  const encoding = length === text.length ? 'latin1' : 'utf8'
  target.write(text, writeHeader(target, opcode, length), length, encoding)
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
    target[2] = length >>> 8
    target[3] = length
    return 4
  }
  target[1] = 127
  target.writeUInt32BE(Math.floor(length / 0x100000000), 2)
  target.writeUInt32BE(length >>> 0, 6)
  return 10
}
