import { FrameCache } from './frames.js'
import type { Duplex } from 'node:stream'

/** Bytes after which a turn's frames are written without waiting for its end. */
const flushAt = 64 * 1024
/** Frames after which they are written, or packed while they cannot be: each is an object of some 100 bytes. */
const mostFrames = 1024
/** Frames are joined by copying up to this average size; larger ones go as a vector. */
const copyUpTo = 2048

/**
 * Breaths of the event loop that a flush waits for processes that have mail: what they send is in the
 * same write. Between two breaths lies the scheduler's budget: under a flood that never ends, so many
 * budgets are what a frame waits longer.
 */
const mostBreaths = 4

const none: readonly Buffer[] = []
const empty = Buffer.alloc(0)

/** Writes the outboxes that have something, once in a turn of the event loop: one write each. */
export class Flusher {
  /** The frame of the last string of this turn. */
  readonly frames = new FrameCache()
  readonly #busy: () => boolean
  #dirty: Outbox[] = []
  #breaths = 0
  /** What was joined last. */
  #parts = none
  #joined: Buffer = empty

  /** Writes, and chunks that were joined, since the start, for the tests that count them. */
  writes = 0
  joins = 0

  /** @param busy whether processes have mail that they will handle after a breath */
  constructor (busy: () => boolean = () => false) {
    this.#busy = busy
  }

  add (outbox: Outbox): void {
    if (this.#dirty.push(outbox) === 1) setImmediate(this.#flushAll)
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
    if (this.#breaths < mostBreaths && this.#busy()) {
      this.#breaths++
      setImmediate(this.#flushAll)
      return
    }
    const dirty = this.#dirty
    this.#dirty = []
    this.#breaths = 0
    for (const outbox of dirty) outbox.flush()
    this.frames.clear()
    this.#parts = none
    this.#joined = empty
  }
}

/** What waits for one client: frames in order, joined into one write per turn. */
export class Outbox {
  readonly #socket: Duplex
  readonly #flusher: Flusher
  /** The frame that waits alone: mostly there is no other. */
  #only: Buffer | undefined
  /** The frames that wait, when there are more. */
  #frames: Buffer[] | undefined
  /** How many of the frames are packed ones already. */
  #packed = 0
  #bytes = 0
  #queued = false
  /** The socket may hold bytes that the kernel has not taken. */
  #held = true
  #written: (() => void)[] | undefined
  #last: (() => void) | undefined

  constructor (socket: Duplex, flusher: Flusher) {
    this.#socket = socket
    this.#flusher = flusher
  }

  /** Bytes that wait, here or in the socket. */
  get waiting (): number {
    // Each send asks. A socket that has given everything to the kernel is not looked at: with
    // thousands of them it is not in any cache.
    if (!this.#held) return this.#bytes
    const { writableLength } = this.#socket
    this.#held = writableLength > 0
    return this.#bytes + writableLength
  }

  /** @param written called when the frame was handed to the kernel */
  push (frame: Buffer, written?: () => void): void {
    if (this.#bytes === 0) this.#only = frame
    else this.#pushMore(frame)
    this.#bytes += frame.length
    if (written !== undefined) (this.#written ??= []).push(written)
    if (this.#bytes >= flushAt || this.#loose >= mostFrames) this.flush()
    else if (!this.#queued) {
      this.#queued = true
      this.#flusher.add(this)
    }
  }

  #pushMore (frame: Buffer): void {
    if (this.#frames === undefined) this.#frames = [this.#only!, frame]
    else this.#frames.push(frame)
    this.#only = undefined
  }

  /** Frames that are not packed, where there is more than one. */
  get #loose (): number {
    return this.#frames === undefined ? 0 : this.#frames.length - this.#packed
  }

  /** Writes what waits, unless the socket has to drain first: then `drained` goes on. */
  flush (): void {
    this.#queued = false
    const socket = this.#socket
    if (socket.destroyed) return
    if (socket.writableNeedDrain) {
      if (this.#loose >= mostFrames) this.#pack(this.#frames!)
      return
    }
    if (this.#bytes > 0) this.#write(socket)
    const last = this.#last
    if (last !== undefined && this.#bytes === 0) {
      this.#last = undefined
      last()
    }
  }

  /** Calls back once everything pushed so far was given to the socket. */
  afterAll (last: () => void): void {
    this.#last = last
    this.flush()
  }

  #write (socket: Duplex): void {
    const only = this.#only
    const frames = this.#frames
    const bytes = this.#bytes
    const written = this.#written
    this.#only = this.#frames = this.#written = undefined
    this.#packed = 0
    this.#bytes = 0
    const done = written && (() => {
      // A write that is given up with its socket is called back without an error.
      if (!socket.destroyed && socket.errored === null) for (const tell of written.splice(0)) tell()
    })
    this.#flusher.writes++
    if (frames === undefined) socket.write(only, done)
    else if (bytes <= frames.length * copyUpTo) socket.write(this.#flusher.join(frames, bytes), done)
    else {
      socket.cork()
      const tail = frames.pop()!
      for (const frame of frames) socket.write(frame)
      socket.write(tail, done)
      socket.uncork()
    }
    this.#held = socket.writableLength > 0
    // The kernel has it already, and the connection may end before Node calls back.
    if (done !== undefined && !this.#held) done()
  }

  #pack (frames: Buffer[]): void {
    const loose = frames.splice(this.#packed)
    this.#packed = frames.push(Buffer.concat(loose))
  }
}
