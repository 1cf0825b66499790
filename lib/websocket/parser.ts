import { Buffer, isUtf8 } from 'node:buffer'
import { maySendCode } from '../connection/close-codes.js'
import { noCode, opcodes } from './frames.js'
import { unmask } from './unmask.js'
import { violations } from './parser-events.js'
import type { ParserEvents, ViolationCode } from './parser-events.js'

const empty = Buffer.alloc(0)
const maxHeaderSize = 14
/** The first byte of a frame that is a whole text, not compressed. */
const wholeText = 0x80 | opcodes.text
// The smallest buffer for the payload of a partial frame.
const minPartialSize = 256

/**
 * Returns a buffer with the `used` bytes of another one and room for `needed`. Each buffer is at
 * least twice as long as the one before, so that few bytes are copied again, however slowly they
 * arrive. It is never longer than `limit`.
 */
function withRoom (buffer: Buffer, used: number, needed: number, limit: number): Buffer {
  if (needed <= buffer.length) return buffer
  const size = Math.min(Math.max(needed, 2 * buffer.length, minPartialSize), limit)
  // Not from Node's pool: a few bytes that wait for long would keep all of its 8 KiB in memory.
  const larger = Buffer.allocUnsafeSlow(size)
  buffer.copy(larger, 0, 0, used)
  return larger
}

/**
 * Parses the frames of a client into messages (RFC 6455 section 5). It can stop after any message,
 * and then keeps the remaining bytes unparsed. Between frames it holds no memory.
 *
 * A text becomes a string at once. Binary data that is complete in one chunk is passed on without a
 * copy, unless the chunk is borrowed. A partial frame has one buffer, and the fragments of a
 * message have another. These grow with the bytes that arrive, and never by the length that a
 * header announces.
 */
export class FrameParser {
  readonly #events: ParserEvents
  readonly #maxPayload: number
  readonly #maxFragments: number
  readonly #deflate: boolean

  // The bytes being parsed, or waiting while stopped. The offset is stored before each event, so
  // that an event handler may call any method.
  #chunk: Buffer | undefined
  #offset = 0
  #end = 0
  /** The chunk must not be used after `parseBorrowed` returns. */
  #isBorrowed = false
  #isStopped = false
  #isEnded = false

  // A partial frame: its first `#partialLength` bytes. It is measured again at `#partialWanted`.
  #partial: Buffer | undefined
  #partialLength = 0
  #partialWanted = 0

  // A fragmented message: the opcode of its first frame, or 0 if there is none.
  #messageOpcode = 0
  #messageCompressed = false
  #fragmentCount = 0
  #fragmentBytes: Buffer = empty
  #fragmentLength = 0

  /**
   * @param maxPayload largest message in bytes, before it is inflated
   * @param maxFragments most frames of one message
   * @param deflate whether permessage-deflate was negotiated
   */
  constructor (events: ParserEvents, maxPayload: number, maxFragments: number, deflate: boolean) {
    this.#events = events
    this.#maxPayload = maxPayload
    this.#maxFragments = maxFragments
    this.#deflate = deflate
  }

  /** Whether the parser has a part of a frame. Bytes that wait while stopped do not count. */
  get hasPartialFrame (): boolean {
    return this.#partial !== undefined
  }

  /** Bytes that wait while stopped, and bytes of a partial frame. */
  get bytesWaiting (): number {
    return this.#partialLength + (this.#chunk === undefined ? 0 : this.#end - this.#offset)
  }

  /** The frames that wait while stopped. */
  get waitingFrames (): Buffer {
    return this.#chunk === undefined ? empty : this.#chunk.subarray(this.#offset, this.#end)
  }

  /**
   * Parses bytes from the socket, or keeps them while stopped.
   * @param chunk unmasked in place. The caller must not use it any more
   */
  parseChunk (chunk: Buffer): void {
    this.#acceptChunk(chunk, chunk.length)
  }

