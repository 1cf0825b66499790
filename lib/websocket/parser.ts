import { isUtf8 } from 'node:buffer'
import { violations } from '../connection/close-codes.js'
import { maySendCode, noCode, opcodes } from './frames.js'
import { unmask } from './unmask.js'
import type { ViolationCode } from '../connection/close-codes.js'

/**
 * What a {@link FrameParser} tells its connection. Any of these may call any method of the parser;
 * none may throw.
 */
export interface ParserEvents {
  /**
   * A whole data message, unmasked in place. Binary `data` belongs to the receiver and may share
   * memory with what else was read from the socket; that of a text is good until this returns.
   * `compressed`: it is still deflated, belongs to the receiver, and its text is not checked.
   * Untrusted.
   * @returns false to stop parsing after it; a `resume` before this returns has no effect
   */
  onMessage (data: Buffer, binary: boolean, compressed: boolean): boolean
  /** At most 125 bytes. Untrusted. */
  onPing (data: Buffer): void
  /** At most 125 bytes. Untrusted. */
  onPong (data: Buffer): void
  /** The client's close frame, 1005 where it carried no code. Nothing is parsed after it. Untrusted. */
  onCloseFrame (code: number, reason: string): void
  /** The client broke the protocol or a limit. Nothing is parsed after it. */
  onViolation (code: ViolationCode, reason: string): void
}

const empty = Buffer.alloc(0)
const maxHeaderSize = 14
// The smallest buffer for the payload of a partial frame.
const minPartialSize = 256

/**
 * `held` with room for `needed` bytes, of which it has `used`: at least twice as long each time, so
 * that bytes that drip in are copied twice at the most, and never longer than `limit`.
 */
function withRoom (held: Buffer, used: number, needed: number, limit: number): Buffer {
  if (needed <= held.length) return held
  // Not from the pool: a few bytes that wait for long would pin all of its 8 KiB.
  const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, 2 * held.length, minPartialSize), limit))
  held.copy(larger, 0, 0, used)
  return larger
}

/**
 * The server's side of RFC 6455 section 5: bytes in, messages out. It can stop after any message
 * and then keeps the rest as it came; between frames it holds nothing.
 *
 * A frame that lies whole in a chunk is handed on without a copy, unless the chunk is lent. Bytes of a partial frame, and of
 * the fragments of a message, gather in one buffer each that grows as they arrive, never by what a
 * header announces.
 */
export class FrameParser {
  readonly #events: ParserEvents
  readonly #maxPayload: number
  readonly #maxFragments: number
  readonly #deflate: boolean

  // The bytes being parsed, or waiting while stopped. The place is written back before each event,
  // so that an event may end or push.
  #chunk: Buffer | undefined
  #offset = 0
  #end = 0
  /** The chunk is the caller's again when `pushLent` returns. */
  #isBorrowed = false
  #isStopped = false
  #isEnded = false

  // A partial frame: `used` bytes of it in `held`, and more can be said when there are `wanted`.
  #partial: Buffer | undefined
  #partialLength = 0
  #partialWanted = 0

  // A fragmented message: its first frame's opcode, 0 outside of one.
  #messageOpcode = 0
  #messageCompressed = false
  #fragmentCount = 0
  #fragmentBytes: Buffer = empty
  #fragmentLength = 0

  /**
   * @param maxPayload largest message in bytes of payload (as sent, so before inflating)
   * @param maxFragments most frames of one message
   * @param deflate whether permessage-deflate was negotiated
   */
  constructor (events: ParserEvents, maxPayload: number, maxFragments: number, deflate: boolean) {
    this.#events = events
    this.#maxPayload = maxPayload
    this.#maxFragments = maxFragments
    this.#deflate = deflate
  }

  /** Whether an `onMessage` returned false and nothing went on since. */
  get isStopped (): boolean {
    return this.#isStopped
  }

  /** Whether some bytes of an unfinished frame are held; not known of the bytes that wait while stopped. */
  get hasPartialFrame (): boolean {
    return this.#partial !== undefined
  }

  /** Bytes that wait while stopped, or of a partial frame. */
  get bytesWaiting (): number {
    return this.#partialLength + (this.#chunk === undefined ? 0 : this.#end - this.#offset)
  }

  /** Takes bytes from the socket, for good: they are unmasked in place. While stopped they are only kept. */
  parseChunk (chunk: Buffer): void {
    this.#acceptChunk(chunk, chunk.length)
  }

