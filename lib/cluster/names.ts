import { errorCodes } from '../errors.js'
import { notHere } from './not-here.js'
import { checkName } from '../process/names.js'
import { Lease } from './lease.js'
import { nameKey } from './name-record.js'
import { Orphans } from './orphans.js'
import { Pauses } from './pauses.js'
import { Settling } from './settling.js'
import { TakeOver } from './take-over.js'
import type { LeaseHost } from './lease.js'
import type { Membership } from './membership.js'
import type { NameRecord } from './name-record.js'
import type { Entry } from './register.js'
import type { Here } from '../process/elsewhere.js'
import type { Watcher } from '../process/relations.js'
import type { ClusterName, ClusterNames, ClusterStats } from '../../types/cluster.js'
import type { Pid } from '../../types/pid.js'

interface Held {
  readonly record: NameRecord
  revision: number
  readonly watcher: Watcher
}

/** What names need beside what their lease needs. */
export interface NamesHost extends Omit<LeaseHost, 'reassert' | 'fenced' | 'needed'> {
  readonly here: Here
  readonly membership: Pick<Membership, 'find'>
  readonly counters: ClusterStats
  isHere (pid: Pid): boolean
  /** The lease is lost, and so many names with it: each is told of next. */
  leaseLost (names: number): void
  lost (name: string, pid: Pid): void
}

/** Names that are said again at a time: the lease does not wait for one round trip each. */
const mostAtOnce = 256

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
  readonly #orphans: Orphans
  readonly #pauses: Pauses
  readonly #settling: Settling
  readonly #takeOver: TakeOver
  #closed = false

  constructor (host: NamesHost) {
    this.#host = host
    this.#lease = new Lease({
      ...host,
      get durable () { return host.durable },
      reassert: () => this.#reassert(),
      fenced: () => { this.#fenced() },
      needed: () => this.#held.size > 0 || this.#claims.size > 0
    })
    this.#orphans = new Orphans({
      ...host,
      isOurs: (record) => this.#isOurs(record),
      isHeld: (name) => this.#held.has(name),
      isClaimed: (name) => this.#claims.has(name)
    })
    this.#pauses = new Pauses(host.clock)
    this.#settling = new Settling(host, this.#lease, this.#pauses)
    this.#takeOver = new TakeOver(host, this.#pauses)
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
    if (record === undefined || this.#takeOver.isGone(record) || this.#isOrphan(name, record)) return undefined
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
      const generation = await this.#settling.settled()
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
        if (known !== undefined && !this.#isOurs(known) && !await this.#takeOver.breakLease(known)) throw new errorCodes.FST_CLUSTER_NAME_TAKEN(name, known.pid)
        record = { pid, node, incarnation, fence: Math.max((known?.fence ?? 0) + 1, Math.floor(clock.now())), claim, sure: known !== undefined }
        // Until it is known to be ours and valid it is an orphan.
        this.#orphans.add(name)
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
      // An answer that arrives after a fence, or from another store, is void. So is one that was so slow that the lease
      // is about to expire.
      if (epoch !== this.#lease.epoch || !this.#lease.lasting || store.id !== generation || generation !== this.#lease.generation) continue
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
    await this.#orphans.giveBack(name, revision)
  }

  // Losing

  #fenced (): void {
    const lost = [...this.#held]
    // The lease was idle, or held for a claim: nothing is lost with it.
    if (lost.length === 0) return
    this.#host.counters.fences++
    this.#held.clear()
    this.#host.leaseLost(lost.length)
    for (const [name, { record: { pid }, watcher }] of lost) {
      this.#orphans.add(name)
      this.#host.here.unwatch(pid, watcher)
      this.#host.lost(name, pid)
    }
  }

  /** The store is new: what is held is said again, before the lease is. */
  async #reassert (): Promise<void> {
    const all = [...this.#held]
    for (let i = 0; i < all.length; i += mostAtOnce) {
      await Promise.all(all.slice(i, i + mostAtOnce).map(([name, held]) => this.#sayAgain(name, held)))
    }
  }

  async #sayAgain (name: string, held: Held): Promise<void> {
    if (this.#held.get(name) !== held) return
    const { record, watcher } = held
    const revision = await this.#host.register.cas(nameKey(name), record, 0)
    const entry = revision === 0 ? await this.#read(name) : { value: record, revision }
    // Given back meanwhile: it is looked after as an orphan.
    if (this.#held.get(name) !== held) return
    if (entry?.value.claim === record.claim) held.revision = entry.revision
    else {
      this.#held.delete(name)
      this.#host.here.unwatch(record.pid, watcher)
      this.#host.lost(name, record.pid)
    }
  }

  /** Another node has the name of this one, and with it all that was held: nothing is to be given back. */
  lose (): void {
    this.#closed = true
    this.#pauses.close()
    this.#lease.fence()
    this.#end()
  }

  /** Gives everything back, as far as the engine answers. */
  async close (): Promise<void> {
    this.#closed = true
    this.#pauses.close()
    await Promise.all([...this.#held].map(([name, held]) => {
      this.#host.here.unwatch(held.record.pid, held.watcher)
      return this.#drop(name, held)
    }))
    await Promise.all(this.#claims.values())
    this.#end()
  }

  #end (): void {
    this.#lease.stop()
    this.#orphans.close()
  }
}

function lost (name: string): never {
  throw new errorCodes.FST_CLUSTER_UNAVAILABLE(`this node could not hold the name '${name}'`)
}