  /**
   * Parses the first `length` bytes of a buffer that the next read overwrites. They are unmasked in
   * place. Bytes that are needed after this returns are copied.
   */
  parseBorrowed (chunk: Buffer, length: number): void {
    this.#isBorrowed = true
    this.#acceptChunk(chunk, length)
    this.#isBorrowed = false
    if (this.#chunk === chunk) this.#copyBorrowedRest(chunk)
  }

  #acceptChunk (chunk: Buffer, length: number): void {
    if (this.#isEnded || length === 0) return
    if (this.#chunk !== undefined) {
      this.#appendToWaiting(this.#chunk, chunk, length)
      return
    }
    this.#chunk = chunk
    this.#offset = 0
    this.#end = length
    this.#parse()
  }

  /** Stops it from outside of an event. Bytes that arrive wait. */
  pauseParsing (): void {
    if (!this.#isEnded) this.#isStopped = true
  }

  /** Continues after a stop. The next message may stop it again. */
  resumeParsing (): void {
    if (!this.#isStopped) return
    this.#isStopped = false
    this.#parse()
  }

  /** Drops all bytes. Nothing is parsed any more. */
  stopForever (): void {
    this.#isEnded = true
    this.#isStopped = false
    this.#chunk = undefined
    this.#clearPartial()
    this.#clearFragments()
  }

  #parse (): void {
    while (this.#chunk !== undefined && !this.#isStopped) {
      const chunk = this.#chunk
      const offset = this.#offset
      const available = this.#end - offset
      if (available === 0) {
        this.#chunk = undefined
      } else if (this.#partial !== undefined) {
        this.#fillPartial(this.#partial, chunk, offset, available)
      } else {
        const size = this.#measureFrame(chunk, offset, available)
        if (size > available) {
          this.#partial = empty
          this.#partialWanted = size
        } else if (size > 0) {
          this.#offset = offset + size
          this.#handleFrame(chunk, offset, size)
        }
      }
    }
    // The message that stopped it was the last in the chunk, so its receiver may keep the bytes.
    if (this.#offset === this.#end) this.#chunk = undefined
  }

  #fillPartial (partial: Buffer, chunk: Buffer, offset: number, available: number): void {
    const taken = Math.min(this.#partialWanted - this.#partialLength, available)
    const used = this.#partialLength + taken
    const limit = Math.max(this.#partialWanted, maxHeaderSize)
    const filled = withRoom(partial, this.#partialLength, used, limit)
    chunk.copy(filled, this.#partialLength, offset, offset + taken)
    this.#offset = offset + taken
    this.#partial = filled
    this.#partialLength = used
    if (used < this.#partialWanted) return
    const size = this.#measureFrame(filled, 0, used)
    if (size > used) {
      this.#partialWanted = size
    } else if (size > 0) {
      this.#clearPartial()
      this.#handleFrame(filled, 0, size)
    }
  }

  /**
   * Checks each rule of the frame at `start` as soon as its byte is available.
   * @returns the length of the frame; while it is unknown, the number of bytes with which to call
   * this again; 0 after a violation
   */
  #measureFrame (bytes: Buffer, start: number, available: number): number {
    const first = bytes[start]
    const opcode = first & 0x0f
    const control = opcode > 7
    if ((first & 0x70) !== 0 && !this.#isCompressedStart(first, opcode)) {
      return this.#protocolError('reserved bits set')
    }
    if (control) {
      if (opcode > opcodes.pong) return this.#protocolError(`unknown opcode ${opcode}`)
      if (first < 0x80) return this.#protocolError('fragmented control frame')
    } else if (opcode === opcodes.continuation) {
      if (this.#messageOpcode === 0) return this.#protocolError('unexpected continuation')
      if (this.#fragmentCount >= this.#maxFragments) {
        return this.#reject(violations.tooManyFragments)
      }
    } else {
      if (opcode > opcodes.binary) return this.#protocolError(`unknown opcode ${opcode}`)
      if (this.#messageOpcode !== 0) return this.#protocolError('expected continuation')
    }

    if (available < 2) return 2
    const second = bytes[start + 1]
    if (second < 0x80) return this.#protocolError('frame not masked')
    let length = second & 0x7f
    if (control) {
      if (length > 125) return this.#protocolError('control frame too long')
      if (opcode === opcodes.close && length === 1) {
        return this.#protocolError('invalid close payload')
      }
      return 6 + length
    }

    let header = 6
    if (length === 126) {
      if (available < 4) return 4
      length = bytes.readUInt16BE(start + 2)
      header = 8
    } else if (length === 127) {
      if (available < 10) return 10
      length = bytes.readUInt32BE(start + 2) * 0x100000000 + bytes.readUInt32BE(start + 6)
      header = 14
    }
    if (length > this.#maxPayload - this.#fragmentLength || length > Number.MAX_SAFE_INTEGER) {
      return this.#reject(violations.tooLarge)
    }
    return header + length
  }

  /** Whether the reserved bits are those of the first frame of a compressed message. */
  #isCompressedStart (first: number, opcode: number): boolean {
    if (!this.#deflate || (first & 0x30) !== 0) return false
    return opcode === opcodes.text || opcode === opcodes.binary
  }

  /** Called with a whole frame that `#measureFrame` found to be valid. */
  #handleFrame (bytes: Buffer, start: number, size: number): void {
    const first = bytes[start]
    const short = bytes[start + 1] & 0x7f
    const header = short < 126 ? 6 : short === 126 ? 8 : 14
    const at = start + header
    const end = start + size
    const mask = bytes[at - 4] | bytes[at - 3] << 8 | bytes[at - 2] << 16 | bytes[at - 1] << 24
    const isAscii = unmask(bytes, at, end, mask)
    // Most frames are whole texts: they need no view of their bytes.
    if (first === wholeText) return this.#emitText(bytes, at, end, isAscii)

    const payload = bytes.subarray(at, end)
    const opcode = first & 0x0f
    if (opcode > 7) this.#handleControlFrame(opcode, payload)
    else if (opcode === opcodes.continuation || first < 0x80) this.#addFragment(first, payload)
    else {
      const isBorrowed = this.#isBorrowed && bytes === this.#chunk
      const data = isBorrowed ? Buffer.from(payload) : payload
      this.#emitData(data, opcode, (first & 0x40) !== 0)
    }
  }

  #emitText (bytes: Buffer, start: number, end: number, isAscii: boolean): void {
    if (!isAscii && !isUtf8(bytes.subarray(start, end))) this.#reject(violations.invalidUtf8)
    else {
      const text = bytes.toString(isAscii ? 'latin1' : 'utf8', start, end)
      if (!this.#events.onMessage(text, end - start)) this.#stop()
    }
  }

  /** Emits a binary message, or a compressed one. */
  #emitData (data: Buffer, opcode: number, compressed: boolean): void {
    const goesOn = compressed
      ? this.#events.onCompressed(data, opcode === opcodes.binary)
      : this.#events.onMessage(data, data.length)
    if (!goesOn) this.#stop()
  }

  #stop (): void {
    // Without a chunk, the event handler has stopped the parser for ever.
    if (this.#chunk !== undefined) this.#isStopped = true
  }

  #addFragment (first: number, payload: Buffer): void {
    if (this.#messageOpcode === 0) {
      this.#messageOpcode = first & 0x0f
      this.#messageCompressed = (first & 0x40) !== 0
    }
    this.#fragmentCount++
    // Copied, because a reference would keep the whole read, up to 64 KiB, for each small fragment.
    const length = this.#fragmentLength + payload.length
    const last = first >= 0x80
    const limit = last ? length : this.#maxPayload
    this.#fragmentBytes = withRoom(this.#fragmentBytes, this.#fragmentLength, length, limit)
    payload.copy(this.#fragmentBytes, this.#fragmentLength)
    this.#fragmentLength = length
    if (!last) return

    const data = this.#fragmentBytes.subarray(0, length)
    const opcode = this.#messageOpcode
    const compressed = this.#messageCompressed
    this.#clearFragments()
    if (opcode === opcodes.text && !compressed) this.#emitText(data, 0, length, false)
    else this.#emitData(data, opcode, compressed)
  }

  #handleControlFrame (opcode: number, payload: Buffer): void {
    if (opcode === opcodes.ping) return this.#events.onPing(payload)
    if (opcode === opcodes.pong) return this.#events.onPong(payload)
    let code: number = noCode
    let reason = ''
    if (payload.length > 0) {
      code = payload.readUInt16BE()
      if (!maySendCode(code)) {
        this.#protocolError(`invalid close code ${code}`)
        return
      }
    }
    if (payload.length > 2) {
      const text = payload.subarray(2)
      if (!isUtf8(text)) {
        this.#reject(violations.invalidUtf8)
        return
      }
      reason = text.toString()
    }
    this.stopForever()
    this.#events.onCloseFrame(code, reason)
  }

  #protocolError (detail: string): 0 {
    const { code, reason } = violations.protocolError
    return this.#reject({ code, reason: `${reason}: ${detail}` })
  }

  #reject ({ code, reason }: { readonly code: ViolationCode, readonly reason: string }): 0 {
    this.stopForever()
    this.#events.onViolation(code, reason)
    return 0
  }

  /** Called with bytes that arrive while parsing is stopped, or during an event. */
  #appendToWaiting (waiting: Buffer, chunk: Buffer, length: number): void {
    let target = waiting
    if (waiting.length - this.#end < length) {
      const rest = this.#end - this.#offset
      target = Buffer.allocUnsafeSlow(rest + Math.max(rest, length))
      waiting.copy(target, 0, this.#offset, this.#end)
      this.#chunk = target
      this.#offset = 0
      this.#end = rest
    }
    chunk.copy(target, this.#end, 0, length)
    this.#end += length
  }

  /** Copies the unparsed bytes out of a borrowed chunk. */
  #copyBorrowedRest (chunk: Buffer): void {
    const rest = this.#end - this.#offset
    const kept = Buffer.allocUnsafeSlow(rest)
    chunk.copy(kept, 0, this.#offset, this.#end)
    this.#chunk = kept
    this.#offset = 0
    this.#end = rest
  }

  #clearPartial (): void {
    this.#partial = undefined
    this.#partialLength = 0
  }

  #clearFragments (): void {
    this.#messageOpcode = 0
    this.#fragmentCount = 0
    this.#fragmentBytes = empty
    this.#fragmentLength = 0
  }
}
