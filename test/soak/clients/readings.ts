import { isContent, numberOf } from '../content.js'

/** Checks the messages that a client reads. */
export interface Reading {
  /** Sent messages without an answer. */
  readonly unanswered: number
  /** Messages read so far. */
  readonly read: number
  sent (n: number): void
  /** @returns the problem of the message, if any */
  take (data: Buffer, binary: boolean): string | undefined
}

/** Expects an echo of each message, unchanged and in order. */
export class Echoes implements Reading {
  read = 0
  #sent = 0
  readonly #client: number

  constructor (client: number) {
    this.#client = client
  }

  get unanswered (): number {
    return this.#sent - this.read
  }

  sent (): void {
    this.#sent++
  }

  take (data: Buffer, binary: boolean): string | undefined {
    const n = this.read++
    if (isContent(data, binary, this.#client, n)) return undefined
    return (
      `client ${this.#client} read '${data.toString('utf8', 0, 40)}' ` +
      `instead of its message ${n}`
    )
  }
}

/** Expects one acknowledgement of each number. Different targets send them, so in any order. */
export class Acknowledgements implements Reading {
  read = 0
  readonly #waiting = new Set<number>()

  get unanswered (): number {
    return this.#waiting.size
  }

  sent (n: number): void {
    this.#waiting.add(n)
  }

  take (data: Buffer): string | undefined {
    this.read++
    return this.#waiting.delete(Number(data))
      ? undefined
      : `'${data.toString('utf8', 0, 40)}' was acknowledged twice, or never sent`
  }
}

/** Expects the numbers of a room in order; with gaps for a client that reads too slowly. */
export class Numbers implements Reading {
  readonly unanswered = 0
  read = 0
  #next = 0
  readonly #gaps: boolean

  constructor (gaps: boolean) {
    this.#gaps = gaps
  }

  sent (): void {}

  take (data: Buffer): string | undefined {
    const n = numberOf(data)
    const expected = this.#next
    this.#next = n + 1
    this.read++
    return n === expected || (this.#gaps && n > expected)
      ? undefined
      : `${n} was read where ${expected} had to come`
  }
}

/** Expects no messages. */
export class Nothing implements Reading {
  readonly unanswered = 0
  read = 0

  sent (): void {}

  take (data: Buffer): string {
    this.read++
    return `'${data.toString('utf8', 0, 40)}' came, unasked`
  }
}

export const readings = {
  echoes: (client: number) => new Echoes(client),
  acknowledgements: () => new Acknowledgements(),
  numbers: () => new Numbers(false),
  gaps: () => new Numbers(true),
  nothing: () => new Nothing()
} satisfies Record<string, (client: number) => Reading>
