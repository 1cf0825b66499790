import { isUtf8 } from 'node:buffer'
import { closeCodes } from '../connection/close-codes.js'
import { closedByClient, violated } from '../connection/close-reasons.js'
import { defaultFragments } from '../connection/settings.js'
import { findCloseFrame } from './close-scan.js'
import { DeflatingSender } from './deflate.js'
import { closeFrame, noCode, pingFrame, pongFrame } from './frames.js'
import { Liveness } from './liveness.js'
import { isPlainTcp, NativeSender } from './native-sender.js'
import { FrameParser } from './parser.js'
import { violations } from './parser-events.js'
import { Sender } from './sender.js'
import { attachTransport, bytesSent, takeBufferedChunks } from './socket.js'
import type { Duplex } from 'node:stream'
import type { CloseReason } from '../connection/close-codes.js'
import type { ConnectionSettings } from '../connection/settings.js'
import type { Transport, TransportEvents } from '../connection/transport.js'
import type { DeadlineTimer } from '../shared/deadline-timer.js'
import type { Deflate } from './deflate.js'
import type { LivenessClient, LivenessOptions } from './liveness.js'
import type { ParserEvents, Violation, ViolationCode } from './parser-events.js'
import type { Flusher } from './sender.js'
import type { SocketReader } from './socket.js'

/** The state that the WebSockets of one HTTP server share. */
export interface WebSocketServer {
  readonly flusher: Flusher
  readonly deadlines: DeadlineTimer
  readonly options: LivenessOptions & { readonly maxFragments?: number }
}

export interface WebSocketOptions {
  readonly server: WebSocketServer
  /** The socket after the 101. The transport owns it from now on. */
  readonly socket: Duplex
  readonly settings: Pick<ConnectionSettings, 'maxPayload' | 'maxBufferedAmount'>
  /** Present if permessage-deflate was negotiated. */
  readonly deflate: Deflate | undefined
}

/**
 * A WebSocket (RFC 6455). It is the receiver of the client's messages and has the sender of those
 * to the client.
 *
 * It can stop reading after any message, in the middle of a chunk if necessary. Then the remaining
 * bytes wait, and the socket is paused, so that TCP slows the client.
 *
 * | state | event | new state | action |
 * | --- | --- | --- | --- |
 * | open | a message | same | `onMessage`; if that returns false, pause the socket |
 * | open | `pause` | same | pause the socket |
 * | open | a ping | same | send a pong |
 * | open | a close frame, a violation, a FIN, a lost socket, no pong | same | `onTransportEnd` |
 * | open | `handOver` | handing over | parse what was read, then `onHandedOver` |
 * | handing over | a message | same | `onMessage`, even without room |
 * | handing over | a close frame, a violation, a FIN, a lost socket | same | `onTransportEnd` |
 * | handing over | all is parsed and inflated | same | `onHandedOver` |
 * | open, handing over | `close` with a reason | closing | send a close frame, start the timeout |
 * | open, handing over | `close` without a reason | closing | destroy the socket |
 * | closing | a message, a ping | same | drop it |
 * | closing | a close frame, a violation, a FIN | same | end the socket after our close frame |
 * | closing | the timeout | same | destroy the socket |
 * | closing | the socket is closed | closed | `onTransportClose` |
 * | open, handing over | the socket is closed | same | `onTransportEnd`, `onTransportClose` |
 * | open, handing over | `close` after the socket is closed | closed | release everything |
 *
 * A pong counts in each state. While a message is being inflated, the next ones wait.
 */
export class WebSocketTransport implements Transport, ParserEvents, SocketReader, LivenessClient {
  readonly writer: Sender
  readonly #socket: Duplex
  readonly #settings: WebSocketOptions['settings']
  readonly #parser: FrameParser
  readonly #deflate: Deflate | undefined
  readonly #liveness: Liveness
  #events!: TransportEvents
  #state: 'open' | 'handing over' | 'closing' | 'closed' = 'open'
  /** `onMessage` returned false, or `pause` was called, and `resume` has not been since. */
  #isPaused = false
  /** A message is being inflated. The next one waits, because messages are delivered in order. */
  #isInflating = false
  /** The client has sent its last frame. */
  #clientSideClosed = false

