// Laps of the event loop, and how to know that it has nothing left to do.

/** Node's own timers, before a test mocks them. */
const sleep = setTimeout

/** Immediates that only look whether something has happened. */
let looks = 0

/** Resolves in the next lap of the event loop. For loops that wait: `settle` does not wait for them. */
export async function nextLap (): Promise<void> {
  looks++
  await new Promise<void>((resolve) => { setImmediate(resolve) })
  looks--
}

/**
 * Resolves when no code can run any more until a timer fires or a socket has news: what has not happened by then
 * does not happen by itself. Correct by how Node works, not by how long it waits: Node empties its queues of ticks and
 * of microtasks before each callback, so that when the callback of an immediate begins, only other immediates can be
 * left; and those it counts. All turns of processes, and all that crosses between nodes in memory, come from these queues.
 */
export async function settle (): Promise<void> {
  do await nextLap()
  while (process.getActiveResourcesInfo().filter((kind) => kind === 'Immediate').length > looks)
}

/** Resolves a little later. For loops that ask other programs again and again: these need the CPU. */
export async function pause (): Promise<void> {
  await new Promise<void>((resolve) => { sleep(resolve, 20) })
}

/**
 * Waits until a condition holds. Checks it in each of the next laps of the event loop and then, because the condition
 * depends on another program or a timer, every millisecond: a loop without a pause would take the CPU from both.
 */
export async function until (condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let checks = 0; !await condition(); checks++) {
    if (checks < 100) await nextLap()
    else await new Promise<void>((resolve) => { sleep(resolve, 1) })
  }
}

/** Stops this thread as a long computation would, without the CPU that other processes need. */
export function stall (milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

/** The clock of `performance.now`, which goes on by itself or, once it has been stopped, only as a test says. */
export class TestClock {
  readonly #now = performance.now.bind(performance)
  #stopped: number | undefined
  #passed = 0

  /** @param t the clock is as before after this test */
  constructor (t: { teardown (task: () => void): void }) {
    Object.defineProperty(performance, 'now', { value: () => (this.#stopped ?? this.#now()) + this.#passed, configurable: true })
    t.teardown(() => { delete (performance as { now?: unknown }).now })
  }

  stop (): void {
    this.#stopped = this.#now()
  }

  pass (milliseconds: number): void {
    this.#passed += milliseconds
  }
}
