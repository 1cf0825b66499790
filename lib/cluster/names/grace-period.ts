import { unavailableError } from '../errors.js'
import type { Cancellable } from '../../shared/clock.js'
import type { NodeContext } from '../context.js'
import type { Generations } from './generations.js'
import type { Lease } from './lease.js'
import type { Generation } from './records.js'

/**
 * The grace period of a new generation. After the register lost its data, no name is granted until
 * every lease from before the loss has expired. The period begins when this node first reads the
 * generation: when it joins the cluster, or when the engine is back.
 */
export class GracePeriod {
  readonly #context: NodeContext
  readonly #generations: Pick<Generations, 'read' | 'endGracePeriod'>
  readonly #lease: Pick<Lease, 'acquire'>
  /** The generation whose grace period is running, and when this node first read it. */
  #running: { readonly id: string, readonly since: number } | undefined
  #timer: Cancellable | undefined
  #closed = false

  constructor (
    context: NodeContext,
    generations: Pick<Generations, 'read' | 'endGracePeriod'>,
    lease: Pick<Lease, 'acquire'>
  ) {
    this.#context = context
    this.#generations = generations
    this.#lease = lease
  }

  /**
   * Reads the generation now, and again when its grace period is over. So the period ends although
   * no process asks for a name meanwhile. Call it when the engine is up.
   */
  readonly follow = (): void => {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#read().then(({ settled }) => {
      if (!settled) this.#followAfter(Math.max(0, this.#remaining) + 1)
    }, () => {
      // The engine, or only its register, cannot be reached.
      this.#followAfter(this.#context.timing.renew)
    })
  }

  #followAfter (delay: number): void {
    if (!this.#closed) this.#timer ??= this.#context.after(delay, this.follow)
  }

  /**
   * Waits until the grace period is over, and keeps the lease of this node meanwhile.
   *
   * @param pause waits for milliseconds; rejects when the caller's call of `register` has timed out
   * @returns the generation in which names may be granted
   * @throws `FST_CLUSTER_UNAVAILABLE` when the lease cannot be renewed meanwhile
   */
  async waitUntilOver (pause: (ms: number) => Promise<void>): Promise<Generation> {
    const { timing } = this.#context
    for (;;) {
      const generation = await this.#read()
      if (generation.settled) return generation
      await pause(Math.min(timing.renew / 4, Math.max(0, this.#remaining) + 1))
      if (await this.#lease.acquire()) continue
      throw unavailableError('this node could not renew its lease')
    }
  }

  /** Reads the generation, and ends its grace period if the time is over. */
  async #read (): Promise<Generation> {
    const generations = this.#generations
    const generation = await generations.read()
    if (generation.settled) return generation
    const { id } = generation
    if (this.#running?.id !== id) this.#running = { id, since: this.#context.now() }
    if (this.#remaining >= 0) return generation
    await generations.endGracePeriod(id)
    return await generations.read()
  }

  /** Milliseconds until the running grace period is over. */
  get #remaining (): number {
    return this.#running!.since + this.#context.timing.breakLease - this.#context.now()
  }

  close (): void {
    this.#closed = true
    this.#timer?.cancel()
  }
}
