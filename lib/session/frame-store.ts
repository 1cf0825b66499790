import { Slice } from '../shared/slice.js'

/** The numbers of an entry: the memory of its frame, and the place of the frame there. */
const entrySize = 3
/** The numbers of a block: ten entries, and the next block of the queue. */
const blockSize = 32
const linkAt = blockSize - 1
const endOfEntries = 10 * entrySize

/** While no frame is kept, the numbers of so many blocks stay allocated. */
const minBlocks = 1024

/**
 * Keeps frames in queues, which are chains of blocks of numbers. It keeps the memory of a frame,
 * and does not copy the frame. Memory that frames share is held once, and counted.
 *
 * Frames that wait for an acknowledgement live long and are many. As objects, each garbage
 * collection of the young generation would copy them. Arrays, one for each client, would be in no
 * CPU cache when the next frame is kept.
 */
export class FrameStore {
  #numbers = new Int32Array(minBlocks * blockSize)
  /** Blocks that were used at some time. */
  #blockCount = 0
  #freeBlocks: number[] = []
  readonly #memories: Array<Buffer | undefined> = []
  /** Frames that are kept in each memory. */
  readonly #frameCounts: number[] = []
  readonly #freeIds: number[] = []
  /** The memory of the frame that was kept last. Mostly it contains the next one too. */
  #lastMemory: Buffer | undefined
  #lastId = -1

  /** Returns the position of the first entry of a new queue. */
  openQueue (): number {
    return this.#takeBlock()
  }

  /**
   * Keeps a frame.
   * @param end of the queue
   * @returns the new end of the queue
   */
  append (end: number, { memory, start, length }: Slice): number {
    const at = end % blockSize === endOfEntries ? this.#addBlock(end) : end
    if (memory !== this.#lastMemory) this.#addMemory(memory)
    this.#frameCounts[this.#lastId]++
    const numbers = this.#numbers
    numbers[at] = this.#lastId
    numbers[at + 1] = start
    numbers[at + 2] = length
    return at + entrySize
  }

  /** The length of a frame. */
  lengthAt (at: number): number {
    return this.#numbers[this.#entryAt(at) + 2]
  }

  /**
   * Drops the first frame of a queue.
   * @returns the new start of the queue
   */
  drop (start: number): number {
    const at = this.#entryAt(start)
    if (at !== start) this.#freeBlock(start)
    const id = this.#numbers[at]
    if (--this.#frameCounts[id] === 0) this.#dropMemory(id)
    return at + entrySize
  }

  /** Call it when all frames of the queue are dropped. */
  closeQueue (end: number): void {
    this.#freeBlock(end)
  }

  /** Returns frames of a queue. They share the memory that is kept. */
  read (start: number, count: number): Slice[] {
    const frames: Slice[] = []
    let at = start
    while (frames.length < count) {
      at = this.#entryAt(at)
      const [id, offset, length] = this.#numbers.subarray(at, at + entrySize)
      frames.push(new Slice(this.#memories[id]!, offset, length))
      at += entrySize
    }
    return frames
  }

  /** The position of an entry, which may be the first one of the next block. */
  #entryAt (at: number): number {
    return at % blockSize === endOfEntries ? this.#numbers[at - at % blockSize + linkAt] : at
  }

  #addMemory (memory: Buffer): void {
    this.#lastMemory = memory
    this.#lastId = this.#freeIds.pop() ?? this.#memories.length
    this.#memories[this.#lastId] = memory
    this.#frameCounts[this.#lastId] = 0
  }

  #dropMemory (id: number): void {
    this.#memories[id] = undefined
    this.#freeIds.push(id)
    if (id === this.#lastId) this.#lastMemory = undefined
  }

  #addBlock (end: number): number {
    const block = this.#takeBlock()
    this.#numbers[end - end % blockSize + linkAt] = block
    return block
  }

  #takeBlock (): number {
    const free = this.#freeBlocks.pop()
    if (free !== undefined) return free
    const block = this.#blockCount++ * blockSize
    if (block === this.#numbers.length) {
      const larger = new Int32Array(2 * block)
      larger.set(this.#numbers)
      this.#numbers = larger
    }
    return block
  }

  #freeBlock (at: number): void {
    this.#freeBlocks.push(at - at % blockSize)
    if (this.#blockCount <= minBlocks || this.#freeBlocks.length < this.#blockCount) return
    this.#numbers = new Int32Array(minBlocks * blockSize)
    this.#blockCount = 0
    this.#freeBlocks = []
  }
}
