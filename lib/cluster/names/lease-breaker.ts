import { leaseKey } from './lease.js'
import type { Clock } from '../../shared/clock.js'
import type { LeaseRecord } from './lease.js'
import type { Membership } from '../membership/membership.js'
import type { NameRecord } from './name-record.js'
import type { ParsedEntry, Register } from '../register.js'
import type { Timing } from '../timing.js'

/** What a take-over needs. */
export interface LeaseBreakerHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly register: Register
  readonly membership: Pick<Membership, 'find'>
  readonly node: string
  readonly incarnation: number
}

/** A lease as it was last seen, and since when. */
interface ObservedLease {
  /** Each renewal has a beat of its own. A revision alone says nothing: a store that lost its data begins them anew. */
  readonly revision: number
  readonly incarnation: number
  readonly beat: number
  readonly since: number
}

/** How long what was seen is kept for a claim that may come. */
const observationLifetime = 60 * 60 * 1000

/**
 * Breaks the leases of nodes that hold names and are no more. What was seen of a lease is kept between claims: whoever
 * asks again and again for a name gets it as soon as its holder has not renewed for long enough, and no later.
 */
export class LeaseBreaker {
  readonly #host: LeaseBreakerHost
  readonly #observedLeases = new Map<string, ObservedLease>()

  constructor (host: LeaseBreakerHost) {
    this.#host = host
  }

  /** Whether the node of a record is known never to come back. */
  isGone ({ node, incarnation }: NameRecord): boolean {
    if (node === this.#host.node) return incarnation < this.#host.incarnation
    const member = this.#host.membership.find(node)
    return member !== undefined && (member.incarnation > incarnation || (member.incarnation === incarnation && member.hasLeft))
  }

  /** Looks at the lease of a node that is down: from now on it counts how long the lease is not renewed. */
  async observe (node: string): Promise<void> {
    this.#recordObservation(node, await this.#host.register.get<LeaseRecord>(leaseKey(node)))
  }

  /**
   * Breaks the lease of a holder that is gone, or that has not renewed it for longer than it is valid, seen by this
   * node twice. Each step is a compare-and-set, because a read alone may be of the past.
   * @param pause waits for milliseconds; it rejects when the claim has ended
   * @returns false when the holder is alive
   */
  async breakLease (record: NameRecord, pause: (ms: number) => Promise<void>): Promise<boolean> {
    const { register, membership, clock, timing } = this.#host
    const { node, incarnation } = record
    let isFirst = true
    let refused = -1
    for (;;) {
      const gone = this.isGone(record)
      const start = clock.now()
      const lease = await register.get<LeaseRecord>(leaseKey(node))
      // Of a later incarnation: the lease of this one can never be renewed again.
      if (lease !== undefined && lease.value.incarnation > incarnation) return true
      const before = this.#observedLeases.get(node)
      const seen = this.#recordObservation(node, lease)
      if (gone || lease === undefined || lease.value.broken || start - seen.since > timing.breakLease) {
        const broken: LeaseRecord = { incarnation, beat: (lease?.value.beat ?? 0) + 1, broken: true }
        if (await register.cas(leaseKey(node), broken, seen.revision) !== 0) return true
        // Others break it as well, for other names of its node, or it was renewed: it is looked at again. Where nothing
        // new is to be seen, what is read is of the past.
        if (seen.revision === refused) return false
        refused = seen.revision
        isFirst = false
        continue
      }
      if (membership.find(node)?.state === 'up' || (!isFirst && seen !== before)) return false
      isFirst = false
      await pause(Math.min(timing.renew / 4, seen.since + timing.breakLease - start + 1))
    }
  }

  #recordObservation (node: string, lease: ParsedEntry<LeaseRecord> | undefined): ObservedLease {
    const now = this.#host.clock.now()
    const { revision = 0, value: { incarnation, beat } = { incarnation: 0, beat: 0 } } = lease ?? {}
    const known = this.#observedLeases.get(node)
    if (known?.revision === revision && known.incarnation === incarnation && known.beat === beat) return known
    if (known === undefined) for (const [other, { since }] of this.#observedLeases) if (now - since > observationLifetime) this.#observedLeases.delete(other)
    const sight = { revision, incarnation, beat, since: now }
    this.#observedLeases.set(node, sight)
    return sight
  }
}
