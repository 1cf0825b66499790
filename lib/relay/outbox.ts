import { FrameCache } from './frames.js'
import type { Duplex } from 'node:stream'

/** Bytes after which a turn's frames are written without waiting for its end. */
const flushAt = 64 * 1024
/** Frames after which they are written, or packed while they cannot be: each is an object of some 100 bytes. */
const mostFrames = 1024
/** Frames are joined by copying up to this average size; larger ones go as a vector. */
const copyUpTo = 2048

/** Writes the outboxes that have something, once in a turn of the event loop: one write each. */
export class Flusher {
  /** The frame of the last string of this turn. */
  readonly frames = new FrameCache()
  #dirty: Outbox[] = []

  /** Writes since the start, for the tests that count them. */
  writes = 0

  add (outbox: Outbox): void {
    if (this.#dirty.push(outbox) === 1) setImmediate(this.#flushAll)
  }

  readonly #flushAll = (): void => {
    const dirty = this.#dirty
    this.#dirty = []
    for (const outbox of dirty) outbox.flush()
    this.frames.clear()
  }
}

/** What waits for one client: frames in order, joined into one write per turn. */
export class Outbox {
  readonly #socket: Duplex
  readonly #flusher: Flusher
  #frames: Buffer[] = []
  /** How many of the frames are packed ones already. */
  #packed = 0
  #bytes = 0
  #queued = false
  #written: (() => void)[] | undefined
  #last: (() => void) | undefined

  constructor (socket: Duplex, flusher: Flusher) {
    this.#socket = socket
    this.#flusher = flusher
  }

  /** Bytes that wait, here or in the socket. */
  get waiting (): number {
    return this.#bytes + this.#socket.writableLength
  }

  /** @param written called when the frame was handed to the kernel */
  push (frame: Buffer, written?: () => void): void {
    this.#frames.push(frame)
    this.#bytes += frame.length
    if (written !== undefined) (this.#written ??= []).push(written)
    if (this.#bytes >= flushAt || this.#frames.length - this.#packed >= mostFrames) this.flush()
    else if (!this.#queued) {
      this.#queued = true
      this.#flusher.add(this)
    }
  }

  /** Writes what waits, unless the socket has to drain first: then `drained` goes on. */
  flush (): void {
    this.#queued = false
    const socket = this.#socket
    if (socket.destroyed) return
    if (socket.writableNeedDrain) {
      if (this.#frames.length - this.#packed >= mostFrames) this.#pack()
      return
    }
    if (this.#frames.length > 0) this.#write(socket)
    const last = this.#last
    if (last !== undefined && this.#frames.length === 0) {
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
    const frames = this.#frames
    const bytes = this.#bytes
    const written = this.#written
    this.#frames = []
    this.#packed = 0
    this.#bytes = 0
    this.#written = undefined
    const done = written && (() => {
      // A write that is given up with its socket is called back without an error.
      if (!socket.destroyed && socket.errored === null) for (const tell of written.splice(0)) tell()
    })
    this.#flusher.writes++
    if (frames.length === 1) socket.write(frames[0], done)
    else if (bytes <= frames.length * copyUpTo) socket.write(Buffer.concat(frames, bytes), done)
    else {
      socket.cork()
      const tail = frames.pop()!
      for (const frame of frames) socket.write(frame)
      socket.write(tail, done)
      socket.uncork()
    }
    // The kernel has it already, and the connection may end before Node calls back.
    if (done !== undefined && socket.writableLength === 0) done()
  }

  #pack (): void {
    const loose = this.#frames.splice(this.#packed)
    this.#packed = this.#frames.push(Buffer.concat(loose))
  }
}
