import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import { Sender } from './sender.js'
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import type { Slice } from '../shared/slice.js'
import type { Flusher } from './sender.js'

/** A larger chunk is written by its socket, which does not copy it. */
const maxChunk = 64 * 1024

/**
 * Errors of a socket that has failed. The kernel reports most of them once only, so the socket has
 * to get them from here. After any other one it writes by itself, and finds out what is wrong.
 */
const fatalErrors = new Set([
  'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN'
].map((code) => -constants.errno[code as 'EPIPE']))

/** The error that Node makes when a write fails. */
function writeError (errno: number): Error {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`write ${code}`), { errno, code, syscall: 'write' })
}

/** A socket of Node with its handle: libuv's stream, which is gone when the socket is destroyed. */
type TcpSocket = Socket & {
  readonly _handle: { readonly fd: number } | null
  readonly encrypted?: boolean
}

/**
 * Whether a stream is a TCP socket without TLS, whose descriptor can be written to. A TLS socket
 * has a descriptor as well, and must not be written without encryption.
 * @internal
 */
export function isPlainTcp (socket: Duplex): socket is TcpSocket {
  const { _handle: handle, encrypted } = socket as Partial<TcpSocket>
  return encrypted !== true && handle?.constructor.name === 'TCP'
}

/**
 * A sender for a TCP socket: it takes part in the batch at the end of a loop iteration. In all
 * other cases it writes as its base class. The order of bytes is kept, because the batch is used
 * only while the socket has none of its own.
 */
export class NativeSender extends Sender {
  readonly #tcp: TcpSocket
  /** Node's counters do not know of these bytes. */
  #sentByBatch = 0
  /**
   * - `waiting`: its chunk is in the batch. A sender may be listed twice, once for a burst
   * - `sent`: the batch has done all that there was to do at the end of this loop iteration
   */
  #batchState: 'none' | 'waiting' | 'sent' = 'none'

  constructor (socket: TcpSocket, flusher: Flusher) {
    super(socket, flusher)
    this.#tcp = socket
  }

  override get sentByBatch (): number {
    return this.#sentByBatch
  }

  /** Read it right before its use: it may be that of another socket later. */
  get descriptor (): number {
    return this.#tcp._handle!.fd
  }

  /** The chunk to send now; undefined if there is none, or the socket has to write it. */
  chunkForBatch (): Slice | undefined {
    const socket = this.#tcp
    if (this.#batchState === 'waiting') return undefined
    // One getter for a socket that is destroyed, has failed or was ended: each of those costs more.
    if (socket._handle === null || !socket.writable) return undefined
    // Bytes of the socket come first: they are in its buffer, or libuv has not written all of them.
    if (socket.writableLength > 0 || socket.writableCorked > 0) return undefined
    const chunk = this.queuedChunk(maxChunk)
    if (chunk !== undefined) this.#batchState = 'waiting'
    return chunk
  }

  /** @param sent bytes that the kernel has taken, or a negative errno */
  batchSent (chunk: Slice, sent: number): void {
    this.#batchState = 'none'
    if (sent < 0 && fatalErrors.has(sent)) {
      this.#tcp.destroy(writeError(sent))
      return
    }
    const taken = Math.max(0, sent)
    this.#sentByBatch += taken
    this.#batchState = this.chunkTaken(chunk, taken) ? 'sent' : 'none'
  }

  override endTurn (): void {
    if (this.#batchState === 'sent') this.#batchState = 'none'
    else super.endTurn()
  }
}
