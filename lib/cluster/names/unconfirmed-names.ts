import { nameKey } from './records.js'
import type { Cancellable, Clock } from '../../shared/clock.js'
import type { NameRecord } from './records.js'
import type { Register } from '../register.js'
import type { Timing } from '../timing.js'

export interface UnconfirmedNamesHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly register: Register
  /** Whether a record was written by this incarnation of this node. */
  isOwnRecord (record: NameRecord): boolean
  isHeld (name: string): boolean
  /** Whether a call of `register` on this node is running, which needs the record. */
  isBeingAcquired (name: string): boolean
}

/**
 * Names for which this node may have a record in the register although it does not hold them: a
 * write or a deletion had no answer, or the lease ended. A periodic sweep deletes these records
 * until no late write of this node can appear any more. Then the names are free.
 */
export class UnconfirmedNames {
  readonly #host: UnconfirmedNamesHost
  /** Until when each name is swept: milliseconds of the clock. */
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

  /** The record is confirmed: this node holds the name. */
  confirm (name: string): void {
    this.#deadlines.delete(name)
  }

  readonly #sweep = async (): Promise<void> => {
    const { clock, timing } = this.#host
    await Promise.all([...this.#deadlines.keys()].map((name) => this.#sweepOne(name)))
    this.#sweepTimer = undefined
    if (this.#deadlines.size === 0 || this.#closed) return
    this.#sweepTimer = clock.after(timing.renew, this.#sweep)
  }

  async #sweepOne (name: string): Promise<void> {
    if (this.#isWanted(name)) return
    try {
      await this.#deleteUnwanted(name)
    } catch {
      // The engine cannot be reached: the next sweep tries again.
    }
  }

  /**
   * Deletes the record of a name that this node held until now. If the engine does not answer, the
   * sweeps delete it.
   */
  async release (name: string, revision: number): Promise<void> {
    this.add(name)
    try {
      const deleted = await this.#host.register.cas(nameKey(name), undefined, revision)
      if (deleted === 0) await this.#deleteUnwanted(name)
      else if (!this.#host.isBeingAcquired(name)) this.#deadlines.delete(name)
    } catch {
      // The engine cannot be reached: the next sweep tries again.
    }
  }

  #isWanted (name: string): boolean {
    return this.#host.isHeld(name) || this.#host.isBeingAcquired(name)
  }

  /** Deletes the record of this node, if there is one. If not, ends the sweeps when it is time. */
  async #deleteUnwanted (name: string): Promise<void> {
    const { register, clock, isOwnRecord } = this.#host
    const entry = await register.get<NameRecord>(nameKey(name))
    if (entry !== undefined && isOwnRecord(entry.value) && !this.#isWanted(name)) {
      await register.cas(nameKey(name), undefined, entry.revision)
    } else if (clock.now() > (this.#deadlines.get(name) ?? Infinity)) {
      this.#deadlines.delete(name)
    }
  }

  close (): void {
    this.#closed = true
    this.#sweepTimer?.cancel()
    this.#deadlines.clear()
  }
}
