// Simulated time: tasks in the order of a seed, and the clock of each machine.
import type { Clock, ClockTimer } from '../../../lib/shared/clock.js'

/** Random numbers from a seed: the same seed, the same run. */
export class Random {
  #state: number

  constructor (seed: number) {
    this.#state = seed >>> 0
  }

  readonly next = (): number => {
    // mulberry32
    let t = this.#state = (this.#state + 0x6D2B79F5) >>> 0
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  upTo (limit: number): number {
    return Math.floor(this.next() * limit)
  }

  chance (probability: number): boolean {
    return this.next() < probability
  }

  pick<T> (items: readonly T[]): T {
    return items[this.upTo(items.length)]
  }
}

/** A run without random faults: no losses, no long delays and no stale reads. */
export class Calm extends Random {
  override chance (): boolean {
    return false
  }
}

interface Task {
  at: number
  order: number
  /** The machine whose event loop runs it; undefined for the world itself. */
  readonly machine: Machine | undefined
  run: (() => void) | undefined
}

/** Simulated time, and the queue of tasks that run in it. */
export class World {
  readonly random: Random
  now = 1_700_000_000_000
  #order = 0
  readonly #heap: Task[] = []
  /** Set when promises were settled: their handlers run before the next task. */
  settled = false

  constructor (random: Random) {
    this.random = random
  }

  schedule (delay: number, run: () => void, machine?: Machine): Task {
    const task = { at: this.now + delay, order: this.#order++, machine, run }
    this.#push(task)
    return task
  }

  /** Runs all tasks up to a time, and the check after each of them. */
  async runUntil (time: number, check: () => void): Promise<void> {
    for (let task = this.#heap[0]; task !== undefined && task.at <= time; task = this.#heap[0]) {
      this.#pop()
      this.now = Math.max(this.now, task.at)
      const { machine, run } = task
      if (run === undefined || machine?.dead === true) continue
      if (machine !== undefined && machine.frozenUntil > this.now) {
        task.at = machine.frozenUntil
        task.order = this.#order++
        this.#push(task)
        continue
      }
      task.run = undefined
      run()
      if (this.settled) {
        this.settled = false
        await new Promise(setImmediate)
      }
      check()
    }
    this.now = time
  }

  #before (one: Task, other: Task): boolean {
    return one.at < other.at || (one.at === other.at && one.order < other.order)
  }

  #push (task: Task): void {
    const heap = this.#heap
    let i = heap.push(task) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!this.#before(task, heap[parent])) break
      heap[i] = heap[parent]
      i = parent
    }
    heap[i] = task
  }

  #pop (): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && this.#before(heap[child + 1], heap[child])) child++
      if (!this.#before(heap[child], last)) break
      heap[i] = heap[child]
      i = child
    }
    heap[i] = last
  }
}

/** The machine of a node: its event loop may be blocked or dead, and its clock may be ahead. */
export class Machine implements Clock {
  readonly world: World
  dead = false
  frozenUntil = 0
  /** Milliseconds by which its clock is ahead. */
  readonly ahead: number
  /** Timers that have neither run nor been cancelled. */
  timers = 0

  constructor (world: World, ahead = 0) {
    this.world = world
    this.ahead = ahead
  }

  systemTime (): number {
    return this.now()
  }

  now (): number {
    return this.world.now + this.ahead
  }

  after (ms: number, run: () => void): ClockTimer {
    this.timers++
    const task = this.world.schedule(ms, () => {
      this.timers--
      this.world.settled = true
      run()
    }, this)
    return {
      cancel: () => {
        if (task.run === undefined) return
        task.run = undefined
        this.timers--
      },
      unref () { return this }
    }
  }

  soon (run: () => void): void {
    this.later(run)
  }

  later (run: () => void): void {
    this.world.schedule(0, run, this)
  }
}
