import type { Clock } from '../../shared/clock.js'
import type { Register } from '../register.js'

/** The register's entry about itself. A register without one is new, or has lost its data. */
export interface Generation {
  readonly id: string
  /** Every lease from before this generation has expired: names may be granted. */
  readonly settled: boolean
  /** A fence is this number plus a revision. It is above all fences of earlier generations that a node knows. */
  readonly base: number
}

/** What a node needs to read and make generations. */
export interface GenerationsHost {
  readonly clock: Clock
  readonly random: () => number
  readonly register: Register
  /** Whether the engine keeps its register for as long as it lives: then a register without a generation is new. */
  readonly durable: boolean
}

const generationKey = 'generation'

/** Fences that are left out after a loss of data: other nodes may have been granted so many more than this one knows. */
const skippedFences = 3_600_000

/**
 * The generations of the register. Their bases make sure that fences rise although the engine lost its data and its
 * counter began anew: a node that knows of higher fences raises the base before any name is granted.
 */
export class Generations {
  readonly #host: GenerationsHost
  #last: Generation | undefined
  /** The highest fence that may have been granted in earlier generations. */
  #highestFence = 0

  constructor (host: GenerationsHost) {
    this.#host = host
  }

  /** Reads the generation of the register, and makes one where there is none. */
  async read (): Promise<Generation> {
    const { register } = this.#host
    for (;;) {
      const entry = await register.get<Generation>(generationKey)
      if (entry?.value.id !== this.#last?.id) this.#keepHighestFence()
      if (entry === undefined) {
        await register.cas(generationKey, this.#makeGeneration(), 0)
      } else if (!entry.value.settled && entry.value.base <= this.#highestFence) {
        await register.cas(generationKey, { ...entry.value, base: this.#highestFence + skippedFences }, entry.revision)
      } else {
        this.#last = entry.value
        return entry.value
      }
    }
  }

  /** Marks a generation as settled, for all nodes. */
  async endGracePeriod (id: string): Promise<void> {
    const { register } = this.#host
    const entry = await register.get<Generation>(generationKey)
    if (entry?.value.id === id) await register.cas(generationKey, { ...entry.value, settled: true }, entry.revision)
  }

  #keepHighestFence (): void {
    if (this.#last !== undefined) this.#highestFence = Math.max(this.#highestFence, this.#last.base + this.#host.register.highestRevision)
    this.#last = undefined
  }

  #makeGeneration (): Generation {
    const { clock, random, durable } = this.#host
    const id = Math.floor(random() * Number.MAX_SAFE_INTEGER).toString(36)
    const now = Math.floor(clock.now())
    return { id, settled: durable, base: this.#highestFence === 0 ? now : Math.max(now, this.#highestFence + skippedFences) }
  }
}
