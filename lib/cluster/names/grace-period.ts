import { unavailableError } from '../errors.js'
import type { Cancellable, Clock } from '../../shared/clock.js'
import type { Generation, Generations } from './generations.js'
import type { Lease } from './lease.js'
import type { Timing } from '../timing.js'

/** What it takes to know how old a generation is. */
export interface GracePeriodHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly generations: Pick<Generations, 'read' | 'endGracePeriod'>
  readonly lease: Pick<Lease, 'acquire'>
}

/**
 * The grace period of a new generation. After the register lost its data, no name is granted until every lease from
 * before the loss has expired. The period begins when this node first reads the generation: when it joins, or when the
 * engine is back.
 */
export class GracePeriod {
  readonly #host: GracePeriodHost
  /** The generation that is not settled, and when this node first read it. */
  #running: { readonly id: string, readonly since: number } | undefined
  #timer: Cancellable | undefined
  #closed = false

  constructor (host: GracePeriodHost) {
    this.#host = host
  }

  /** Reads the generation now, and again when its grace period is over: it is settled though nobody claims a name. */
  readonly follow = (): void => {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#read().then(({ settled }) => {
      if (!settled) this.#followAfter(Math.max(0, this.#remaining) + 1)
    }, () => {
      // The engine is away, or only its register is.
      this.#followAfter(this.#host.timing.renew)
    })
  }

  #followAfter (delay: number): void {
    if (!this.#closed) this.#timer ??= this.#host.clock.after(delay, this.follow)
  }

  /**
   * Waits until the generation is settled.
   * @param pause waits for milliseconds; it rejects when the claim has ended
   * @throws `FST_CLUSTER_UNAVAILABLE` when the lease cannot be renewed meanwhile
   */
  async waitUntilOver (pause: (ms: number) => Promise<void>): Promise<Generation> {
    const { timing, lease } = this.#host
    for (;;) {
      const generation = await this.#read()
      if (generation.settled) return generation
      await pause(Math.min(timing.renew / 4, Math.max(0, this.#remaining) + 1))
      if (!await lease.acquire()) throw unavailableError('this node could not renew its lease')
    }
  }

  async #read (): Promise<Generation> {
    const { clock, generations } = this.#host
    const generation = await generations.read()
    if (generation.settled) return generation
    if (this.#running?.id !== generation.id) this.#running = { id: generation.id, since: clock.now() }
    if (this.#remaining >= 0) return generation
    await generations.endGracePeriod(generation.id)
    return await generations.read()
  }

  /** Milliseconds until the grace period of the unsettled generation is over. */
  get #remaining (): number {
    const { clock, timing } = this.#host
    return this.#running!.since + timing.breakLease - clock.now()
  }

  close (): void {
    this.#closed = true
    this.#timer?.cancel()
  }
}
