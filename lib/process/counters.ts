/** A reason may be any string. Above this many different ones, they are counted as `other`. */
const maxReasons = 100

/** The counters in `stats()`, since the start. */
export class Counters {
  spawned = 0
  sent = 0
  delivered = 0
  deadLetters = 0
  refused = 0
  readonly #exited = new Map<string, number>()

  countExit (reason: string): void {
    const times = this.#exited.get(reason)
    if (times !== undefined || this.#exited.size < maxReasons) {
      this.#exited.set(reason, (times ?? 0) + 1)
    } else this.#exited.set('other', (this.#exited.get('other') ?? 0) + 1)
  }

  get exited (): Record<string, number> {
    return Object.fromEntries(this.#exited)
  }
}
