// The global `Buffer` is a getter, which is slower than an import.
import { Buffer, isUtf8 } from 'node:buffer'
import { cutReason } from '../connection/close-codes.js'
import { Slice } from '../shared/slice.js'

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

// Up to this length, the bytes of a text fit into the small slab, whatever they are. Those of a
// longer text are counted first.
const maxShortText = 682

const empty = Buffer.alloc(0)
let smallSlab = empty
let smallUsed = 0
let largeSlab = empty
let largeUsed = 0

function allocate (size: number): Slice {
  if (size < minLargeFrame) {
    const start = reserveSmall(size)
    smallUsed += size
    return new Slice(smallSlab, start, size)
  }
  return size > maxSlabFrame ? new Slice(Buffer.allocUnsafeSlow(size)) : allocateLarge(size)
}

/** Makes room in the small slab, from `smallUsed`. @returns where it begins */
function reserveSmall (size: number): number {
  if (smallUsed + size > smallSlab.length) {
    smallSlab = Buffer.allocUnsafeSlow(smallSlabSize)
    smallUsed = 0
  }
  return smallUsed
}

function allocateLarge (size: number): Slice {
  if (largeUsed + size > largeSlab.length) {
    largeSlab = Buffer.allocUnsafeSlow(largeSlabSize)
    largeUsed = 0
  }
  const piece = new Slice(largeSlab, largeUsed, size)
  // The next frame starts at a word boundary.
  largeUsed += size + 7 & ~7
  return piece
}

/**
 * Joins frames.
 * @param bytes of all of them
 * @returns a slice of them, without a copy, if they lie one after the other in memory
 */
export function joinFrames (frames: readonly Slice[], bytes: number): Slice {
  const { memory, start } = frames[0]
  let end = start
  for (const frame of frames) {
    if (frame.start !== end || frame.memory !== memory) return copyFrames(frames, bytes)
    end += frame.length
  }
  return new Slice(memory, start, bytes)
}

/** Joins frames by copying them. Those that lie one after the other are copied at once. */
export function copyFrames (frames: readonly Slice[], bytes: number): Slice {
  const target = Buffer.allocUnsafeSlow(bytes)
  let at = 0
  let { memory, start, end } = frames[0]
  for (const frame of frames.slice(1)) {
    if (frame.start !== end || frame.memory !== memory) {
      at += memory.copy(target, at, start, end);
      ({ memory, start } = frame)
    }
    end = frame.end
  }
  memory.copy(target, at, start, end)
  return new Slice(target)
}

/** Makes a final, unmasked frame. The payload is copied, so the caller may change it afterwards. */
export function frame (opcode: number, payload: Uint8Array, rsv1 = false): Slice {
  const { length } = payload
  const target = allocate(headerSize(length) + length)
  const { memory, start } = target
  const at = writeHeader(memory, start, rsv1 ? opcode | rsv1Bit : opcode, length)
  // A detached buffer has the length 0, and `set` throws for it.
  if (length > 0) memory.set(payload, at)
  return target
}

/** Makes a text frame. A lone surrogate becomes U+FFFD, so that the text is valid UTF-8. */
export function textFrame (text: string): Slice {
  return stringFrame(opcodes.text, text)
}

/** Makes a text frame of bytes. @returns undefined if they are not UTF-8 */
export function textFrameFromBytes (data: Uint8Array): Slice | undefined {
  const whole = frame(opcodes.text, data)
  // The copy is checked, because shared memory may change in between.
  return isUtf8(whole.bytes.subarray(whole.length - data.length)) ? whole : undefined
}

/** Makes a binary frame. A string is sent as its UTF-8 bytes. */
export function binaryFrame (data: Uint8Array | string): Slice {
  return typeof data === 'string' ? stringFrame(opcodes.binary, data) : frame(opcodes.binary, data)
}

const emptyPing = frame(opcodes.ping, empty)

/** @param data at most 125 bytes */
export function pingFrame (data?: Uint8Array): Slice {
  return data === undefined ? emptyPing : frame(opcodes.ping, data)
}

/** @param data at most 125 bytes */
export function pongFrame (data: Uint8Array): Slice {
  return frame(opcodes.pong, data)
}

/** Makes a close frame. With {@link noCode} it is empty. A reason that is too long is cut. */
export function closeFrame (code: number, reason: string): Slice {
  if (code === noCode) return frame(opcodes.close, empty)
  if (reason === '') {
    return new Slice(Buffer.from([fin | opcodes.close, 2, code >> 8, code & 0xff]))
  }
  const text = Buffer.from(cutReason(reason))
  const payload = Buffer.allocUnsafe(2 + text.length)
  payload.writeUInt16BE(code)
  payload.set(text, 2)
  return frame(opcodes.close, payload)
}

function stringFrame (opcode: number, text: string): Slice {
  const { length } = text
  if (length > maxShortText) return encodeText(opcode, text)
  const short = length <= maxLoopLength ? shortAscii(opcode, text) : undefined
  return short ?? encodeShort(opcode, text)
}

/** @returns undefined if a character is not ASCII */
function shortAscii (opcode: number, text: string): Slice | undefined {
  const { length } = text
  const size = 2 + length
  const start = reserveSmall(size)
  const memory = smallSlab
  memory[start] = fin | opcode
  memory[start + 1] = length
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return undefined
    memory[start + 2 + i] = unit
  }
  smallUsed += size
  return new Slice(memory, start, size)
}

/** Writes the text without counting its bytes first, after the header that fits if it is ASCII. */
function encodeShort (opcode: number, text: string): Slice {
  const start = reserveSmall(4 + 3 * text.length)
  const memory = smallSlab
  const assumed = headerSize(text.length)
  const length = memory.write(text, start + assumed)
  const header = headerSize(length)
  if (header !== assumed) {
    memory.copyWithin(start + header, start + assumed, start + assumed + length)
  }
  writeHeader(memory, start, opcode, length)
  smallUsed += header + length
  return new Slice(memory, start, header + length)
}

function encodeText (opcode: number, text: string): Slice {
  const length = Buffer.byteLength(text)
  const target = allocate(headerSize(length) + length)
  const { memory, start } = target
  // A text with as many bytes as UTF-16 units is ASCII, and latin1 is written up to twice as fast.
  const encoding = length === text.length ? 'latin1' : 'utf8'
  memory.write(text, writeHeader(memory, start, opcode, length), length, encoding)
  return target
}

function headerSize (length: number): number {
  return length < 126 ? 2 : length < 0x10000 ? 4 : 10
}

/** The opcode of a whole frame of this server. */
export function opcodeOf ({ memory, start }: Slice): number {
  return memory[start] & 0x0f
}

/** The place in its memory where the payload of a whole frame of this server begins. */
export function payloadStart ({ memory, start }: Slice): number {
  const short = memory[start + 1]
  return start + (short < 126 ? 2 : short === 126 ? 4 : 10)
}

/** @returns where the payload begins */
function writeHeader (memory: Buffer, start: number, opcode: number, length: number): number {
  memory[start] = fin | opcode
  if (length < 126) {
    memory[start + 1] = length
    return start + 2
  }
  if (length < 0x10000) {
    memory[start + 1] = 126
    memory[start + 2] = length >>> 8
    memory[start + 3] = length
    return start + 4
  }
  memory[start + 1] = 127
  memory.writeUInt32BE(Math.floor(length / 0x100000000), start + 2)
  memory.writeUInt32BE(length >>> 0, start + 6)
  return start + 10
}
