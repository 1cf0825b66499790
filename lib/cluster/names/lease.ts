import type { Cancellable, Clock } from '../../shared/clock.js'
import type { Generations } from './generations.js'
import type { Register } from '../register.js'
import type { Timing } from '../timing.js'

/** What stands in the register for a node that holds names. */
export interface LeaseRecord {
  readonly incarnation: number
  readonly beat: number
  /** Another node has taken over: whatever this one held is free. */
  readonly broken: boolean
}

/** What a lease needs, and whom it tells. */
export interface LeaseHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly register: Register
  readonly generations: Pick<Generations, 'read'>
  readonly node: string
  readonly incarnation: number
  /** Says again what is held, in a store that is new. Rejects when nobody knows whether it worked. */
  rewriteNames (): Promise<void>
  /** Called when the lease has expired or was broken: every name held under it is lost. */
  leaseEnded (): void
  /** Whether this node holds or claims a name: only then is the lease renewed. */
  isNeeded (): boolean
}

export function leaseKey (node: string): string {
  return `lease.${node}`
}

/**
 * The right of this node to hold names, renewed while it holds or claims one. It is valid for a time that is counted
 * from the START of the last successful renewal, by the clock of this node alone. When it expires, every name is
 * dropped, before another node may take it.
 */
export class Lease {
  readonly #host: LeaseHost
  /** One more with each fence: what was asked before one counts for nothing after it. */
  epoch = 0
  /** The generation of the register in which it is held. */
  generation: string | undefined
  #stopped = false
  #validUntil = -Infinity
  #revision = 0
  #beat = 0
  #renewing: Promise<boolean> | undefined
  #timer: Cancellable | undefined
  #expiry: Cancellable | undefined

  constructor (host: LeaseHost) {
    this.#host = host
  }

  get valid (): boolean {
    return this.#host.clock.now() < this.#validUntil
  }

  /**
   * Whether a name may be granted: at least a full renewal interval is left. A lease that was idle may be valid and
   * about to expire, too late for a renewal to be answered.
   */
  get hasTimeToRenew (): boolean {
    return this.#remaining >= this.#host.timing.renew
  }

  /** Milliseconds until it expires. */
  get #remaining (): number {
    return this.#validUntil - this.#host.clock.now()
  }

  /** Renews the lease unless that was done within the last renewal interval. @returns whether it is valid */
  async acquire (): Promise<boolean> {
    if (this.#untilRenewal <= 0) return await this.renew()
    this.#schedule(this.#untilRenewal)
    return true
  }

  /** Milliseconds until the next renewal is due: a renewal interval after the START of the last one. */
  get #untilRenewal (): number {
    const { renew, lease } = this.#host.timing
    return this.#remaining - lease + renew
  }

  /** One renewal at a time; a failed one is tried again soon. @returns whether the lease is valid */
  renew (): Promise<boolean> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#renewing ??= this.#renew().catch(() => false).then((renewed) => {
      this.#renewing = undefined
      const { timing, isNeeded: needed } = this.#host
      if (needed()) this.#schedule(renewed ? Math.max(0, this.#untilRenewal) : timing.renew / 4)
      return renewed && this.valid
    })
    return this.#renewing
  }

  #schedule (delay: number): void {
    if (this.#stopped || this.#renewing !== undefined) return
    this.#timer ??= this.#host.clock.after(delay, this.#renewOnTimer)
  }

  readonly #renewOnTimer = (): void => {
    this.#timer = undefined
    if (this.#host.isNeeded()) this.renew().catch(() => {})
  }

  async #renew (): Promise<boolean> {
    const { clock, register, generations, node, incarnation } = this.#host
    this.#checkExpiry()
    const start = clock.now()
    const record: LeaseRecord = { incarnation, beat: ++this.#beat, broken: false }
    const wasHeld = this.#revision !== 0
    let revision = wasHeld ? await register.cas(leaseKey(node), record, this.#revision) : 0
    if (revision === 0 || (await generations.read()).id !== this.generation) {
      // A first lease, one that was broken, or a store that has lost it.
      const held = await register.get<LeaseRecord>(leaseKey(node))
      if (held !== undefined && held.value.incarnation > incarnation) return false
      if (held !== undefined && wasHeld && held.value.broken) this.end()
      const { id } = await generations.read()
      // First what is held, then the right to it: while that is not renewed, it ends as if the store were away.
      if (wasHeld && id !== this.generation) await this.#host.rewriteNames()
      revision = await register.cas(leaseKey(node), record, held?.revision ?? 0)
      if (revision === 0 || (await generations.read()).id !== id) return false
      this.generation = id
    }
    // It was stopped while the engine was asked.
    if (this.#stopped) return false
    this.#revision = revision
    this.#extend(start)
    return true
  }

  #extend (start: number): void {
    this.#validUntil = start + this.#host.timing.lease
    this.#expiry?.cancel()
    this.#expiry = this.#host.clock.after(Math.max(0, this.#remaining), () => { this.#checkExpiry() })
  }

  #checkExpiry (): void {
    if (this.#validUntil !== -Infinity && !this.valid) this.end()
  }

  /** Ends the lease: from now on another node may have what was held under it. */
  end (): void {
    this.#expiry?.cancel()
    this.#validUntil = -Infinity
    this.epoch++
    this.#host.leaseEnded()
  }

  /** Nothing is held any more, and nothing will be. */
  stop (): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#expiry?.cancel()
    this.#validUntil = -Infinity
    this.epoch++
  }
}