  constructor ({ server, socket, settings, deflate }: WebSocketOptions) {
    const { maxPayload } = settings
    const { flusher, deadlines, options } = server
    const maxFragments = options.maxFragments ?? defaultFragments(maxPayload)
    this.writer = senderFor(socket, flusher, deflate)
    this.#socket = socket
    this.#settings = settings
    this.#parser = new FrameParser(this, maxPayload, maxFragments, deflate !== undefined)
    this.#deflate = deflate
    this.#liveness = new Liveness(this, deadlines, options)
  }

  /** A getter, because a field costs memory in each connection. */
  get kind (): 'ws' {
    return 'ws'
  }

  open (events: TransportEvents): void {
    this.#events = events
    attachTransport(this.#socket, this)
  }

  redirect (events: TransportEvents): TransportEvents {
    const before = this.#events
    this.#events = events
    return before
  }

  // The socket

  onSocketData (bytes: Buffer): void {
    this.writer.traffic.bytesIn += bytes.length
    this.#parser.parseChunk(bytes)
  }

  onBorrowedData (bytes: Buffer, length: number): void {
    this.writer.traffic.bytesIn += length
    this.#parser.parseBorrowed(bytes, length)
  }

  onSocketDrain (): void {
    this.writer.socketDrained()
  }

  onSocketEnd (): void {
    this.#clientEnded(closeCodes.lost)
  }

  /** Node calls `onSocketClose` next. */
  onSocketError (err: Error): void {
    this.#events.onTransportError(err)
  }

  onSocketClose (): void {
    if (!this.#isClosing()) this.#events.onTransportEnd(this.#lossReason())
    this.#liveness.stop()
    this.#events.onTransportClose()
    // Otherwise a message is still being inflated, and `close` follows.
    if (this.#isClosing()) this.#release()
  }

  /**
   * The messages that were read still wait for the target. The closed stream would drop some of
   * them, and a close frame among them is a better reason.
   */
  #lossReason (): CloseReason {
    if (this.isBeingRead) return closeCodes.lost
    this.#parseBuffered()
    const close = findCloseFrame(this.#parser.waitingFrames)
    return close === undefined ? closeCodes.lost : clientClosed(close.code, close.reason)
  }

  // The parser

  onMessage (message: Buffer | string, bytes: number): boolean {
    if (this.#isClosing() || this.#events.onMessage(message, bytes)) return true
    if (this.#state !== 'open') return true
    this.pause()
    return false
  }

  onCompressed (data: Buffer, binary: boolean): boolean {
    if (this.#isClosing()) return true
    this.#isInflating = true
    this.#socket.pause()
    this.#deflate!.codec.decompress(data, true, (err, inflated) => {
      this.#handleInflated(err, inflated, binary)
    })
    return false
  }

  onPing (data: Buffer): void {
    if (this.#state !== 'open') return
    // Pongs for a client that does not read are limited by its buffer. Beyond that, only the last
    // ping is answered.
    const hasRoom = this.writer.bufferedBytes <= this.#settings.maxBufferedAmount
    if (hasRoom) this.writer.sendEncoded(pongFrame(data))
    else this.writer.latePong = pongFrame(data)
  }

  onPong (_data: Buffer): void {
    this.#liveness.pongReceived()
  }

  onCloseFrame (code: number, reason: string): void {
    this.#clientEnded(clientClosed(code, reason))
  }

  onViolation (code: ViolationCode, reason: string): void {
    this.#clientEnded(violated(code, reason))
  }

  /** Nothing more is read of this client. */
  #clientEnded (reason: CloseReason): void {
    this.#clientSideClosed = true
    if (this.#isClosing()) this.#endSocket()
    else this.#events.onTransportEnd(reason)
  }

  #handleInflated (
    err: (Error & { code?: string }) | null, data: Buffer, binary: boolean
  ): void {
    this.#isInflating = false
    if (this.#state === 'closed') this.#deflate!.codec.cleanup()
    if (this.#isClosing()) return
    const isTooLarge = err?.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
    if (isTooLarge) this.#reportViolation(violations.tooLarge)
    else if (err) this.#reportViolation(violations.invalidDeflate)
    else if (!binary && !isUtf8(data)) this.#reportViolation(violations.invalidUtf8)
    else if (!this.onMessage(binary ? data : data.toString(), data.length)) return
    this.#resumeParsing()
  }

  #reportViolation ({ code, reason }: Violation): void {
    this.#parser.stopForever()
    this.onViolation(code, reason)
  }

  // Pressure

  get isPaused (): boolean {
    return this.#isPaused
  }

  pause (): void {
    if (this.#state !== 'open' || this.#isPaused) return
    this.#isPaused = true
    this.writer.traffic.paused++
    this.#parser.pauseParsing()
    this.#socket.pause()
  }

  resume (): void {
    if (!this.#isPaused) return
    this.#endPause()
    this.#resumeParsing()
    if (this.isBeingRead) this.#liveness.readingResumed()
  }

  #endPause (): void {
    if (this.#isPaused) this.writer.traffic.paused--
    this.#isPaused = false
  }

  #resumeParsing (): void {
    if (this.#isInflating) return
    this.#parser.resumeParsing()
    if (!this.isBeingRead || this.#isClosing()) return
    if (this.#state === 'handing over') this.#events.onHandedOver()
    else this.#socket.resume()
  }

  // Liveness

  get isBeingRead (): boolean {
    return !this.#isPaused && !this.#isInflating
  }

  get partialFrameBytes (): number {
    return this.#parser.hasPartialFrame ? this.#parser.bytesWaiting : 0
  }

  get bytesSent (): number {
    return bytesSent(this.#socket) + this.writer.sentByBatch
  }

  sendPing (): boolean {
    const isFirst = this.writer.bufferedBytes === 0
    const written = isFirst ? undefined : () => { this.#liveness.pingTakenByKernel() }
    this.writer.sendEncoded(pingFrame(), written)
    this.writer.flush()
    return isFirst
  }

  pongTimedOut (): void {
    this.#events.onTransportEnd(closeCodes.pingTimeout)
  }

  closeTimedOut (): void {
    this.#socket.destroy()
  }

  // The end

  /**
   * Delivers all messages that were already read, even without room. `onHandedOver` is called
   * before this returns, unless a message has to be inflated first.
   */
  handOver (): void {
    this.#state = 'handing over'
    this.#endPause()
    this.#parseBuffered()
    this.#resumeParsing()
  }

  #parseBuffered (): void {
    if (this.#socket.readableLength === 0) return
    for (const bytes of takeBufferedChunks(this.#socket)) this.onSocketData(bytes)
  }

  /** Messages are still parsed and dropped, because the client's close frame follows them. */
  close ({ code, clientReason }: CloseReason): void {
    this.#endPause()
    if (this.#socket.closed) return this.#release()
    this.#state = 'closing'
    if (clientReason === undefined) this.#socket.destroy()
    else {
      this.#liveness.startCloseTimeout()
      this.writer.latePong = undefined
      this.writer.sendEncoded(closeFrame(code ?? noCode, clientReason))
      this.writer.flush()
      if (this.#clientSideClosed) this.#endSocket()
    }
    this.#parser.resumeParsing()
    this.#socket.resume()
  }

  /** A method, because V8 calls its runtime for each use of a private getter. */
  #isClosing (): boolean {
    return this.#state === 'closing' || this.#state === 'closed'
  }

  #endSocket (): void {
    if (!this.#socket.writableEnded) this.writer.whenFlushed(() => { this.#socket.end() })
  }

  /** Releases the parser and the codec. Nothing is read any more. */
  #release (): void {
    this.#state = 'closed'
    this.#parser.stopForever()
    // ws limits how many codecs inflate at once. Closed meanwhile, a codec would keep its place.
    if (!this.#isInflating) this.#deflate?.codec.cleanup()
  }
}

function senderFor (socket: Duplex, flusher: Flusher, deflate: Deflate | undefined): Sender {
  if (deflate !== undefined) return new DeflatingSender(socket, flusher, deflate)
  const isBatched = flusher.batch !== undefined && isPlainTcp(socket)
  return isBatched ? new NativeSender(socket, flusher) : new Sender(socket, flusher)
}

/** @param code 1005: the close frame has none */
function clientClosed (code: number, reason: string): CloseReason {
  return closedByClient(code === noCode ? undefined : code, reason)
}
