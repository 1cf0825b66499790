import { leaseKey } from './records.js'
import type { NodeContext } from '../context.js'
import type { LeaseRecord, NameRecord } from './records.js'
import type { Membership } from '../membership/membership.js'
import type { ParsedEntry, Register } from '../register.js'

/** The lease of a node as this node last read it, and since when it has not changed. */
interface ObservedLease {
  readonly revision: number
  readonly incarnation: number
  /**
   * Compared beside the revision: after a loss of data the revisions begin again, and a renewed
   * lease may get the revision that it had before.
   */
  readonly beat: number
  readonly since: number
}

/** Milliseconds for which an unchanged observation is kept. */
const observationLifetime = 60 * 60 * 1000

/**
 * Breaks the leases of dead nodes, so that their names can be registered again. A node is dead for
 * names when this node has seen its lease unchanged for longer than `timing.breakLease`. The
 * observations are kept between calls of `register`: the wait begins with the first one, or when
 * the node goes down, and not again with each call.
 */
export class LeaseBreaker {
  readonly #context: NodeContext
  readonly #register: Register
  readonly #membership: Pick<Membership, 'find'>
  readonly #observedLeases = new Map<string, ObservedLease>()

  constructor (
    context: NodeContext, register: Register, membership: Pick<Membership, 'find'>
  ) {
    this.#context = context
    this.#register = register
    this.#membership = membership
  }

  /** Whether the incarnation in a record has ended for certain: it left, or a later one started. */
  isGone ({ node, incarnation }: NameRecord): boolean {
    if (node === this.#context.node) return incarnation < this.#context.incarnation
    const member = this.#membership.find(node)
    if (member === undefined) return false
    return (
      member.incarnation > incarnation || (member.incarnation === incarnation && member.hasLeft)
    )
  }

  /** Call when a node goes down: the time during which its lease does not change begins now. */
  async observe (node: string): Promise<void> {
    this.#recordObservation(node, await this.#register.get<LeaseRecord>(leaseKey(node)))
  }

  /**
   * Breaks the lease under which a name is held, if the holder's node is gone, or if the lease has
   * not changed for longer than `timing.breakLease`, which is longer than it is valid. Only a
   * compare-and-set decides, because a value that was read may be stale.
   *
   * @param record the name's record
   * @param pause waits for milliseconds; rejects when the caller's call of `register` has timed out
   * @returns true: the name is free; false: its holder is alive
   */
  async breakLease (record: NameRecord, pause: (ms: number) => Promise<void>): Promise<boolean> {
    const register = this.#register
    const { timing } = this.#context
    const { node, incarnation } = record
    let isFirst = true
    let refused = -1
    for (;;) {
      const gone = this.isGone(record)
      const start = this.#context.now()
      const lease = await register.get<LeaseRecord>(leaseKey(node))
      // The node has started again: the lease of this incarnation can never be renewed.
      if (lease !== undefined && lease.value.incarnation > incarnation) return true
      const before = this.#observedLeases.get(node)
      const seen = this.#recordObservation(node, lease)
      const hasExpired = start - seen.since > timing.breakLease
      if (gone || lease === undefined || lease.value.broken || hasExpired) {
        const beat = (lease?.value.beat ?? 0) + 1
        const broken: LeaseRecord = { incarnation, beat, broken: true }
        if (await register.cas(leaseKey(node), broken, seen.revision) !== 0) return true
        // Another call or node has broken the lease, or it was renewed: read it again. If the same
        // revision was refused before, reads are stale, and the lease cannot be judged.
        if (seen.revision === refused) return false
        refused = seen.revision
        isFirst = false
        continue
      }
      // Alive: the node is up, or it has renewed the lease since the last look.
      if (this.#membership.find(node)?.state === 'up' || (!isFirst && seen !== before)) return false
      isFirst = false
      await pause(Math.min(timing.renew / 4, seen.since + timing.breakLease - start + 1))
    }
  }

  /** @returns the earlier observation if the lease has not changed since, or a new one */
  #recordObservation (node: string, lease: ParsedEntry<LeaseRecord> | undefined): ObservedLease {
    const now = this.#context.now()
    const { revision = 0, value: { incarnation, beat } = { incarnation: 0, beat: 0 } } = lease ?? {}
    const known = this.#observedLeases.get(node)
    const isSame = known?.revision === revision && known.incarnation === incarnation &&
      known.beat === beat
    if (isSame) return known
    if (known === undefined) this.#deleteOld(now)
    const observed = { revision, incarnation, beat, since: now }
    this.#observedLeases.set(node, observed)
    return observed
  }

  #deleteOld (now: number): void {
    for (const [node, { since }] of this.#observedLeases) {
      if (now - since > observationLifetime) this.#observedLeases.delete(node)
    }
  }
}
