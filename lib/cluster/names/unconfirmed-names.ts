import { isOwnRecord, nameKey } from './records.js'
import type { Cancellable } from '../../shared/clock.js'
import type { NodeContext } from '../context.js'
import type { NameRecord } from './records.js'
import type { Register } from '../register.js'

/** The names that this node needs, so that their records must stay. */
export interface NamesInUse {
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
  readonly #context: NodeContext
  readonly #register: Register
  readonly #inUse: NamesInUse
  /** Until when each name is swept: milliseconds of the clock. */
  readonly #deadlines = new Map<string, number>()
  #sweepTimer: Cancellable | undefined
  #closed = false

  constructor (context: NodeContext, register: Register, inUse: NamesInUse) {
    this.#context = context
    this.#register = register
    this.#inUse = inUse
  }

  get size (): number {
    return this.#deadlines.size
  }

  add (name: string): void {
    const { timing } = this.#context
    this.#deadlines.set(name, this.#context.now() + timing.breakLease)
    if (!this.#closed) this.#sweepTimer ??= this.#context.after(timing.renew, this.#sweep)
  }

  /** The record is confirmed: this node holds the name. */
  confirm (name: string): void {
    this.#deadlines.delete(name)
  }

  readonly #sweep = async (): Promise<void> => {
    await Promise.all([...this.#deadlines.keys()].map((name) => this.#sweepOne(name)))
    this.#sweepTimer = undefined
    if (this.#deadlines.size === 0 || this.#closed) return
    this.#sweepTimer = this.#context.after(this.#context.timing.renew, this.#sweep)
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
      const deleted = await this.#register.cas(nameKey(name), undefined, revision)
      if (deleted === 0) await this.#deleteUnwanted(name)
      else if (!this.#inUse.isBeingAcquired(name)) this.#deadlines.delete(name)
    } catch {
      // The engine cannot be reached: the next sweep tries again.
    }
  }

  #isWanted (name: string): boolean {
    return this.#inUse.isHeld(name) || this.#inUse.isBeingAcquired(name)
  }

  /** Deletes the record of this node, if there is one. If not, ends the sweeps when it is time. */
  async #deleteUnwanted (name: string): Promise<void> {
    const entry = await this.#register.get<NameRecord>(nameKey(name))
    if (entry !== undefined && isOwnRecord(entry.value, this.#context) && !this.#isWanted(name)) {
      await this.#register.cas(nameKey(name), undefined, entry.revision)
    } else if (this.#context.now() > (this.#deadlines.get(name) ?? Infinity)) {
      this.#deadlines.delete(name)
    }
  }

  close (): void {
    this.#closed = true
    this.#sweepTimer?.cancel()
    this.#deadlines.clear()
  }
}
