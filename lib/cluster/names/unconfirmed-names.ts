import { nameKey } from './name-record.js'
import type { Cancellable, Clock } from '../../shared/clock.js'
import type { NameRecord } from './name-record.js'
import type { Register } from '../register.js'
import type { Timing } from '../timing.js'

/** What is asked before anything is taken out of the register. */
export interface UnconfirmedNamesHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly register: Register
  /** A record of this incarnation of this node. */
  isOwnRecord (record: NameRecord): boolean
  isHeld (name: string): boolean
  /** A claim of this node is under way, which needs what stands there. */
  isBeingAcquired (name: string): boolean
}

/** Names that may stand in the register as ours and are not: looked after until that is certain. */
export class UnconfirmedNames {
  readonly #host: UnconfirmedNamesHost
  /** Until when each is looked after. */
  readonly #deadlines = new Map<string, number>()
  #sweepTimer: Cancellable | undefined
  #closed = false

  constructor (host: UnconfirmedNamesHost) {
    this.#host = host
  }

  get size (): number {
    return this.#deadlines.size
  }

  add (name: string): void {
    const { clock, timing } = this.#host
    this.#deadlines.set(name, clock.now() + timing.breakLease)
    if (!this.#closed) this.#sweepTimer ??= clock.after(timing.renew, this.#sweep)
  }

  /** It is ours, and known to be. */
  confirm (name: string): void {
    this.#deadlines.delete(name)
  }

  /** Takes out of the register what an unknown outcome, or a fence, left there as ours. */
  readonly #sweep = async (): Promise<void> => {
    const { clock, timing } = this.#host
    await Promise.all([...this.#deadlines.keys()].map((name) => this.#sweepOne(name)))
    this.#sweepTimer = undefined
    if (this.#deadlines.size > 0 && !this.#closed) this.#sweepTimer = clock.after(timing.renew, this.#sweep)
  }

  async #sweepOne (name: string): Promise<void> {
    if (this.#isWanted(name)) return
    try {
      await this.#deleteUnwanted(name)
    } catch {
      // The engine is away: the next sweep finds it.
    }
  }

  /** Gives back what was held until now. What the engine does not answer to is left to the sweeps. */
  async release (name: string, revision: number): Promise<void> {
    this.add(name)
    try {
      if (await this.#host.register.cas(nameKey(name), undefined, revision) === 0) await this.#deleteUnwanted(name)
      else if (!this.#host.isBeingAcquired(name)) this.#deadlines.delete(name)
    } catch {
      // The engine is away: the next sweep finds it.
    }
  }

  #isWanted (name: string): boolean {
    return this.#host.isHeld(name) || this.#host.isBeingAcquired(name)
  }

  async #deleteUnwanted (name: string): Promise<void> {
    const { register, clock, isOwnRecord: isOurs } = this.#host
    const entry = await register.get<NameRecord>(nameKey(name))
    if (entry !== undefined && isOurs(entry.value) && !this.#isWanted(name)) await register.cas(nameKey(name), undefined, entry.revision)
    else if (clock.now() > (this.#deadlines.get(name) ?? Infinity)) this.#deadlines.delete(name)
  }

  close (): void {
    this.#closed = true
    this.#sweepTimer?.cancel()
    this.#deadlines.clear()
  }
}
