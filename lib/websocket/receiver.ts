import { isUtf8 } from 'node:buffer'
import { violations } from '../connection/close-codes.js'
import { FrameParser } from './parser.js'
import { bufferedIn } from './socket.js'
import type { Duplex } from 'node:stream'
import type { Producer } from '../process/actor/mailbox.js'
import type { Deflate } from './deflate.js'
import type { Violation, ViolationCode } from '../connection/close-codes.js'
import type { ParserEvents } from './parser.js'

/** What a client says, told to its connection. */
export interface ReceiverEvents extends Omit<ParserEvents, 'onMessage'> {
  /** @returns false to stop reading until `resume`; not heeded after `drain` */
  onMessage (data: Buffer, binary: boolean): boolean
  /** Reading goes on after a stop. */
  onReadingResumed (): void
  /** All that was read before `drain` has been handed on. */
  onHandedOver (): void
}

/**
 * One client's bytes on their way to messages. It stops after any message, in the middle of a chunk
 * if need be: the rest waits as bytes, and TCP pushes back to the client.
 */
export class Receiver implements ParserEvents, Producer {
  readonly #events: ReceiverEvents
  readonly #socket: Duplex
  readonly #parser: FrameParser
  readonly #deflate: Deflate | undefined
  /** The listener has stopped it. */
  #isPaused = false
  /** A message is being inflated: the next one waits for it. */
  #isInflating = false
  /** The connection is ending: what was read is handed on, whether there is room or not. */
  #isHandingOver = false
  /** The connection has ended: only the client's close frame is waited for. */
  #ignoresMessages = false
  #isDisposed = false

  constructor (listener: ReceiverEvents, socket: Duplex, maxPayload: number, maxFragments: number, deflate: Deflate | undefined) {
    this.#events = listener
    this.#socket = socket
    this.#parser = new FrameParser(this, maxPayload, maxFragments, deflate !== undefined)
    this.#deflate = deflate
  }

  get isPaused (): boolean {
    return this.#isPaused
  }

  get isBeingRead (): boolean {
    return !this.#isPaused && !this.#isInflating
  }

  /** Bytes of a frame that is still coming in; 0 between frames. */
  get partialFrameBytes (): number {
    return this.#parser.hasPartialFrame ? this.#parser.bytesWaiting : 0
  }

  receiveChunk (bytes: Buffer): void {
    this.#parser.parseChunk(bytes)
  }

  /** The first `length` bytes of a buffer that is the caller's again when this returns. */
  receiveBorrowed (bytes: Buffer, length: number): void {
    this.#parser.parseBorrowed(bytes, length)
  }

  /** There is room for more messages. */
  resume (): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#resumeParsing()
    if (this.isBeingRead) this.#events.onReadingResumed()
  }

  /**
   * Hands on all that was read already, although there may be no room for it: the connection ends.
   * `onDrained` is called before this returns, unless something has to be inflated first.
   */
  handOver (): void {
    this.#isHandingOver = true
    this.#isPaused = false
    if (this.#socket.readableLength > 0) for (const bytes of bufferedIn(this.#socket)) this.#parser.parseChunk(bytes)
    this.#resumeParsing()
  }

  /** Drops all messages from now on. The close frame stands behind what was sent: that must be read. */
  ignoreMessages (): void {
    this.#ignoresMessages = true
    this.#parser.resumeParsing()
    this.#socket.resume()
  }

  /** Nothing will be parsed any more. */
  dispose (): void {
    this.#isDisposed = this.#ignoresMessages = true
    this.#parser.stopForever()
    // Closed in the middle of a message, ws's codec would never give its turn to others.
    if (!this.#isInflating) this.#deflate?.codec.cleanup()
  }

  onMessage (data: Buffer, binary: boolean, compressed: boolean): boolean {
    if (this.#ignoresMessages) return true
    if (!compressed) return this.#deliverMessage(data, binary)
    this.#isInflating = true
    this.#socket.pause()
    this.#deflate!.codec.decompress(data, true, (err, inflated) => { this.#handleInflated(err, inflated, binary) })
    return false
  }

  onPing (data: Buffer): void {
    this.#events.onPing(data)
  }

  onPong (data: Buffer): void {
    this.#events.onPong(data)
  }

  onCloseFrame (code: number, reason: string): void {
    this.#events.onCloseFrame(code, reason)
  }

  onViolation (code: ViolationCode, reason: string): void {
    this.#events.onViolation(code, reason)
  }

  #deliverMessage (data: Buffer, binary: boolean): boolean {
    if (this.#events.onMessage(data, binary) || this.#isHandingOver) return true
    this.#isPaused = true
    this.#socket.pause()
    return false
  }

  #handleInflated (err: (Error & { code?: string }) | null, data: Buffer, binary: boolean): void {
    this.#isInflating = false
    if (this.#isDisposed) this.#deflate!.codec.cleanup()
    if (this.#ignoresMessages) return
    if (err?.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#reportViolation(violations.tooLarge)
    else if (err) this.#reportViolation(violations.invalidDeflate)
    else if (!binary && !isUtf8(data)) this.#reportViolation(violations.invalidUtf8)
    else if (!this.#deliverMessage(data, binary)) return
    this.#resumeParsing()
  }

  #reportViolation ({ code, reason }: Violation): void {
    this.#parser.stopForever()
    this.#events.onViolation(code, reason)
  }

  #resumeParsing (): void {
    if (this.#isInflating) return
    this.#parser.resumeParsing()
    if (!this.isBeingRead || this.#ignoresMessages) return
    if (this.#isHandingOver) this.#events.onHandedOver()
    else this.#socket.resume()
  }
}
