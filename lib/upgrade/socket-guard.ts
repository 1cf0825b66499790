import { stopReadingSocket, ownSocket, readSocket } from '../websocket/socket.js'
import { responseOn } from './response.js'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SocketOwner } from '../websocket/socket.js'

/** Bytes that a client may send after its handshake before its socket is paused. */
const maxEarlyBytes = 64 * 1024
/** Most clients send nothing before their answer. No bytes are added to this list. */
const none: Buffer[] = []

/**
 * The socket of one upgrade, until it becomes a connection or is closed. Node has removed its own
 * listeners from it. The guard reads the socket, keeps early bytes, and finds out whether another
 * listener of the server uses the socket.
 */
export class SocketGuard {
  readonly socket: Duplex
  #early: Buffer[]
  #earlyBytes = 0
  #isReading = false
  #resumesResponses = false
  /** The count of written bytes up to which no other owner has written. */
  #ignoredBytes: number

  /**
   * @param head bytes that Node has already read after the handshake
   * @param owner called for each event of the socket
   */
  constructor (socket: Duplex, head: Buffer, owner: SocketOwner) {
    this.socket = socket
    this.#early = head.length > 0 ? [head] : none
    this.#ignoredBytes = bytesWritten(socket)
    ownSocket(socket, owner)
  }

  get isOpen (): boolean {
    return !this.socket.destroyed && this.socket.writable && this.socket.readable
  }

  /** Whether the socket has stopped reading because nobody takes its bytes. */
  get isFull (): boolean {
    return this.socket.readableLength >= this.socket.readableHighWaterMark
  }

  /** Whether another owner reads the socket. That owner then notices when the client leaves. */
  get isReadByOther (): boolean {
    const readers = this.socket.listenerCount('data') + this.socket.listenerCount('readable')
    return readers > (this.#isReading ? 1 : 0)
  }

  /** Whether bytes were written since the last call of `ignoreWrittenBytes`. */
  get hasNewWrittenBytes (): boolean {
    return bytesWritten(this.socket) !== this.#ignoredBytes
  }

  /** Called after bytes were written that are not an answer to the upgrade. */
  ignoreWrittenBytes (): void {
    this.#ignoredBytes = bytesWritten(this.socket)
  }

  /** Node has removed its own `'drain'` listener: a response would stop when its buffer is full. */
  resumeResponses (): void {
    if (this.#resumesResponses) return
    this.#resumesResponses = true
    this.socket.on('drain', resumeResponse)
  }

  startReading (): void {
    if (this.#isReading) return
    this.#isReading = true
    readSocket(this.socket)
  }

  /** Keeps bytes that the client sent before there is an answer. */
  keepEarly (bytes: Buffer): void {
    if (this.#early.length === 0) this.#early = [bytes]
    else this.#early.push(bytes)
    this.#earlyBytes += bytes.length
    if (this.#earlyBytes > maxEarlyBytes) this.socket.pause()
  }

  /** From now on the client's bytes are read and dropped. */
  dropEarly (): void {
    this.#early = none
    this.startReading()
    this.socket.resume()
  }

  /** The bytes that the client has sent since its handshake. */
  get early (): readonly Buffer[] {
    return this.#early
  }

  release (): void {
    if (this.#resumesResponses) this.socket.off('drain', resumeResponse)
    this.#resumesResponses = false
    if (this.#isReading) stopReadingSocket(this.socket)
    this.#isReading = false
  }
}

/** A listener of `'drain'`: the response on this socket can write more. */
function resumeResponse (this: Duplex): void {
  const response = responseOn(this)
  if (response?.writableNeedDrain === true) response.emit('drain')
}

/** A number that changes when bytes are written to a socket. */
function bytesWritten (socket: Duplex): number {
  return (socket as Partial<Socket>).bytesWritten ?? socket.writableLength
}
