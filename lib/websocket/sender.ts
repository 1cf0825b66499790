import { FrameCache } from './frames.js'
import type { Duplex } from 'node:stream'

/** Bytes after which a turn's frames are written without waiting for its end. */
const flushAt = 64 * 1024
/** Frames after which they are written, or packed while they cannot be: each is an object of some 100 bytes. */
const maxFrames = 1024
/** Frames are joined by copying up to this average size; larger ones go as a vector. */
const maxCopySize = 2048

/**
 * Breaths of the event loop that a flush waits for processes that have mail: what they send is in the
 * same write. Between two breaths lies the scheduler's budget: under a flood that never ends, so many
 * budgets are what a frame waits longer.
 */
const maxYields = 4

/** How many times the limit one turn of the event loop may send to a client whose buffer was empty. */
const burstFactor = 16

const none: readonly Buffer[] = []
const empty = Buffer.alloc(0)

/** Frames of one turn of the event loop that exceed the limit of a client whose buffer was empty. */
interface Burst {
  readonly sender: Sender
}

/** Writes the outboxes that have something, once in a turn of the event loop: one write each. */
export class Flusher {
  /** The frame of the last string of this turn. */
  readonly frames = new FrameCache()
  readonly #isBusy: () => boolean
  #dirty: Sender[] = []
  #bursts: Burst[] = []
  #yields = 0
  /** What was joined last. */
  #parts = none
  #joined: Buffer = empty

  /** Writes, and chunks that were joined, since the start, for the tests that count them. */
  writes = 0
  joins = 0

  /** @param busy whether processes have mail that they will handle after a breath */
  constructor (busy: () => boolean = () => false) {
    this.#isBusy = busy
  }

  schedule (sender: Sender): void {
    if (this.#dirty.push(sender) === 1) setImmediate(this.#flushAll)
  }

  /** Has the burst judged when the frames of this turn were written and the socket had a turn to drain. */
  scheduleBurst (burst: Burst): void {
    this.#bursts.push(burst)
    this.schedule(burst.sender)
  }

  /** Frames as one chunk. The members of a room have the same ones, and share the chunk. */
  join (frames: readonly Buffer[], bytes: number): Buffer {
    const parts = this.#parts
    if (frames.length !== parts.length || frames.some((frame, i) => frame !== parts[i])) {
      this.joins++
      this.#joined = Buffer.concat(frames, bytes)
      this.#parts = frames
    }
    return this.#joined
  }

  readonly #flushAll = (): void => {
    if (this.#yields < maxYields && this.#isBusy()) {
      this.#yields++
      setImmediate(this.#flushAll)
      return
    }
    const dirty = this.#dirty
    this.#dirty = []
    this.#yields = 0
    for (const sender of dirty) sender.endTurn()
    this.frames.clear()
    this.#parts = none
    this.#joined = empty
    if (this.#bursts.length > 0) this.#judgeBursts()
  }

  #judgeBursts (): void {
    const bursts = this.#bursts
    this.#bursts = []
    setImmediate(() => { for (const burst of bursts) burst.sender.judgeBurst(burst) })
  }
}

/** What waits for one client: frames in order, joined into one write per turn. */
export class Sender {
  readonly #socket: Duplex
  readonly #flusher: Flusher
  /** The frame that waits alone: mostly there is no other. */
  #singleFrame: Buffer | undefined
  /** The frames that wait, when there are more. */
  #frames: Buffer[] | undefined
  /** How many of the frames are packed ones already. */
  #packedCount = 0
  #queuedBytes = 0
  #isScheduled = false
  /** The socket may hold bytes that the kernel has not taken. */
  #socketMayHoldBytes = true
  /**
   * `empty`: the buffer was empty at some time in this turn of the event loop. A burst: it was, and
   * is over the limit since. `late`: it has held bytes since an earlier turn.
   */
  #backlog: 'empty' | Burst | 'late' = 'empty'
  #onWritten: (() => void)[] | undefined
  #onFlushed: (() => void) | undefined
  /** The answer to a ping that there was no room for. It is pushed when the socket has taken everything before it. */
  latePong: Buffer | undefined

  constructor (socket: Duplex, flusher: Flusher) {
    this.#socket = socket
    this.#flusher = flusher
  }

