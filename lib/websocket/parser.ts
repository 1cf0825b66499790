import { isUtf8 } from 'node:buffer'
import { maySendCode, noCode, opcodes } from './frames.js'
import { unmask } from './unmask.js'

/** The close code of a violation: protocol error, bad UTF-8, too many fragments, too large. */
export type ViolationCode = 1002 | 1007 | 1008 | 1009

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

/** The reasons of {@link ParserEvents.onViolation} that are not `protocol error: …`. */
export const violations = {
  tooLarge: 'message too large',
  invalidUtf8: 'invalid UTF-8',
  invalidDeflate: 'invalid deflate data',
  tooManyFragments: 'too many fragments'
} as const

const empty = Buffer.alloc(0)
const maxHeader = 14
// The smallest buffer for the payload of a partial frame.
const minHeld = 256

/**
 * `held` with room for `needed` bytes, of which it has `used`: at least twice as long each time, so
 * that bytes that drip in are copied twice at the most, and never longer than `limit`.
 */
function withRoom (held: Buffer, used: number, needed: number, limit: number): Buffer {
  if (needed <= held.length) return held
  // Not from the pool: a few bytes that wait for long would pin all of its 8 KiB.
  const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, 2 * held.length, minHeld), limit))
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
  #lent = false
  #stopped = false
  #ended = false

  // A partial frame: `used` bytes of it in `held`, and more can be said when there are `wanted`.
  #held: Buffer | undefined
  #used = 0
  #wanted = 0

  // A fragmented message: its first frame's opcode, 0 outside of one.
  #opcode = 0
  #compressed = false
  #fragments = 0
  #gathered: Buffer = empty
  #length = 0

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
  get stopped (): boolean {
    return this.#stopped
  }

  /** Whether some bytes of an unfinished frame are held; not known of the bytes that wait while stopped. */
  get midFrame (): boolean {
    return this.#held !== undefined
  }

  /** Bytes that wait while stopped, or of a partial frame. */
  get pending (): number {
    return this.#used + (this.#chunk === undefined ? 0 : this.#end - this.#offset)
  }

  /** Takes bytes from the socket, for good: they are unmasked in place. While stopped they are only kept. */
  push (chunk: Buffer): void {
    this.#start(chunk, chunk.length)
  }

  /**
   * Takes the first `length` bytes of a buffer that the next read is written into: they are unmasked
   * in place, and what has to outlive this call is copied.
   */
  pushLent (chunk: Buffer, length: number): void {
    this.#lent = true
    this.#start(chunk, length)
    this.#lent = false
    if (this.#chunk === chunk) this.#keep(chunk)
  }

  #start (chunk: Buffer, length: number): void {
    if (this.#ended || length === 0) return
    if (this.#chunk !== undefined) {
      this.#append(this.#chunk, chunk, length)
      return
    }
    this.#chunk = chunk
    this.#offset = 0
    this.#end = length
    this.#run()
  }

  /** Goes on after a stop; the next message may stop it again. */
  resume (): void {
    if (!this.#stopped) return
    this.#stopped = false
    this.#run()
  }

  /** Drops everything; nothing is parsed any more. */
  end (): void {
    this.#ended = true
    this.#stopped = false
    this.#chunk = undefined
    this.#letGo()
    this.#forget()
  }

  #run (): void {
    while (this.#chunk !== undefined && !this.#stopped) {
      const chunk = this.#chunk
      const offset = this.#offset
      const available = this.#end - offset
      if (available === 0) {
        this.#chunk = undefined
      } else if (this.#held !== undefined) {
        this.#fill(this.#held, chunk, offset, available)
      } else {
        const size = this.#measure(chunk, offset, available)
        if (size > available) {
          this.#held = empty
          this.#wanted = size
        } else if (size > 0) {
          this.#offset = offset + size
          this.#take(chunk, offset, size)
        }
      }
    }
    // All was parsed by the message that stopped it: the bytes are its receiver's alone.
    if (this.#offset === this.#end) this.#chunk = undefined
  }

  #fill (held: Buffer, chunk: Buffer, offset: number, available: number): void {
    const taken = Math.min(this.#wanted - this.#used, available)
    const used = this.#used + taken
    const filled = withRoom(held, this.#used, used, Math.max(this.#wanted, maxHeader))
    chunk.copy(filled, this.#used, offset, offset + taken)
    this.#offset = offset + taken
    this.#held = filled
    this.#used = used
    if (used < this.#wanted) return
    const size = this.#measure(filled, 0, used)
    if (size > used) {
      this.#wanted = size
    } else if (size > 0) {
      this.#letGo()
      this.#take(filled, 0, size)
    }
  }

  /**
   * How many bytes the frame at `start` needs before more can be said of it: at last its whole
   * length. Each rule is checked as soon as its byte is there; 0 after a violation.
   */
  #measure (bytes: Buffer, start: number, available: number): number {
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
      if (this.#opcode === 0) return this.#protocolError('unexpected continuation')
      if (this.#fragments >= this.#maxFragments) return this.#violation(1008, violations.tooManyFragments)
    } else {
      if (opcode > opcodes.binary) return this.#protocolError(`unknown opcode ${opcode}`)
      if (this.#opcode !== 0) return this.#protocolError('expected continuation')
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
    if (length > this.#maxPayload - this.#length || length > Number.MAX_SAFE_INTEGER) {
      return this.#violation(1009, violations.tooLarge)
    }
    return header + length
  }

  /** One whole frame that `measure` found to be in order. */
  #take (bytes: Buffer, start: number, size: number): void {
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
    if (opcode > 7) this.#control(opcode, payload)
    else if (opcode === opcodes.continuation || first < 0x80) this.#fragment(first, payload)
    else this.#message(payload, opcode, (first & 0x40) !== 0, ascii, this.#lent && bytes === this.#chunk)
  }

  #message (payload: Buffer, opcode: number, compressed: boolean, ascii: boolean, lent: boolean): void {
    const binary = opcode === opcodes.binary
    const data = lent && (binary || compressed) ? Buffer.from(payload) : payload
    if (!binary && !compressed && !ascii && !isUtf8(data)) {
      this.#violation(1007, violations.invalidUtf8)
    } else if (!this.#events.onMessage(data, binary, compressed) && this.#chunk !== undefined) {
      // Without a chunk the event itself ended the parser: there is nothing to hold back.
      this.#stopped = true
    }
  }

  #fragment (first: number, payload: Buffer): void {
    if (this.#opcode === 0) {
      this.#opcode = first & 0x0f
      this.#compressed = (first & 0x40) !== 0
    }
    this.#fragments++
    // Always copied: a list of them would pin a whole read, up to 64 KiB, for each little fragment.
    const length = this.#length + payload.length
    const last = first >= 0x80
    this.#gathered = withRoom(this.#gathered, this.#length, length, last ? length : this.#maxPayload)
    payload.copy(this.#gathered, this.#length)
    this.#length = length
    if (!last) return

    const data = this.#gathered.subarray(0, length)
    const opcode = this.#opcode
    const compressed = this.#compressed
    this.#forget()
    this.#message(data, opcode, compressed, false, false)
  }

  #control (opcode: number, payload: Buffer): void {
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
        this.#violation(1007, violations.invalidUtf8)
        return
      }
      reason = text.toString()
    }
    this.end()
    this.#events.onCloseFrame(code, reason)
  }

  #protocolError (detail: string): 0 {
    return this.#violation(1002, `protocol error: ${detail}`)
  }

  #violation (code: ViolationCode, reason: string): 0 {
    this.end()
    this.#events.onViolation(code, reason)
    return 0
  }

  /** Bytes that came although parsing is stopped (or from inside an event) go behind those that wait. */
  #append (waiting: Buffer, chunk: Buffer, length: number): void {
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
  #keep (chunk: Buffer): void {
    const rest = this.#end - this.#offset
    const kept = Buffer.allocUnsafeSlow(rest)
    chunk.copy(kept, 0, this.#offset, this.#end)
    this.#chunk = kept
    this.#offset = 0
    this.#end = rest
  }

  #letGo (): void {
    this.#held = undefined
    this.#used = 0
  }

  #forget (): void {
    this.#opcode = 0
    this.#fragments = 0
    this.#gathered = empty
    this.#length = 0
  }
}
