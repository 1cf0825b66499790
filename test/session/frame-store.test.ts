import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { FrameStore } from '../../lib/session/frame-store.js'
import { Slice } from '../../lib/shared/slice.js'
import { areHeld, smallSlice } from '../held.js'

/** A queue, and the texts of its frames. */
class Queue {
  readonly #store: FrameStore
  #start = 0
  #end = 0
  readonly expected: string[] = []

  constructor (store: FrameStore) {
    this.#store = store
  }

  append (frame: Buffer | Slice): void {
    const slice = frame instanceof Slice ? frame : new Slice(frame)
    if (this.expected.length === 0) this.#start = this.#end = this.#store.openQueue()
    this.#end = this.#store.append(this.#end, slice)
    this.expected.push(String(slice.bytes))
  }

  drop (): void {
    this.#start = this.#store.drop(this.#start)
    this.expected.shift()
    if (this.expected.length === 0) this.#store.closeQueue(this.#end)
  }

  compact (): void {
    this.#store.compact(this.#start, this.expected.length)
  }

  compactLast (): void {
    this.#store.compactLast(this.#end)
  }

  get slices (): Slice[] {
    return this.#store.read(this.#start, this.expected.length)
  }

  get frames (): string[] {
    return this.slices.map(({ bytes }) => String(bytes))
  }

  get isRight (): boolean {
    return isDeepStrictEqual(this.frames, this.expected)
  }

  get firstLength (): number {
    return this.#store.lengthAt(this.#start)
  }
}

t.test('keeps the frames of many queues apart, in order', async (t) => {
  const store = new FrameStore()
  const queues = Array.from({ length: 7 }, () => new Queue(store))
  for (let i = 0; i < 3000; i++) {
    const queue = queues[i * i % 7]
    queue.append(Buffer.from(`frame ${i}`))
    if (i % 3 > 0) queue.drop()
    if (i % 100 === 0) t.ok(queues.every(({ isRight }) => isRight))
  }
  for (const { isRight, expected, firstLength } of queues) {
    t.ok(isRight)
    if (expected.length > 0) t.equal(firstLength, expected[0].length)
  }
})

t.test('reads the first frame of the next block', async (t) => {
  const queue = new Queue(new FrameStore())
  for (let i = 0; i < 11; i++) queue.append(Buffer.from('x'.repeat(i)))
  for (let i = 0; i < 10; i++) queue.drop()
  t.equal(queue.firstLength, 10)
  t.same(queue.frames, ['x'.repeat(10)])
  queue.append(Buffer.from('next'))
  t.same(queue.frames, queue.expected)
})

t.test('keeps a frame again after it was dropped', async (t) => {
  const queue = new Queue(new FrameStore())
  // Each has memory of its own.
  const [frame, other] = ['frame', 'other'].map((text) => Buffer.from(text))
  for (const next of [frame, frame, other, frame]) queue.append(next)
  t.same(queue.frames, ['frame', 'frame', 'other', 'frame'])
  while (queue.expected.length > 0) queue.drop()
  for (const next of [frame, other, other]) queue.append(next)
  t.same(queue.frames, ['frame', 'other', 'other'])
})

t.test('grows, and shrinks when no frame is kept', async (t) => {
  const store = new FrameStore()
  const queue = new Queue(store)
  const other = new Queue(store)
  const frame = Buffer.from('frame')
  for (let round = 0; round < 2; round++) {
    other.append(frame)
    for (let i = 0; i < 12_000; i++) queue.append(frame)
    t.ok(queue.isRight)
    while (queue.expected.length > 0) queue.drop()
    t.same(other.frames, ['frame'])
    other.drop()
  }
})

t.test('holds the memory of frames until the last one is dropped', async (t) => {
  const queue = new Queue(new FrameStore())
  const held = (): WeakRef<ArrayBufferLike> => {
    const memory = Buffer.from(new Uint8Array(20).buffer)
    queue.append(new Slice(memory, 0, 10))
    queue.append(new Slice(memory, 10))
    return new WeakRef(memory.buffer)
  }
  const refs = [held(), held()]
  t.same(await areHeld(refs), [true, true])
  queue.drop()
  t.same(await areHeld(refs), [true, true])
  queue.drop()
  t.same(await areHeld(refs), [false, true])
  queue.drop()
  queue.drop()
  t.same(await areHeld(refs), [false, false], 'the memory that was used last as well')
})

t.test('compacts: frames hold the memory of their copies only', async (t) => {
  const queue = new Queue(new FrameStore())
  const refs = ['a', 'bb', 'ccc', 'dddd'].map((text, i) => {
    const frame = smallSlice(text)
    queue.append(frame)
    if (i === 3) queue.compactLast()
    return new WeakRef(frame.memory.buffer)
  })
  t.same(await areHeld(refs), [true, true, true, false], 'the last one alone')
  queue.compact()
  t.same(await areHeld(refs), [false, false, false, false])
  t.ok(queue.isRight)
  queue.append(smallSlice('e'))
  queue.drop()
  queue.compact()
  t.ok(queue.isRight)
  const [copies, ...others] = new Set(queue.slices.map(({ memory }) => memory))
  t.same([copies.length, others], [8192, []], 'they lie in one slab')
})

t.test('compacts more than one block and more than one slab', async (t) => {
  const queue = new Queue(new FrameStore())
  for (let i = 0; i < 200; i++) queue.append(smallSlice(`${i} `.repeat(30)))
  queue.compact()
  t.ok(queue.isRight)
  t.equal(new Set(queue.slices.map(({ memory }) => memory)).size, 3)
  for (let i = 0; i < 150; i++) queue.drop()
  queue.compact()
  t.ok(queue.isRight)
})

t.test('the receivers of a broadcast share its copy, and copies are released', async (t) => {
  const store = new FrameStore()
  const [a, b, c] = [1, 2, 3].map(() => new Queue(store))
  const frame = smallSlice('to all')
  for (const queue of [a, b]) queue.append(frame)
  for (const queue of [a, b]) queue.compact()
  t.equal(a.slices[0].memory, b.slices[0].memory)
  t.equal(a.slices[0].start, b.slices[0].start)
  const refs = [new WeakRef(a.slices[0].memory.buffer)]
  a.drop()
  t.same(await areHeld(refs), [true])
  b.drop()
  t.same(await areHeld(refs), [false])
  // Memories of the same number have other bytes meanwhile.
  a.append(smallSlice('another'))
  a.compact()
  c.append(frame)
  c.compact()
  t.ok(a.isRight && c.isRight)
})

t.test('does not copy frames that have half of their memory, or a copy', async (t) => {
  const queue = new Queue(new FrameStore())
  const memory = Buffer.alloc(6000, 'm')
  const slab = Buffer.alloc(64 * 1024, 's')
  for (const frame of [new Slice(memory, 1000, 3000), new Slice(slab, 7, 3000)]) queue.append(frame)
  queue.compact()
  const [half, copy] = queue.slices
  t.equal(half.memory, memory)
  t.same([copy.memory.length, copy.start], [3000, 0], 'a long copy has memory of its own')
  queue.compact()
  t.equal(queue.slices[1].memory, copy.memory)
  t.ok(queue.isRight)
})
