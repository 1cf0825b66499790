/** The result of one direction, of all clients together. */
export interface Report {
  expected: number
  delivered: number
  /** Messages that came more than once. */
  doubled: number
  /** Messages that came after a later one. */
  disordered: number
}

/** Compares the numbers that arrive with 1, 2, 3 and so on, for each client. */
export class Tally {
  readonly #perClient: number
  readonly #seen: Array<Set<number>>
  readonly #last: number[]
  readonly #report: Report

  constructor (clients: number, perClient: number) {
    this.#perClient = perClient
    this.#seen = Array.from({ length: clients }, () => new Set())
    this.#last = Array.from({ length: clients }, () => 0)
    this.#report = { expected: clients * perClient, delivered: 0, doubled: 0, disordered: 0 }
  }

  note (id: number, number: number): void {
    if (!(id in this.#seen) || !(number >= 1 && number <= this.#perClient)) {
      throw new RangeError(`no message has the number ${number} of client ${id}`)
    }
    if (this.#seen[id].has(number)) {
      this.#report.doubled++
      return
    }
    this.#seen[id].add(number)
    this.#report.delivered++
    if (number < this.#last[id]) this.#report.disordered++
    this.#last[id] = Math.max(this.#last[id], number)
  }

  get report (): Report {
    return { ...this.#report }
  }

  get isComplete (): boolean {
    return this.#report.delivered === this.#report.expected
  }
}
