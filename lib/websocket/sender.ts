import { Buffer } from 'node:buffer'
import { Traffic } from '../connection/counters.js'
import { WebSocketEncoder } from './encoder.js'
import { copyFrames, joinFrames } from './frames.js'
import { Slice } from '../shared/slice.js'
import type { Duplex } from 'node:stream'
import type { MessageWriter } from '../connection/transport.js'
import type { Clock } from '../shared/clock.js'

/** With this many bytes, frames are written before the end of the loop iteration. */
const flushAt = 64 * 1024
/** With this many frames, they are written. */
const maxFrames = 1024
/**
 * With this many frames that the socket cannot take, they are joined. Each is an object of some 100
 * bytes, and keeps its slab, which has the frames of others.
 */
const maxWaitingFrames = 128
/** Frames up to this average size are joined by copying. Larger ones are written as a vector. */
const maxCopySize = 2048

/**
 * Loop iterations by which a flush is deferred while processes have mail, so that the frames they
 * send join the write. In each iteration, processes run for one budget of the scheduler. So a frame
 * waits for at most this many budgets, however many messages there are.
 */
const maxYields = 4

/** Multiple of the limit that one loop iteration may send to a client whose buffer was empty. */
const burstFactor = 16

const none: readonly Slice[] = []
const empty = new Slice(Buffer.alloc(0))

/** Stands for one loop iteration that sent more than the limit to a client with an empty buffer. */
interface Burst {
  readonly sender: Sender
}

/** Writes the frames of many senders at once. It calls no code of an application. */
export interface Batch {
  /** @param senders those that cannot take part, or whose socket is not ready, write later */
  sendAll (senders: readonly Sender[]): void
}

/** Flushes all senders that have frames, once in a loop iteration, with one write for each. */
export class Flusher {
  /** It keeps the frame of the last text until the end of the loop iteration. */
  readonly encoder = new WebSocketEncoder()
  readonly traffic: Traffic
  /** Present while the native sender is in use. */
  batch: Batch | undefined
  readonly #clock: Clock
  readonly #isBusy: () => boolean
  #dirty: Sender[] = []
  #bursts: Burst[] = []
  #yields = 0
  /** The frames that were joined last, and the result. */
  #parts = none
  #joined = empty

  /**
   * @param isBusy whether processes have mail that they will handle in the next loop iteration
   * @param traffic counts what all senders write
   */
  constructor (clock: Clock, isBusy: () => boolean = () => false, traffic = new Traffic()) {
    this.#clock = clock
    this.#isBusy = isBusy
    this.traffic = traffic
  }

  schedule (sender: Sender): void {
    if (this.#dirty.push(sender) === 1) this.#clock.later(this.#flushAll)
  }

  /** Has a burst judged after its frames were written and the socket had an iteration to drain. */
  scheduleBurst (burst: Burst): void {
    this.#bursts.push(burst)
    this.schedule(burst.sender)
  }

  /**
   * Joins frames into one chunk. The members of a room have the same frames and share the chunk.
   */
  joinFrames (frames: readonly Slice[], bytes: number): Slice {
    const parts = this.#parts
    if (frames.length !== parts.length || frames.some((frame, i) => frame !== parts[i])) {
      this.#joined = joinFrames(frames, bytes)
      this.#parts = frames
    }
    return this.#joined
  }

  readonly #flushAll = (): void => {
    if (this.#yields < maxYields && this.#isBusy()) {
      this.#yields++
      this.#clock.later(this.#flushAll)
      return
    }
    const dirty = this.#dirty
    this.#dirty = []
    this.#yields = 0
    this.batch?.sendAll(dirty)
    for (const sender of dirty) sender.endTurn()
    this.encoder.clearText()
    this.#parts = none
    this.#joined = empty
    if (this.#bursts.length > 0) this.#judgeBursts()
  }

  #judgeBursts (): void {
    const bursts = this.#bursts
    this.#bursts = []
    this.#clock.later(() => { for (const burst of bursts) burst.sender.judgeBurst(burst) })
  }
}

