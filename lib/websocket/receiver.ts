import { isUtf8 } from 'node:buffer'
import { violations } from '../connection/close-codes.js'
import { FrameParser } from './parser.js'
import { takeBufferedChunks } from './socket.js'
import type { Duplex } from 'node:stream'
import type { Producer } from '../shared/watermark.js'
import type { Deflate } from './deflate.js'
import type { Violation, ViolationCode } from '../connection/close-codes.js'
import type { ParserEvents } from './parser.js'

/** The events of a {@link Receiver}: those of its parser, with messages inflated. */
export interface ReceiverEvents extends Omit<ParserEvents, 'onMessage'> {
  /** @returns false to stop reading until `resume`. It has no effect after `handOver` */
  onMessage (data: Buffer, binary: boolean): boolean
  /** Called when reading continues after a stop. */
  onReadingResumed (): void
  /** Called when all messages that were read before `handOver` have been delivered. */
  onHandedOver (): void
}

/**
 * Reads the messages of one client. It can stop after any message, in the middle of a chunk if
 * necessary. Then the remaining bytes wait, and the socket is paused, so that TCP slows the client.
 */
export class Receiver implements ParserEvents, Producer {
  readonly #events: ReceiverEvents
  readonly #socket: Duplex
  readonly #parser: FrameParser
  readonly #deflate: Deflate | undefined
  /** `onMessage` returned false, and `resume` has not been called since. */
  #isPaused = false
  /** A message is being inflated. The next one waits, because messages are delivered in order. */
  #isInflating = false
  /** The connection is closing: messages that were read are delivered, even without room. */
  #isHandingOver = false
  /** The connection has ended: only the client's close frame is of interest. */
  #ignoresMessages = false
  #isDisposed = false

  constructor (
    events: ReceiverEvents, socket: Duplex, maxPayload: number, maxFragments: number,
    deflate: Deflate | undefined
  ) {
    this.#events = events
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

  /** Bytes of the frame that is being received; 0 between frames. */
  get partialFrameBytes (): number {
    return this.#parser.hasPartialFrame ? this.#parser.bytesWaiting : 0
  }

  receiveChunk (bytes: Buffer): void {
    this.#parser.parseChunk(bytes)
  }

  /** @param bytes its first `length` bytes are read. The caller may reuse it when this returns */
  receiveBorrowed (bytes: Buffer, length: number): void {
    this.#parser.parseBorrowed(bytes, length)
  }

  /** Called when there is room for more messages. */
  resume (): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#resumeParsing()
    if (this.isBeingRead) this.#events.onReadingResumed()
  }

  /**
   * Delivers all messages that were already read, even without room, because the connection closes.
   * `onHandedOver` is called before this returns, unless a message has to be inflated first.
   */
  handOver (): void {
    this.#isHandingOver = true
    this.#isPaused = false
    if (this.#socket.readableLength > 0) {
      for (const bytes of takeBufferedChunks(this.#socket)) this.#parser.parseChunk(bytes)
    }
    this.#resumeParsing()
  }

  /** Drops all messages from now on. They are still read, because the close frame follows them. */
  ignoreMessages (): void {
    this.#ignoresMessages = true
    this.#parser.resumeParsing()
    this.#socket.resume()
  }

  /** Releases the parser and the codec. Nothing is read any more. */
  dispose (): void {
    this.#isDisposed = this.#ignoresMessages = true
    this.#parser.stopForever()
    // ws limits how many codecs inflate at once. Closed meanwhile, a codec would keep its place.
    if (!this.#isInflating) this.#deflate?.codec.cleanup()
  }

  onMessage (data: Buffer, binary: boolean, compressed: boolean): boolean {
    if (this.#ignoresMessages) return true
    if (!compressed) return this.#deliverMessage(data, binary)
    this.#isInflating = true
    this.#socket.pause()
    this.#deflate!.codec.decompress(data, true, (err, inflated) => {
      this.#handleInflated(err, inflated, binary)
    })
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

  #handleInflated (
    err: (Error & { code?: string }) | null, data: Buffer, binary: boolean
  ): void {
    this.#isInflating = false
    if (this.#isDisposed) this.#deflate!.codec.cleanup()
    if (this.#ignoresMessages) return
    const isTooLarge = err?.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
    if (isTooLarge) this.#reportViolation(violations.tooLarge)
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
