import { errorCodes, notHere } from './errors.js'
import { checkName } from '../process/names.js'
import { generationKey, Lease, leaseKey } from './lease.js'
import { keyOf } from './register.js'
import type { Cancellable } from './clock.js'
import type { Generation, LeaseHost, LeaseRecord } from './lease.js'
import type { Membership } from './membership.js'
import type { Entry } from './register.js'
import type { Here } from '../process/elsewhere.js'
import type { Watcher } from '../process/relations.js'
import type { ClusterName, ClusterNames } from '../../types/cluster.js'
import type { Pid } from '../../types/pid.js'

/** What stands in the register for a name. */
interface NameRecord {
  readonly pid: Pid
  readonly node: string
  readonly incarnation: number
  readonly fence: number
  /** Of one attempt: an outcome that nobody knew is known when it is read. */
  readonly claim: string
  /** The fence is above that of every holder before: it was seen, or time has passed since we hold the record. */
  readonly sure: boolean
}

interface Held {
  readonly record: NameRecord
  revision: number
  readonly watcher: Watcher
}

/** What names need beside what their lease needs. */
export interface NamesHost extends Omit<LeaseHost, 'reassert' | 'fenced' | 'needed'> {
  readonly here: Here
  readonly membership: Membership
  isHere (pid: Pid): boolean
  /** The lease is lost, and so many names with it: each is told of next. */
  leaseLost (names: number): void
  lost (name: string, pid: Pid): void
}

/** How often a claim begins anew because something changed under it. */
const attempts = 20

/**
 * Names that one process of the cluster has at a time: records in the engine's register, good only together with the
 * lease of their node. Whoever takes one over breaks that lease first.
 */
export class Names implements ClusterNames {
  readonly #host: NamesHost
  readonly #lease: Lease
  readonly #held = new Map<string, Held>()
  readonly #claims = new Map<string, Promise<unknown>>()
  /** Names that may stand in the register as ours and are not, until when they are looked after. */
  readonly #orphans = new Map<string, number>()
  readonly #pauses = new Set<() => void>()
  /** When a generation that is not settled was first seen. */
  #unsettled: { readonly id: string, readonly since: number } | undefined
  #sweeping: Cancellable | undefined
  #closed = false