/** Queues the frames for one client, and joins them into one write in a loop iteration. */
export class Sender implements MessageWriter {
  readonly encoder: WebSocketEncoder
  readonly #socket: Duplex
  readonly #flusher: Flusher
  /** The queued frame, if it is the only one. Mostly there is no other. */
  #singleFrame: Slice | undefined
  /** The queued frames, if there are several. */
  #frames: Slice[] | undefined
  /** Number of the queued frames that are already joined ones. They come first. */
  #packedCount = 0
  #queuedBytes = 0
  #isScheduled = false
  /** The socket may hold bytes that the kernel has not taken. */
  #socketMayHoldBytes = true
  /**
   * - `empty`: the buffer was empty at some time in this loop iteration
   * - a burst: as `empty`, and the buffer has exceeded the limit since
   * - `late`: the buffer contains bytes of an earlier iteration
   */
  #backlog: 'empty' | Burst | 'late' = 'empty'
  /** Callbacks for the queued frames. */
  #onWritten: (() => void)[] | undefined
  #onFlushed: (() => void) | undefined
  /**
   * The pong for a ping that came when the buffer was full. It is sent when the queue is written.
   */
  latePong: Slice | undefined

  constructor (socket: Duplex, flusher: Flusher) {
    this.encoder = flusher.encoder
    this.#socket = socket
    this.#flusher = flusher
  }

  /** The traffic of all sockets of the server. */
  get traffic (): Traffic {
    return this.#flusher.traffic
  }

  /** Bytes that did not go through the socket. A getter, because most senders have none. */
  get sentByBatch (): number {
    return 0
  }

