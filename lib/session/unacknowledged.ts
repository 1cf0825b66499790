import { FrameStore } from './frame-store.js'
import { Received } from './received.js'
import type { Slice } from '../shared/slice.js'

/** How much is kept of the messages that the kernel has taken and the client not acknowledged. */
export interface BufferLimits {
  readonly bytes: number
  readonly frames: number
}

/**
 * Bytes of memory that a kept frame takes besides its own, about. They are counted while a client
 * is away: otherwise the number of empty messages for it would hardly be limited.
 */
export const frameOverhead = 96

/** The frames of all sessions of this thread. */
const store = new FrameStore()

/**
 * The data messages of the server that its client has not acknowledged, numbered from 1. The frames
 * are those before compression. They are not copied while the client acknowledges them soon: the
 * receivers of a broadcast share one.
 *
 * It is a base class of a session and no object of its own: with thousands of sessions, an object
 * is in no CPU cache when the next message is sent. The fields that a message needs come last, next
 * to those of the subclass. No method has a `#` name, because that costs one more field.
 */
export class Unacknowledged extends Received {
  /** Callbacks by the number of their message. Few messages have one. */
  #onWritten: Map<number, () => void> | undefined
  /** The oldest comes first. */
  #onAcknowledged: Array<{ readonly number: number, readonly callback: () => void }> | undefined
  /** The highest number that the client has acknowledged. */
  acknowledged = 0
  /** Where the queue of the frames begins in the store. There is none while nothing is kept. */
  #start = 0
  #end = 0
  /** Number of the kept messages. */
  keptCount = 0
  /** Bytes of the kept frames. */
  keptFrameBytes = 0
  /** The number of the last message. */
  sent = 0

  /** Bytes of memory that the kept frames take, about. */
  get keptBytes (): number {
    return this.keptFrameBytes + this.keptCount * frameOverhead
  }

  /** The highest number that is not kept any more: the client has it, or it was evicted. */
  get droppedUpTo (): number {
    return this.sent - this.keptCount
  }

  /** Keeps a message under the next number. @param written called once, by {@link messageTaken} */
  keep (frame: Slice, written: (() => void) | undefined): void {
    this.sent++
    this.keptFrameBytes += frame.length
    if (this.keptCount++ === 0) this.#start = this.#end = store.openQueue()
    this.#end = store.append(this.#end, frame)
    if (written !== undefined) (this.#onWritten ??= new Map()).set(this.sent, written)
  }

  /**
   * Copies the kept frames, as far as they would hold much more memory than their own. Call it when
   * they stay for longer than until the next acknowledgement.
   */
  protected compactKept (): void {
    store.compact(this.#start, this.keptCount)
  }

  /** Does the same with the last frame alone. */
  protected compactLast (): void {
    store.compactLast(this.#end)
  }

  /** Returns what is to be called when the kernel has taken a message, if somebody waits for it. */
  protected takenCallback (number: number): (() => void) | undefined {
    if (this.#onWritten?.has(number) !== true) return undefined
    return () => { this.messageTaken(number) }
  }

  /** Called when the kernel has taken a message: on any of the sockets that it was written to. */
  private messageTaken (number: number): void {
    const callback = this.#onWritten?.get(number)
    if (callback === undefined) return
    this.#onWritten!.delete(number)
    callback()
  }

  /**
   * Drops the messages up to a number. The client has them, so the kernel had taken them.
   * @param number of a message that was sent
   */
  acknowledge (number: number): void {
    this.acknowledged = Math.max(this.acknowledged, number)
    while (this.droppedUpTo < number) {
      this.dropFirst()
      if (this.#onWritten !== undefined) this.messageTaken(this.droppedUpTo)
    }
    if (this.#onAcknowledged !== undefined) this.callBackUpTo(number)
  }

  private callBackUpTo (number: number): void {
    const waiting = this.#onAcknowledged!
    while (waiting.length > 0 && waiting[0].number <= number) waiting.shift()!.callback()
    if (waiting.length === 0) this.#onAcknowledged = undefined
  }

  /** Calls back when the client has acknowledged all messages up to now: perhaps at once. */
  whenAcknowledged (callback: () => void): void {
    if (this.acknowledged >= this.sent) callback()
    else (this.#onAcknowledged ??= []).push({ number: this.sent, callback })
  }

  /**
   * Drops the oldest messages until the limits hold for what the kernel has taken.
   * @param untaken bytes that the kernel has not taken. They belong to the newest messages
   */
  evict ({ bytes, frames }: BufferLimits, untaken: number): void {
    while (this.keptFrameBytes - untaken > bytes || this.keptCount > frames) {
      if (this.keptCount === 0) return
      if (this.keptFrameBytes - store.lengthAt(this.#start) < untaken) return
      this.dropFirst()
    }
  }

  /** Calls back for each kept message, in order. */
  protected forEachKept (send: (frame: Slice, number: number) => void): void {
    let number = this.droppedUpTo
    for (const frame of store.read(this.#start, this.keptCount)) send(frame, ++number)
  }

  /** Releases all frames and callbacks. */
  protected releaseKept (): void {
    while (this.keptCount > 0) this.dropFirst()
    this.#onWritten = undefined
    this.#onAcknowledged = undefined
  }

  private dropFirst (): void {
    this.keptFrameBytes -= store.lengthAt(this.#start)
    this.#start = store.drop(this.#start)
    if (--this.keptCount === 0) store.closeQueue(this.#end)
  }
}