  constructor (host: NamesHost) {
    this.#host = host
    this.#lease = new Lease({
      ...host,
      reassert: () => this.#reassert(),
      fenced: () => { this.#fenced() },
      needed: () => this.#held.size > 0 || this.#claims.size > 0
    })
  }

  /** Records and timers, for the tests that count what remains. */
  get size (): number {
    return this.#held.size + this.#claims.size + this.#orphans.size + this.#pauses.size
  }

  /** What a process of this node may do under a name, now. */
  holder (name: string): ClusterName | undefined {
    const held = this.#held.get(name)
    return held === undefined || !this.#lease.valid ? undefined : { pid: held.record.pid, fence: held.record.fence }
  }

  async lookup (name: string): Promise<ClusterName | undefined> {
    checkName(name)
    const record = (await this.#ask(() => this.#read(name)))?.value
    if (record === undefined || this.#isGone(record) || this.#isOrphan(name, record)) return undefined
    return { pid: record.pid, fence: record.fence }
  }

  async register (name: string, pid: Pid): Promise<ClusterName> {
    checkName(name)
    if (!this.#host.isHere(pid)) throw notHere(pid)
    // Two of one node take turns.
    while (this.#claims.has(name)) await this.#claims.get(name)
    if (this.#closed) throw new errorCodes.FST_CLUSTER_UNAVAILABLE('this node has left it')
    const claim = this.#claim(name, pid)
    this.#claims.set(name, claim.catch(() => {}))
    try {
      return await claim
    } finally {
      this.#claims.delete(name)
    }
  }

  async #claim (name: string, pid: Pid): Promise<ClusterName> {
    let ended = false
    const watcher: Watcher = {
      targetEnded: () => {
        ended = true
        this.#release(name, watcher)
      }
    }
    this.#host.here.watch(pid, watcher)
    try {
      if (ended) throw new errorCodes.FST_PROCESS_NOT_ALIVE(pid)
      const held = await this.#ask(() => this.#take(name, pid, watcher))
      if (!ended) return held
      this.#release(name, watcher)
      throw new errorCodes.FST_PROCESS_NOT_ALIVE(pid)
    } finally {
      if (this.#held.get(name)?.watcher !== watcher) this.#host.here.unwatch(pid, watcher)
    }
  }

  async #take (name: string, pid: Pid, watcher: Watcher): Promise<ClusterName> {
    const { node, incarnation, register, clock, random } = this.#host
    const claim = Math.floor(random() * Number.MAX_SAFE_INTEGER).toString(36)
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (this.#closed || !await this.#lease.acquire()) break
      const { epoch } = this.#lease
      const generation = await this.#settled()
      const entry = await this.#read(name)
      const known = entry?.value
      let revision = entry?.revision ?? 0
      let record = known
      if (known?.claim !== claim) {
        const held = this.#held.get(name)
        if (held !== undefined) {
          if (held.record.pid === pid) return this.holder(name) ?? lost(name)
          throw new errorCodes.FST_CLUSTER_NAME_TAKEN(name, held.record.pid)
        }
        if (known !== undefined && !this.#isOurs(known) && !await this.#breakLease(known)) throw new errorCodes.FST_CLUSTER_NAME_TAKEN(name, known.pid)
        record = { pid, node, incarnation, fence: Math.max((known?.fence ?? 0) + 1, Math.floor(clock.now())), claim, sure: known !== undefined }
        // Until it is known to be ours and valid it is an orphan.
        this.#orphan(name)
        revision = await register.cas(nameKey(name), record, revision).catch(() => 0)
        if (revision === 0) continue
      }
      if (!record!.sure) {
        // A claim that was slow may have come after others that are gone: a number from now is above theirs.
        record = { ...record!, fence: Math.max(record!.fence, Math.floor(clock.now())), sure: true }
        revision = await register.cas(nameKey(name), record, revision).catch(() => 0)
        if (revision === 0) continue
      }
      const store = await this.#lease.store()
      // What is answered after a fence, or by another store, is void.
      if (epoch !== this.#lease.epoch || !this.#lease.valid || store.id !== generation || generation !== this.#lease.generation) continue
      this.#orphans.delete(name)
      this.#held.set(name, { record: record!, revision, watcher })
      return { pid, fence: record!.fence }
    }
    return lost(name)
  }

  async #read (name: string): Promise<Entry<NameRecord> | undefined> {
    return await this.#host.register.get<NameRecord>(nameKey(name))
  }

  /** What the engine fails at is one coded error. */
  async #ask<T> (request: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new errorCodes.FST_CLUSTER_UNAVAILABLE('this node has left it')
    try {
      return await request()
    } catch (err) {
      if (err instanceof Error && 'code' in err && String(err.code).startsWith('FST_')) throw err
      throw new errorCodes.FST_CLUSTER_UNAVAILABLE('the engine does not answer', { cause: err })
    }
  }

  #isOurs ({ node, incarnation }: NameRecord): boolean {
    return node === this.#host.node && incarnation === this.#host.incarnation
  }

  /** It stands there as ours, and is not. */
  #isOrphan (name: string, record: NameRecord): boolean {
    return this.#isOurs(record) && !this.#held.has(name)
  }

  /** Whether its node is known never to come back. */
  #isGone ({ node, incarnation }: NameRecord): boolean {
    if (node === this.#host.node) return incarnation < this.#host.incarnation
    const member = this.#host.membership.find(node)
    return member !== undefined && (member.incarnation > incarnation || (member.incarnation === incarnation && member.gone))
  }

  /**
   * Breaks the lease of a holder that is gone, or that has not renewed it for longer than it is good for, seen from
   * here twice. Each step is a compare-and-set: a read alone may be of the past.
   * @returns false when the holder is there
   */
  async #breakLease (record: NameRecord): Promise<boolean> {
    const { register, membership, clock, timing } = this.#host
    const key = leaseKey(record.node)
    let seen: { readonly revision: number, readonly since: number } | undefined
    for (;;) {
      const gone = this.#isGone(record)
      if (!gone && membership.find(record.node)?.state === 'up') return false
      const start = clock.now()
      const lease = await register.get<LeaseRecord>(key)
      // Of a later incarnation: the lease of this one can never be renewed again.
      if (lease !== undefined && lease.value.incarnation > record.incarnation) return true
      const revision = lease?.revision ?? 0
      if (seen !== undefined && seen.revision !== revision && !gone) return false
      seen ??= { revision, since: clock.now() }
      if (gone || lease === undefined || lease.value.broken || start - seen.since > timing.takeOver) {
        const broken: LeaseRecord = { incarnation: record.incarnation, beat: (lease?.value.beat ?? 0) + 1, broken: true }
        return await register.cas(key, broken, revision) !== 0
      }
      await this.#pause(timing.renew / 4)
    }
  }

  /** Waits until a store that is new has been so for as long as the leases of another may last. @returns which it is */
  async #settled (): Promise<string> {
    const { clock, timing, register } = this.#host
    for (;;) {
      const { id, settled } = await this.#lease.store()
      if (settled) return id
      if (this.#unsettled?.id !== id) this.#unsettled = { id, since: clock.now() }
      if (clock.now() - this.#unsettled.since > timing.takeOver) {
        const entry = await register.get<Generation>(generationKey)
        if (entry?.value.id === id) await register.cas(generationKey, { id, settled: true } satisfies Generation, entry.revision)
        continue
      }
      await this.#pause(timing.renew / 4)
      if (!await this.#lease.acquire()) return id
    }
  }

  #pause (ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        timer.cancel()
        this.#pauses.delete(end)
        if (this.#closed) reject(new errorCodes.FST_CLUSTER_UNAVAILABLE('this node has left it'))
        else resolve()
      }
      const timer = this.#host.clock.after(ms, end)
      this.#pauses.add(end)
    })
  }

  // Giving back

  async unregister (name: string): Promise<boolean> {
    checkName(name)
    const held = this.#held.get(name)
    if (held === undefined) return false
    this.#host.here.unwatch(held.record.pid, held.watcher)
    await this.#drop(name, held)
    return true
  }

  #release (name: string, watcher: Watcher): void {
    const held = this.#held.get(name)
    if (held?.watcher === watcher) this.#drop(name, held).catch(() => {})
  }

  /** Not held from now on, whatever the engine says. */
  async #drop (name: string, { revision }: Held): Promise<void> {
    this.#held.delete(name)
    this.#orphan(name)
    await this.#sweepOne(name, revision)
  }

  #orphan (name: string): void {
    this.#orphans.set(name, this.#host.clock.now() + this.#host.timing.takeOver)
    if (!this.#closed) this.#sweeping ??= this.#host.clock.after(this.#host.timing.renew, this.#sweep)
  }

  /** Takes out of the register what an unknown outcome, or a fence, left there as ours. */
  readonly #sweep = (): void => {
    Promise.all([...this.#orphans.keys()].map((name) => this.#sweepOne(name))).catch(() => {}).finally(() => {
      this.#sweeping = undefined
      if (this.#orphans.size > 0 && !this.#closed) this.#sweeping = this.#host.clock.after(this.#host.timing.renew, this.#sweep)
    })
  }

  async #sweepOne (name: string, revision?: number): Promise<void> {
    const until = this.#orphans.get(name)
    if (until === undefined || this.#held.has(name) || (this.#claims.has(name) && revision === undefined)) return
    try {
      if (revision !== undefined && await this.#host.register.cas(nameKey(name), undefined, revision) !== 0) {
        if (!this.#claims.has(name)) this.#orphans.delete(name)
        return
      }
      const entry = await this.#read(name)
      if (entry !== undefined && this.#isOurs(entry.value) && !this.#held.has(name) && !this.#claims.has(name)) {
        await this.#host.register.cas(nameKey(name), undefined, entry.revision)
      } else if (this.#host.clock.now() > until) this.#orphans.delete(name)
    } catch {
      // The engine is away: the next sweep finds it.
    }
  }

  // Losing

  #fenced (): void {
    const lost = [...this.#held]
    this.#held.clear()
    this.#host.leaseLost(lost.length)
    for (const [name, { record: { pid }, watcher }] of lost) {
      this.#orphan(name)
      this.#host.here.unwatch(pid, watcher)
      this.#host.lost(name, pid)
    }
  }

  /** The store is new: what is held is said again, before the lease is. */
  async #reassert (): Promise<void> {
    for (const [name, held] of [...this.#held]) {
      const { record, watcher } = held
      const revision = await this.#host.register.cas(nameKey(name), record, 0)
      if (revision !== 0) {
        held.revision = revision
        continue
      }
      const entry = await this.#read(name)
      if (entry?.value.claim === record.claim) held.revision = entry.revision
      else if (this.#held.get(name) === held) {
        this.#held.delete(name)
        this.#host.here.unwatch(record.pid, watcher)
        this.#host.lost(name, record.pid)
      }
    }
  }

  /** Gives everything back, as far as the engine answers. */
  async close (): Promise<void> {
    this.#closed = true
    this.#sweeping?.cancel()
    for (const end of this.#pauses) end()
    await Promise.all([...this.#held].map(([name, held]) => {
      this.#host.here.unwatch(held.record.pid, held.watcher)
      return this.#drop(name, held)
    }))
    await Promise.all(this.#claims.values())
    this.#orphans.clear()
    this.#lease.stop()
  }
}

function nameKey (name: string): string {
  return `name.${keyOf(name)}`
}

function lost (name: string): never {
  throw new errorCodes.FST_CLUSTER_UNAVAILABLE(`this node could not hold the name '${name}'`)
}
