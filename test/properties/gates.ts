import { deferred } from '../process/helpers.js'

/** Deferred parts of bodies, which steps let go on. */
export class Gates {
  #waiting: Array<{ resolve: () => void, reject: (err: unknown) => void }> = []

  wait (): Promise<void> {
    const gate = deferred()
    this.#waiting.push(gate)
    return gate.promise
  }

  open (nth: number, error?: Error): void {
    const [gate] = this.#waiting.splice(nth % Math.max(1, this.#waiting.length), 1)
    if (error === undefined) gate?.resolve()
    else gate?.reject(error)
  }

  openAll (): void {
    for (const gate of this.#waiting.splice(0)) gate.resolve()
  }
}