  /** Bytes that wait, here or in the socket. */
  get bufferedBytes (): number {
    // Each send asks. A socket that has given everything to the kernel is not looked at: with
    // thousands of them it is not in any cache.
    if (!this.#socketMayHoldBytes) return this.#queuedBytes
    const { writableLength } = this.#socket
    this.#socketMayHoldBytes = writableLength > 0
    if (!this.#socketMayHoldBytes && this.#queuedBytes === 0) this.bufferEmptied()
    return this.#queuedBytes + writableLength
  }

  /** Everything was handed to the kernel. */
  protected bufferEmptied (): void {
    this.#backlog = 'empty'
  }

  /**
   * Called when more than `limit` bytes wait.
   * @returns whether they are a burst: sent in one turn of the event loop to a client whose buffer was
   * empty. The client had no chance to read yet, so the limit holds only when the socket had a turn to
   * drain. Sixteen times the limit holds at once.
   */
  allowsBurst (limit: number): boolean {
    if (this.#backlog === 'late' || this.bufferedBytes > burstFactor * limit) return false
    if (this.#backlog === 'empty') {
      this.#backlog = { sender: this }
      this.#flusher.scheduleBurst(this.#backlog)
    }
    return true
  }

  /** The socket had a turn to drain since the burst. */
  judgeBurst (burst: Burst): void {
    if (this.#backlog === burst && this.bufferedBytes > 0) this.#backlog = 'late'
  }

  /** Called at the end of a turn of the event loop in which something was pushed. */
  endTurn (): void {
    this.flush()
    if (this.bufferedBytes === 0) this.#backlog = 'empty'
    else if (this.#backlog === 'empty') this.#backlog = 'late'
  }

  /** The socket has room again. */
  socketDrained (): void {
    this.flush()
    if (this.bufferedBytes === 0) this.bufferEmptied()
  }

  /** @param written called when the frame was handed to the kernel */
  sendFrame (frame: Buffer, written?: () => void): void {
    if (this.#queuedBytes === 0) this.#singleFrame = frame
    else this.#queueFrame(frame)
    this.#queuedBytes += frame.length
    if (written !== undefined) (this.#onWritten ??= []).push(written)
    if (this.#queuedBytes >= flushAt || this.#unpackedCount >= maxFrames) this.flush()
    else if (!this.#isScheduled) {
      this.#isScheduled = true
      this.#flusher.schedule(this)
    }
  }

  #queueFrame (frame: Buffer): void {
    if (this.#frames === undefined) this.#frames = [this.#singleFrame!, frame]
    else this.#frames.push(frame)
    this.#singleFrame = undefined
  }

  /** Frames that are not packed, where there is more than one. */
  get #unpackedCount (): number {
    return this.#frames === undefined ? 0 : this.#frames.length - this.#packedCount
  }

  /** Writes what waits, unless the socket has to drain first: then `drained` goes on. */
  flush (): void {
    this.#isScheduled = false
    const socket = this.#socket
    if (socket.destroyed) return
    if (socket.writableNeedDrain) {
      if (this.#unpackedCount >= maxFrames) this.#packFrames(this.#frames!)
      return
    }
    if (this.#queuedBytes > 0) this.#writeQueued(socket)
    if (this.latePong !== undefined) this.#sendLatePong(this.latePong)
    const last = this.#onFlushed
    if (last !== undefined && this.#queuedBytes === 0) {
      this.#onFlushed = undefined
      last()
    }
  }

  #sendLatePong (pong: Buffer): void {
    this.latePong = undefined
    this.sendFrame(pong)
  }

  /** Calls back once everything pushed so far was given to the socket. */
  whenFlushed (last: () => void): void {
    this.#onFlushed = last
    this.flush()
  }

  #writeQueued (socket: Duplex): void {
    const only = this.#singleFrame
    const frames = this.#frames
    const bytes = this.#queuedBytes
    const written = this.#onWritten
    this.#singleFrame = this.#frames = this.#onWritten = undefined
    this.#packedCount = 0
    this.#queuedBytes = 0
    const done = written && (() => {
      // A write that is given up with its socket is called back without an error.
      if (!socket.destroyed && socket.errored === null) for (const tell of written.splice(0)) tell()
    })
    this.#flusher.writes++
    if (frames === undefined) socket.write(only, done)
    else if (bytes <= frames.length * maxCopySize) socket.write(this.#flusher.join(frames, bytes), done)
    else {
      socket.cork()
      const tail = frames.pop()!
      for (const frame of frames) socket.write(frame)
      socket.write(tail, done)
      socket.uncork()
    }
    this.#socketMayHoldBytes = socket.writableLength > 0
    // The kernel has it already, and the connection may end before Node calls back.
    if (done !== undefined && !this.#socketMayHoldBytes) done()
  }

  #packFrames (frames: Buffer[]): void {
    const loose = frames.splice(this.#packedCount)
    this.#packedCount = frames.push(Buffer.concat(loose))
  }
}