  /** Bytes that the kernel has not taken, in the queue and in the socket. */
  get bufferedBytes (): number {
    // Called for each message. The socket is not read if the kernel has taken all of its bytes:
    // with thousands of sockets, it is in no CPU cache.
    if (!this.#socketMayHoldBytes) return this.#queuedBytes
    const { writableLength } = this.#socket
    this.#socketMayHoldBytes = writableLength > 0
    if (!this.#socketMayHoldBytes && this.#queuedBytes === 0) this.bufferEmptied()
    return this.#queuedBytes + writableLength
  }

  /** Called when the kernel has taken all bytes. */
  protected bufferEmptied (): void {
    this.#backlog = 'empty'
  }

  /**
   * Called when more than `limit` bytes are buffered.
   * @returns whether another frame is allowed because the bytes are a burst: they were sent in one
   * loop iteration, to a client whose buffer was empty. Such a client had no time to read them. The
   * limit applies when the socket has had an iteration to drain. Sixteen times the limit applies at
   * once.
   */
  allowsBurst (limit: number): boolean {
    if (this.#backlog === 'late' || this.bufferedBytes > burstFactor * limit) return false
    if (this.#backlog === 'empty') {
      this.#backlog = { sender: this }
      this.#flusher.scheduleBurst(this.#backlog)
    }
    return true
  }

  /** Called when the socket has had a loop iteration to drain since the burst. */
  judgeBurst (burst: Burst): void {
    if (this.#backlog === burst && this.bufferedBytes > 0) this.#backlog = 'late'
  }

  /** Called at the end of a loop iteration in which a frame was sent. */
  endTurn (): void {
    this.flush()
    if (this.bufferedBytes === 0) this.#backlog = 'empty'
    else if (this.#backlog === 'empty') this.#backlog = 'late'
  }

  /** Called when the socket has room again. */
  socketDrained (): void {
    this.flush()
    if (this.bufferedBytes === 0) this.bufferEmptied()
  }

  /** @param written called when the kernel has taken the frame */
  sendEncoded (frame: Slice, written?: () => void): void {
    if (this.#queuedBytes === 0) this.#singleFrame = frame
    else this.#queueFrame(frame)
    this.#queuedBytes += frame.length
    if (written !== undefined) (this.#onWritten ??= []).push(written)
    if (this.#queuedBytes >= flushAt || this.#unpackedCount() >= maxFrames) this.flush()
    else if (!this.#isScheduled) {
      this.#isScheduled = true
      this.#flusher.schedule(this)
    }
  }

  #queueFrame (frame: Slice): void {
    if (this.#frames === undefined) this.#frames = [this.#singleFrame!, frame]
    else this.#frames.push(frame)
    this.#singleFrame = undefined
  }

  /**
   * Number of queued frames that are not joined; 0 if there is only one. A method, because V8 calls
   * its runtime for each use of a private getter.
   */
  #unpackedCount (): number {
    return this.#frames === undefined ? 0 : this.#frames.length - this.#packedCount
  }

  /** Writes the queued frames. If the socket has to drain first, `socketDrained` does it later. */
  flush (): void {
    this.#isScheduled = false
    const socket = this.#socket
    if (socket.destroyed) return
    if (socket.writableNeedDrain) {
      if (this.#unpackedCount() >= maxWaitingFrames) this.#packFrames(this.#frames!)
      return
    }
    if (this.#queuedBytes > 0) this.#writeQueued(socket)
    else if (this.#onWritten !== undefined) this.#callWritten(this.#onWritten)
    if (this.latePong !== undefined) this.#sendLatePong(this.latePong)
    const flushed = this.#onFlushed
    if (flushed !== undefined && this.#queuedBytes === 0) {
      this.#onFlushed = undefined
      flushed()
    }
  }

  /** The queued frames as one chunk, unless they are too large to be joined. */
  protected queuedChunk (maxBytes: number): Slice | undefined {
    const frames = this.#frames
    const bytes = this.#queuedBytes
    if (bytes > maxBytes) return undefined
    if (frames === undefined) return this.#singleFrame
    if (bytes > frames.length * maxCopySize) return undefined
    return this.#flusher.joinFrames(frames, bytes)
  }

  /**
   * Called when the kernel has taken the beginning of the queued chunk. The socket writes the rest,
   * and finds out what is wrong if the kernel took nothing. The callbacks of the frames run in the
   * next `flush`, because this must not call code of an application.
   *
   * @returns whether the turn is over: nothing waits, and nobody is to be called back
   */
  protected chunkTaken (chunk: Slice, taken: number): boolean {
    const written = this.#onWritten
    this.#clearQueue()
    this.#flusher.traffic.bytesOut += chunk.length
    this.#socketMayHoldBytes = taken < chunk.length
    if (this.#socketMayHoldBytes) {
      this.#socket.write(chunk.bytes.subarray(taken), written && this.#doneWith(written))
      this.#socketMayHoldBytes = this.#socket.writableLength > 0
    }
    // Moved, because Node still calls back for the rest: callbacks of later frames are not for it.
    if (!this.#socketMayHoldBytes) this.#onWritten = written?.splice(0)
    // A DeflatingSender is never batched, so these are all bytes that wait.
    if (this.#socketMayHoldBytes || this.#isAwaited()) return false
    this.#isScheduled = false
    this.#backlog = 'empty'
    return true
  }

  /** Whether `flush` has more to do than to write frames. */
  #isAwaited (): boolean {
    return (this.#onWritten ?? this.latePong ?? this.#onFlushed) !== undefined
  }

  #callWritten (written: (() => void)[]): void {
    // A write has failed, and Node destroys the socket soon.
    if (this.#socket.errored !== null) return
    this.#onWritten = undefined
    for (const callback of written.splice(0)) callback()
  }

  #clearQueue (): void {
    this.#singleFrame = this.#frames = this.#onWritten = undefined
    this.#packedCount = 0
    this.#queuedBytes = 0
  }

  /** Node calls back without an error for a write that was dropped with its socket. */
  #doneWith (written: (() => void)[]): () => void {
    return () => {
      if (this.#socket.destroyed || this.#socket.errored !== null) return
      for (const callback of written.splice(0)) callback()
    }
  }

  #sendLatePong (pong: Slice): void {
    this.latePong = undefined
    this.sendEncoded(pong)
  }

  /** Calls back once when all frames so far were written to the socket. */
  whenFlushed (flushed: () => void): void {
    this.#onFlushed = flushed
    this.flush()
  }

  #writeQueued (socket: Duplex): void {
    const single = this.#singleFrame
    const frames = this.#frames
    const bytes = this.#queuedBytes
    const written = this.#onWritten
    this.#clearQueue()
    this.#flusher.traffic.bytesOut += bytes
    const done = written && this.#doneWith(written)
    if (frames === undefined) socket.write(single!.bytes, done)
    else if (bytes <= frames.length * maxCopySize) {
      socket.write(this.#flusher.joinFrames(frames, bytes).bytes, done)
    } else {
      socket.cork()
      const tail = frames.pop()!
      for (const frame of frames) socket.write(frame.bytes)
      socket.write(tail.bytes, done)
      socket.uncork()
    }
    this.#socketMayHoldBytes = socket.writableLength > 0
    // The kernel has taken the bytes already, and the connection may end before Node calls back.
    if (done !== undefined && !this.#socketMayHoldBytes) done()
  }

  #packFrames (frames: Slice[]): void {
    const unpacked = frames.splice(this.#packedCount)
    const bytes = unpacked.reduce((sum, { length }) => sum + length, 0)
    this.#packedCount = frames.push(copyFrames(unpacked, bytes))
  }
}
