/** Different exit reasons that are counted by name: a reason may be any string. */
const mostReasons = 100

/** What `stats()` reports of the past. */
export class Counters {
  spawned = 0
  sent = 0
  delivered = 0
  deadLetters = 0
  refused = 0
  readonly #exited = new Map<string, number>()

  countExit (reason: string): void {
    const times = this.#exited.get(reason)
    if (times !== undefined || this.#exited.size < mostReasons) this.#exited.set(reason, (times ?? 0) + 1)
    else this.#exited.set('other', (this.#exited.get('other') ?? 0) + 1)
  }

  get exited (): Record<string, number> {
    return Object.fromEntries(this.#exited)
  }
}
