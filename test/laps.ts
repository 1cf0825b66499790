// Turns (laps) of the event loop, and a way to wait until no work is left in it.

/** Node's own timers, before a test mocks them. */
const sleep = setTimeout

/** The number of pending immediates of `nextLap`. They are not work. */
let polls = 0

/** Resolves in the next lap of the event loop. `settle` does not wait for loops that use it. */
export async function nextLap (): Promise<void> {
  polls++
  await new Promise<void>((resolve) => { setImmediate(resolve) })
  polls--
}

/**
 * Resolves when no code can run until a timer fires or a socket has an event. The result does not
 * depend on how long it waits. Node empties its queues of ticks and microtasks before each
 * callback, so when an immediate starts, only other immediates can be left, and `settle` counts
 * those. Turns of processes and messages between nodes in memory use only these queues.
 */
export async function settle (): Promise<void> {
  do await nextLap()
  while (process.getActiveResourcesInfo().filter((kind) => kind === 'Immediate').length > polls)
}

/** Resolves a little later. For loops that poll other programs, which need the CPU meanwhile. */
export async function pause (): Promise<void> {
  await new Promise<void>((resolve) => { sleep(resolve, 20) })
}

/**
 * Waits until a condition holds. Checks it in each of the next laps of the event loop and then,
 * because the condition depends on another program or a timer, every millisecond: a loop without a
 * pause would take the CPU from both.
 */
export async function until (condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let checks = 0; !await condition(); checks++) {
    if (checks < 100) await nextLap()
    else await new Promise<void>((resolve) => { sleep(resolve, 1) })
  }
}

/** Blocks this thread like a long computation, but without using the CPU. */
export function stall (milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

/** Replaces `performance.now`. After `stop`, the clock moves only when a test calls `pass`. */
export class TestClock {
  readonly #now = performance.now.bind(performance)
  #stopped: number | undefined
  #passed = 0

  /** @param t the original clock is restored after this test */
  constructor (t: { teardown (task: () => void): void }) {
    Object.defineProperty(performance, 'now', {
      value: () => (this.#stopped ?? this.#now()) + this.#passed,
      configurable: true
    })
    t.teardown(() => { delete (performance as { now?: unknown }).now })
  }

  stop (): void {
    this.#stopped = this.#now()
  }

  pass (milliseconds: number): void {
    this.#passed += milliseconds
  }
}
