/** A pending timer of the manual clock. */
class Handle {
  at: number
  readonly task: () => void
  /** The period of an interval in milliseconds. */
  readonly every: number | undefined

  constructor (at: number, task: () => void, every?: number) {
    this.at = at
    this.task = task
    this.every = every
  }

  ref (): this { return this }
  unref (): this { return this }
}

const replaced = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate'
] as const

/**
 * A manual clock. While it is installed it replaces all timers of this thread, and counts those
 * that were not cleared. Only microtasks and ticks may be awaited meanwhile.
 */
export class ManualClock {
  now = 1000
  readonly #timers = new Set<Handle>()
  #immediates: Handle[] = []
  readonly #saved = replaced.map((name) => [name, globalThis[name]] as const)

  /** The number of pending timers and immediates. */
  get pending (): number {
    return this.#timers.size + this.#immediates.length
  }

  install (): this {
    const start = (delay: number | undefined, task: () => void, every?: number): Handle => {
      const handle = new Handle(this.now + Math.max(1, delay ?? 1), task, every)
      this.#timers.add(handle)
      return handle
    }
    const clear = (handle: Handle): void => { this.#timers.delete(handle) }
    Object.assign(globalThis, {
      setTimeout: (task: () => void, delay?: number) => start(delay, task),
      setInterval: (task: () => void, delay?: number) =>
        start(delay, task, Math.max(1, delay ?? 1)),
      setImmediate: (task: () => void) => {
        const handle = new Handle(this.now, task)
        this.#immediates.push(handle)
        return handle
      },
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: (handle: Handle) => {
        this.#immediates = this.#immediates.filter((other) => other !== handle)
      }
    })
    Object.defineProperty(performance, 'now', { value: () => this.now, configurable: true })
    return this
  }

  restore (): void {
    Object.assign(globalThis, Object.fromEntries(this.#saved))
    delete (performance as { now?: unknown }).now
  }

  /** Advances the time, and runs due timers in the order of their times. */
  advance (ms: number): void {
    const end = this.now + ms
    for (let next = this.#due(end); next !== undefined; next = this.#due(end)) {
      this.now = Math.max(this.now, next.at)
      if (next.every === undefined) this.#timers.delete(next)
      else next.at = this.now + next.every
      next.task()
    }
    this.now = end
  }

  /** Runs the immediates that are pending now. */
  yieldOnce (): void {
    const immediates = this.#immediates
    this.#immediates = []
    for (const { task } of immediates) task()
  }

  #due (end: number): Handle | undefined {
    let first: Handle | undefined
    for (const timer of this.#timers) {
      if (timer.at <= end && (first === undefined || timer.at < first.at)) first = timer
    }
    return first
  }
}

/** Waits for all microtasks and ticks, without an iteration of the event loop. */
export async function ticks (): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise<void>((resolve) => { process.nextTick(resolve) })
}
