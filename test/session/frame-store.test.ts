import { isDeepStrictEqual } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { FrameStore } from '../../lib/session/frame-store.js'
import { Slice } from '../../lib/shared/slice.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

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

  get frames (): string[] {
    return this.#store.read(this.#start, this.expected.length).map(({ bytes }) => String(bytes))
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
  const isHeld = async (): Promise<boolean[]> => {
    // A reference is alive until the end of the job that has made or read it.
    await new Promise(setImmediate)
    collectGarbage()
    return refs.map((ref) => ref.deref() !== undefined)
  }
  t.same(await isHeld(), [true, true])
  queue.drop()
  t.same(await isHeld(), [true, true])
  queue.drop()
  t.same(await isHeld(), [false, true])
  queue.drop()
  queue.drop()
  t.same(await isHeld(), [false, false], 'the memory that was used last as well')
})