  /**
   * Takes the first `length` bytes of a buffer that the next read is written into: they are unmasked
   * in place, and what has to outlive this call is copied.
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

  /** Goes on after a stop; the next message may stop it again. */
  resumeParsing (): void {
    if (!this.#isStopped) return
    this.#isStopped = false
    this.#parse()
  }

  /** Drops everything; nothing is parsed any more. */
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
    // All was parsed by the message that stopped it: the bytes are its receiver's alone.
    if (this.#offset === this.#end) this.#chunk = undefined
  }

  #fillPartial (held: Buffer, chunk: Buffer, offset: number, available: number): void {
    const taken = Math.min(this.#partialWanted - this.#partialLength, available)
    const used = this.#partialLength + taken
    const filled = withRoom(held, this.#partialLength, used, Math.max(this.#partialWanted, maxHeaderSize))
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
   * How many bytes the frame at `start` needs before more can be said of it: at last its whole
   * length. Each rule is checked as soon as its byte is there; 0 after a violation.
   */
  #measureFrame (bytes: Buffer, start: number, available: number): number {
    const first = bytes[start]
    const opcode = first & 0x0f
    const control = opcode > 7
    if ((first & 0x70) !== 0 && ((first & 0x30) !== 0 || !this.#deflate || (opcode !== opcodes.text && opcode !== opcodes.binary))) {
      return this.#protocolError('reserved bits set')
    }
    if (control) {
      if (opcode > opcodes.pong) return this.#protocolError(`unknown opcode ${opcode}`)
      if (first < 0x80) return this.#protocolError('fragmented control frame')
    } else if (opcode === opcodes.continuation) {
      if (this.#messageOpcode === 0) return this.#protocolError('unexpected continuation')
      if (this.#fragmentCount >= this.#maxFragments) return this.#reject(violations.tooManyFragments)
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
      if (opcode === opcodes.close && length === 1) return this.#protocolError('invalid close payload')
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

  /** One whole frame that `measure` found to be in order. */
  #handleFrame (bytes: Buffer, start: number, size: number): void {
    const first = bytes[start]
    const short = bytes[start + 1] & 0x7f
    const header = short < 126 ? 6 : short === 126 ? 8 : 14
    let payload: Buffer = empty
    let ascii = true
    if (size > header) {
      const at = start + header
      payload = bytes.subarray(at, start + size)
      ascii = unmask(payload, bytes[at - 4] | bytes[at - 3] << 8 | bytes[at - 2] << 16 | bytes[at - 1] << 24)
    }

    const opcode = first & 0x0f
    if (opcode > 7) this.#handleControlFrame(opcode, payload)
    else if (opcode === opcodes.continuation || first < 0x80) this.#addFragment(first, payload)
    else this.#emitMessage(payload, opcode, (first & 0x40) !== 0, ascii, this.#isBorrowed && bytes === this.#chunk)
  }

  #emitMessage (payload: Buffer, opcode: number, compressed: boolean, ascii: boolean, lent: boolean): void {
    const binary = opcode === opcodes.binary
    const data = lent && (binary || compressed) ? Buffer.from(payload) : payload
    if (!binary && !compressed && !ascii && !isUtf8(data)) {
      this.#reject(violations.invalidUtf8)
    } else if (!this.#events.onMessage(data, binary, compressed) && this.#chunk !== undefined) {
      // Without a chunk the event itself ended the parser: there is nothing to hold back.
      this.#isStopped = true
    }
  }

  #addFragment (first: number, payload: Buffer): void {
    if (this.#messageOpcode === 0) {
      this.#messageOpcode = first & 0x0f
      this.#messageCompressed = (first & 0x40) !== 0
    }
    this.#fragmentCount++
    // Always copied: a list of them would pin a whole read, up to 64 KiB, for each little fragment.
    const length = this.#fragmentLength + payload.length
    const last = first >= 0x80
    this.#fragmentBytes = withRoom(this.#fragmentBytes, this.#fragmentLength, length, last ? length : this.#maxPayload)
    payload.copy(this.#fragmentBytes, this.#fragmentLength)
    this.#fragmentLength = length
    if (!last) return

    const data = this.#fragmentBytes.subarray(0, length)
    const opcode = this.#messageOpcode
    const compressed = this.#messageCompressed
    this.#clearFragments()
    this.#emitMessage(data, opcode, compressed, false, false)
  }

  #handleControlFrame (opcode: number, payload: Buffer): void {
    if (opcode === opcodes.ping) return this.#events.onPing(payload)
    if (opcode === opcodes.pong) return this.#events.onPong(payload)
    let code: number = noCode
    let reason = ''
    if (payload.length > 0) {
      code = payload.readUInt16BE()
      const text = payload.subarray(2)
      if (!maySendCode(code)) {
        this.#protocolError(`invalid close code ${code}`)
        return
      }
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

  /** Bytes that came although parsing is stopped (or from inside an event) go behind those that wait. */
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

  /** Copies the bytes that wait out of a chunk that was lent. */
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
