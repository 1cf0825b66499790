import { isUtf8 } from 'node:buffer'
import { FrameParser, violations } from './parser.js'
import { bufferedIn } from './socket.js'
import type { Duplex } from 'node:stream'
import type { Producer } from '../process/actor/mailbox.js'
import type { Deflate } from './deflate.js'
import type { ParserEvents, ViolationCode } from './parser.js'

/** What a client says, told to its connection. */
export interface Listener extends Omit<ParserEvents, 'onMessage'> {
  /** @returns false to stop reading until `resume`; not heeded after `drain` */
  onMessage (data: Buffer, binary: boolean): boolean
  /** Reading goes on after a stop. */
  onResume (): void
  /** All that was read before `drain` has been handed on. */
  onDrained (): void
}

/**
 * One client's bytes on their way to messages. It stops after any message, in the middle of a chunk
 * if need be: the rest waits as bytes, and TCP pushes back to the client.
 */
export class Receiver implements ParserEvents, Producer {
  readonly #listener: Listener
  readonly #socket: Duplex
  readonly #parser: FrameParser
  readonly #deflate: Deflate | undefined
  /** The listener has stopped it. */
  #paused = false
  /** A message is being inflated: the next one waits for it. */
  #inflating = false
  /** The connection is ending: what was read is handed on, whether there is room or not. */
  #draining = false
  /** The connection has ended: only the client's close frame is waited for. */
  #ignoring = false
  #released = false

  constructor (listener: Listener, socket: Duplex, maxPayload: number, maxFragments: number, deflate: Deflate | undefined) {
    this.#listener = listener
    this.#socket = socket
    this.#parser = new FrameParser(this, maxPayload, maxFragments, deflate !== undefined)
    this.#deflate = deflate
  }

  get paused (): boolean {
    return this.#paused
  }

  get isBeingRead (): boolean {
    return !this.#paused && !this.#inflating
  }

  /** Bytes of a frame that is still coming in; 0 between frames. */
  get bytesHeld (): number {
    return this.#parser.midFrame ? this.#parser.pending : 0
  }

  push (bytes: Buffer): void {
    this.#parser.push(bytes)
  }

  /** The first `length` bytes of a buffer that is the caller's again when this returns. */
  pushLent (bytes: Buffer, length: number): void {
    this.#parser.pushLent(bytes, length)
  }

  /** There is room for more messages. */
  resume (): void {
    if (!this.#paused) return
    this.#paused = false
    this.#goOn()
    if (this.isBeingRead) this.#listener.onResume()
  }

  /**
   * Hands on all that was read already, although there may be no room for it: the connection ends.
   * `onDrained` is called before this returns, unless something has to be inflated first.
   */
  drain (): void {
    this.#draining = true
    this.#paused = false
    if (this.#socket.readableLength > 0) for (const bytes of bufferedIn(this.#socket)) this.#parser.push(bytes)
    this.#goOn()
  }

  /** Drops all messages from now on. The close frame stands behind what was sent: that must be read. */
  ignore (): void {
    this.#ignoring = true
    this.#parser.resume()
    this.#socket.resume()
  }

  /** Nothing will be parsed any more. */
  release (): void {
    this.#released = this.#ignoring = true
    this.#parser.end()
    // Closed in the middle of a message, ws's codec would never give its turn to others.
    if (!this.#inflating) this.#deflate?.codec.cleanup()
  }

  onMessage (data: Buffer, binary: boolean, compressed: boolean): boolean {
    if (this.#ignoring) return true
    if (!compressed) return this.#hand(data, binary)
    this.#inflating = true
    this.#socket.pause()
    this.#deflate!.codec.decompress(data, true, (err, inflated) => { this.#inflated(err, inflated, binary) })
    return false
  }

  onPing (data: Buffer): void {
    this.#listener.onPing(data)
  }

  onPong (data: Buffer): void {
    this.#listener.onPong(data)
  }

  onCloseFrame (code: number, reason: string): void {
    this.#listener.onCloseFrame(code, reason)
  }

  onViolation (code: ViolationCode, reason: string): void {
    this.#listener.onViolation(code, reason)
  }

  #hand (data: Buffer, binary: boolean): boolean {
    if (this.#listener.onMessage(data, binary) || this.#draining) return true
    this.#paused = true
    this.#socket.pause()
    return false
  }

  #inflated (err: (Error & { code?: string }) | null, data: Buffer, binary: boolean): void {
    this.#inflating = false
    if (this.#released) this.#deflate!.codec.cleanup()
    if (this.#ignoring) return
    if (err?.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#violated(1009, violations.tooLarge)
    else if (err) this.#violated(1007, violations.invalidDeflate)
    else if (!binary && !isUtf8(data)) this.#violated(1007, violations.invalidUtf8)
    else if (!this.#hand(data, binary)) return
    this.#goOn()
  }

  #violated (code: ViolationCode, reason: string): void {
    this.#parser.end()
    this.#listener.onViolation(code, reason)
  }

  #goOn (): void {
    if (this.#inflating) return
    this.#parser.resume()
    if (!this.isBeingRead || this.#ignoring) return
    if (this.#draining) this.#listener.onDrained()
    else this.#socket.resume()
  }
}
