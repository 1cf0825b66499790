import { leaseKey } from './records.js'
import type { Cancellable } from '../../shared/clock.js'
import type { NodeContext } from '../context.js'
import type { Generations } from './generations.js'
import type { LeaseRecord } from './records.js'
import type { Register } from '../register.js'

/** The names of this node, which end with its lease. */
export interface LeaseUser {
  /** Whether this node holds a name or is acquiring one. The lease is renewed only then. */
  readonly isLeaseNeeded: boolean
  /**
   * Called when the register has lost its data: writes the records of all held names again.
   * Rejects when the outcome of a write is unknown.
   */
  rewriteNames (): Promise<void>
  /** Called when the lease has expired or was broken: every name held under it is lost. */
  leaseEnded (): void
}

/**
 * The right of this node to hold names. Its duration counts from the START of the last successful
 * renewal, by the clock of this node alone. When it expires, this node gives up every name before
 * another node may acquire it.
 */
export class Lease {
  readonly #context: NodeContext
  readonly #register: Register
  readonly #generations: Pick<Generations, 'read'>
  readonly #user: LeaseUser
  /** Rises whenever the lease ends: the result of a request from before that is void. */
  epoch = 0
  /** The generation of the register in which the lease is held. */
  generation: string | undefined
  #stopped = false
  #validUntil = -Infinity
  #revision = 0
  #beat = 0
  #renewing: Promise<boolean> | undefined
  #timer: Cancellable | undefined
  #expiry: Cancellable | undefined

  constructor (
    context: NodeContext,
    register: Register,
    generations: Pick<Generations, 'read'>,
    user: LeaseUser
  ) {
    this.#context = context
    this.#register = register
    this.#generations = generations
    this.#user = user
  }

  get valid (): boolean {
    return this.#context.now() < this.#validUntil
  }

  /**
   * Whether a name may be granted: at least a full renewal interval is left. A lease that was not
   * needed for a while may be valid but expire before the answer to a renewal can arrive.
   */
  get hasTimeToRenew (): boolean {
    return this.#remaining >= this.#context.timing.renew
  }

  /** Milliseconds until the lease expires. */
  get #remaining (): number {
    return this.#validUntil - this.#context.now()
  }

  /**
   * Renews the lease unless that was done within the last renewal interval.
   * @returns whether the lease is valid
   */
  async acquire (): Promise<boolean> {
    if (this.#untilRenewal <= 0) return await this.renew()
    this.#schedule(this.#untilRenewal)
    return true
  }

  /** Milliseconds until a renewal interval has passed since the START of the last renewal. */
  get #untilRenewal (): number {
    const { renew, lease } = this.#context.timing
    return this.#remaining - lease + renew
  }

  /**
   * Renews the lease now, or joins a renewal that is running. A failed one is soon tried again.
   * @returns whether the lease is valid
   */
  renew (): Promise<boolean> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#renewing ??= this.#renew().catch(() => false).then((renewed) => {
      this.#renewing = undefined
      const retryDelay = this.#context.timing.renew / 4
      if (this.#user.isLeaseNeeded) {
        this.#schedule(renewed ? Math.max(0, this.#untilRenewal) : retryDelay)
      }
      return renewed && this.valid
    })
    return this.#renewing
  }

  #schedule (delay: number): void {
    if (this.#stopped || this.#renewing !== undefined) return
    this.#timer ??= this.#context.after(delay, this.#renewOnTimer)
  }

  readonly #renewOnTimer = (): void => {
    this.#timer = undefined
    if (this.#user.isLeaseNeeded) this.renew().catch(() => {})
  }

  async #renew (): Promise<boolean> {
    const { node, incarnation } = this.#context
    const register = this.#register
    const generations = this.#generations
    this.#checkExpiry()
    const start = this.#context.now()
    const record: LeaseRecord = { incarnation, beat: ++this.#beat, broken: false }
    const wasHeld = this.#revision !== 0
    let revision = wasHeld ? await register.cas(leaseKey(node), record, this.#revision) : 0
    if (revision === 0 || (await generations.read()).id !== this.generation) {
      // The first lease, or it was broken, or the register has lost its data.
      const held = await register.get<LeaseRecord>(leaseKey(node))
      if (held !== undefined && held.value.incarnation > incarnation) return false
      if (held !== undefined && wasHeld && held.value.broken) this.end()
      const { id } = await generations.read()
      // First the names, then the lease: if the names cannot be written, the lease expires, just
      // as if the register could not be reached.
      if (wasHeld && id !== this.generation) await this.#user.rewriteNames()
      revision = await register.cas(leaseKey(node), record, held?.revision ?? 0)
      if (revision === 0 || (await generations.read()).id !== id) return false
      this.generation = id
    }
    // The lease was stopped during the request.
    if (this.#stopped) return false
    this.#revision = revision
    this.#extend(start)
    return true
  }

  #extend (start: number): void {
    this.#validUntil = start + this.#context.timing.lease
    this.#expiry?.cancel()
    const delay = Math.max(0, this.#remaining)
    this.#expiry = this.#context.after(delay, () => { this.#checkExpiry() })
  }

  #checkExpiry (): void {
    if (this.#validUntil !== -Infinity && !this.valid) this.end()
  }

  /** Ends the lease: from now on other nodes may acquire the names that were held under it. */
  end (): void {
    this.#expiry?.cancel()
    this.#validUntil = -Infinity
    this.epoch++
    this.#user.leaseEnded()
  }

  /** Call when the node leaves. The lease cannot be acquired again. */
  stop (): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#expiry?.cancel()
    this.#validUntil = -Infinity
    this.epoch++
  }
}
