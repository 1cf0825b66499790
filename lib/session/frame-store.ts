import { Slice } from '../shared/slice.js'

/** The numbers of an entry: the memory of its frame, and the place of the frame there. */
const entrySize = 3
/** The numbers of a block: ten entries, and the next block of the queue. */
const blockSize = 32
const linkAt = blockSize - 1
const endOfEntries = 10 * entrySize

/** While no frame is kept, the numbers of so many blocks stay allocated. */
const minBlocks = 1024

/** Copies of frames lie one after another in memory of this size. */
const slabSize = 8 * 1024
/** A longer copy has memory of its own. */
const maxSlabCopy = 2 * 1024

/** Where a frame was copied to. */
interface Copy {
  readonly id: number
  /** The memory has this number while the copy is there: numbers of memories are used again. */
  readonly use: number
  readonly start: number
}

/**
 * Keeps frames in queues, which are chains of blocks of numbers. It keeps the memory of a frame,
 * and does not copy the frame. Memory that frames share is held once, and counted.
 *
 * The memory is mostly a slab with frames of many clients. A frame that stays for long would hold
 * all of it: `compact` copies such frames to slabs that have no others.
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
  /** By memory: whether it has copies only, and how often its number was given to a memory. */
  readonly #hasCopies: boolean[] = []
  readonly #uses: number[] = []
  /** By the memory and the start of a frame. The receivers of a broadcast share its copy. */
  readonly #copies = new WeakMap<Buffer, Map<number, Copy>>()
  /** The slab for further copies, unless all of its copies were dropped. */
  #slabId = -1
  #slabUsed = 0

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
    this.#release(this.#numbers[at])
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

  /**
   * Copies frames of a queue out of memory that they have the smaller part of.
   * @param count of the frames from `start`
   */
  compact (start: number, count: number): void {
    const numbers = this.#numbers
    for (let at = start, i = 0; i < count; i++, at += entrySize) {
      at = this.#entryAt(at)
      const id = numbers[at]
      const memory = this.#memories[id]!
      const length = numbers[at + 2]
      if (this.#hasCopies[id] || 2 * length >= memory.length) continue
      const copy = this.#copyOf(memory, numbers[at + 1], length)
      this.#frameCounts[copy.id]++
      numbers[at] = copy.id
      numbers[at + 1] = copy.start
      this.#release(id)
    }
  }

  /** Does the same with the last frame. @param end of the queue */
  compactLast (end: number): void {
    this.compact(end - entrySize, 1)
  }

  #copyOf (memory: Buffer, start: number, length: number): Copy {
    let copies = this.#copies.get(memory)
    if (copies === undefined) this.#copies.set(memory, copies = new Map())
    const known = copies.get(start)
    if (known !== undefined && this.#uses[known.id] === known.use) return known
    const copy = this.#reserve(length)
    memory.copy(this.#memories[copy.id]!, copy.start, start, start + length)
    copies.set(start, copy)
    return copy
  }

  /** Makes room for a copy. */
  #reserve (length: number): Copy {
    if (length > maxSlabCopy) return this.#place(this.#addCopies(length), 0)
    if (this.#slabId === -1 || this.#slabUsed + length > slabSize) {
      this.#slabId = this.#addCopies(slabSize)
      this.#slabUsed = 0
    }
    this.#slabUsed += length
    return this.#place(this.#slabId, this.#slabUsed - length)
  }

  #place (id: number, start: number): Copy {
    return { id, use: this.#uses[id], start }
  }

  /** Adds memory that has copies only. @returns its number */
  #addCopies (size: number): number {
    const id = this.#takeId(Buffer.allocUnsafeSlow(size))
    this.#hasCopies[id] = true
    return id
  }

  /** The position of an entry, which may be the first one of the next block. */
  #entryAt (at: number): number {
    return at % blockSize === endOfEntries ? this.#numbers[at - at % blockSize + linkAt] : at
  }

  #addMemory (memory: Buffer): void {
    this.#lastMemory = memory
    this.#lastId = this.#takeId(memory)
  }

  #takeId (memory: Buffer): number {
    const id = this.#freeIds.pop() ?? this.#memories.length
    this.#memories[id] = memory
    this.#frameCounts[id] = 0
    this.#hasCopies[id] = false
    this.#uses[id] = (this.#uses[id] ?? 0) + 1
    return id
  }

  /** Called when a frame in a memory is kept no more. */
  #release (id: number): void {
    if (--this.#frameCounts[id] > 0) return
    this.#memories[id] = undefined
    this.#uses[id]++
    this.#freeIds.push(id)
    if (id === this.#lastId) this.#lastMemory = undefined
    if (id === this.#slabId) this.#slabId = -1
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
