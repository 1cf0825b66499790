import { generationKey } from './records.js'
import type { Generation } from './records.js'
import type { NodeContext } from '../context.js'
import type { Register } from '../register.js'

/**
 * Fences that a new generation skips above the highest one that this node knows. Other nodes may
 * have been granted up to this many more before the register lost its data.
 */
const skippedFences = 3_600_000

/**
 * Reads and creates the generations of the register. When the engine loses its data, its revisions
 * begin again at 1. Fences must still rise, so a node that knows of higher fences raises the base
 * of the new generation during its grace period, before any name is granted.
 */
export class Generations {
  readonly #context: NodeContext
  readonly #register: Register
  #last: Generation | undefined
  /** The highest fence that may have been granted in earlier generations. */
  #highestFence = 0

  constructor (context: NodeContext, register: Register) {
    this.#context = context
    this.#register = register
  }

  /** Reads the generation of the register. Creates one if there is none. */
  async read (): Promise<Generation> {
    const register = this.#register
    for (;;) {
      const entry = await register.get<Generation>(generationKey)
      if (entry?.value.id !== this.#last?.id) this.#keepHighestFence()
      if (entry === undefined) {
        await register.cas(generationKey, this.#makeGeneration(), 0)
      } else if (!entry.value.settled && entry.value.base <= this.#highestFence) {
        const base = this.#highestFence + skippedFences
        await register.cas(generationKey, { ...entry.value, base }, entry.revision)
      } else {
        this.#last = entry.value
        return entry.value
      }
    }
  }

  /** Records for all nodes that the grace period of a generation is over. */
  async endGracePeriod (id: string): Promise<void> {
    const register = this.#register
    const entry = await register.get<Generation>(generationKey)
    if (entry?.value.id !== id) return
    await register.cas(generationKey, { ...entry.value, settled: true }, entry.revision)
  }

  /** Called when the register has another generation, or none, than the one last read. */
  #keepHighestFence (): void {
    if (this.#last === undefined) return
    const lastFence = this.#last.base + this.#register.highestRevision
    this.#highestFence = Math.max(this.#highestFence, lastFence)
    this.#last = undefined
  }

  #makeGeneration (): Generation {
    const { random, transport } = this.#context
    const id = Math.floor(random() * Number.MAX_SAFE_INTEGER).toString(36)
    const now = Math.floor(this.#context.now())
    const isFirst = this.#highestFence === 0
    const base = isFirst ? now : Math.max(now, this.#highestFence + skippedFences)
    // The register of a durable engine without a generation is new: it has never held a name.
    return { id, settled: transport.caps.durable === true, base }
  }
}
