import { errorCodes } from '../../errors.js'
import { notLocalError, unavailableError } from '../errors.js'
import { checkName } from '../../process/registry/names.js'
import { Generations } from './generations.js'
import { Lease } from './lease.js'
import { fenceOf, nameKey } from './name-record.js'
import { UnconfirmedNames } from './unconfirmed-names.js'
import { Pauses } from './pauses.js'
import { GracePeriod } from './grace-period.js'
import { LeaseBreaker } from './lease-breaker.js'
import type { GenerationsHost } from './generations.js'
import type { LeaseHost } from './lease.js'
import type { Membership } from '../membership/membership.js'
import type { NameRecord } from './name-record.js'
import type { ParsedEntry } from '../register.js'
import type { LocalNode } from '../../process/remote-nodes.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { ClusterName, ClusterNames, ClusterStats } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

interface HeldName {
  readonly record: NameRecord
  readonly fence: number
  revision: number
  readonly watcher: ExitListener
}

/** One call of `register`. */
interface AcquireAttempt {
  /** It has taken too long and is rejected already: it must not get the name any more. */
  hasTimedOut: boolean
}

/** What names need beside what their lease needs. */
export interface NamesHost extends Omit<LeaseHost, 'generations' | 'rewriteNames' | 'leaseEnded' | 'isNeeded'>, GenerationsHost {
  /** Milliseconds after which a claim is rejected. */
  readonly acquireTimeout: number
  readonly local: LocalNode
  readonly membership: Pick<Membership, 'find'>
  readonly counters: ClusterStats
  isLocal (pid: Pid): boolean
  /** The lease is lost, and so many names with it: each is told of next. */
  leaseLost (names: number): void
  nameLost (name: string, pid: Pid): void
}

/** Names that are said again at a time: the lease does not wait for one round trip each. */
const rewritesAtOnce = 256

/** How often a claim begins anew because something changed under it. */
const maxTries = 20

/**
 * Names that one process of the cluster has at a time: records in the engine's register, good only together with the
 * lease of their node. Whoever takes one over breaks that lease first.
 */
export class Names implements ClusterNames {
  readonly #host: NamesHost
  readonly #generations: Generations
  readonly #lease: Lease
  readonly #held = new Map<string, HeldName>()
  readonly #acquiring = new Map<string, Promise<unknown>>()
  readonly #unconfirmed: UnconfirmedNames
  readonly #pauses: Pauses
  readonly #gracePeriod: GracePeriod
  readonly #leaseBreaker: LeaseBreaker
  #closed = false

  constructor (host: NamesHost) {
    this.#host = host
    const generations = this.#generations = new Generations(host)
    this.#lease = new Lease({
      ...host,
      generations,
      rewriteNames: () => this.#rewriteNames(),
      leaseEnded: () => { this.#loseHeldNames() },
      isNeeded: () => this.#isNeeded
    })
    this.#unconfirmed = new UnconfirmedNames({
      ...host,
      isOwnRecord: (record) => this.#isOwnRecord(record),
      isHeld: (name) => this.#held.has(name),
      isBeingAcquired: (name) => this.#acquiring.has(name)
    })
    this.#pauses = new Pauses(host.clock)
    this.#gracePeriod = new GracePeriod({ ...host, generations, lease: this.#lease })
    this.#leaseBreaker = new LeaseBreaker(host)
  }

  /** Records and timers, for the tests that count what remains. */
  get size (): number {
    return this.#held.size + this.#acquiring.size + this.#unconfirmed.size + this.#pauses.size
  }

  /** What a process of this node may do under a name, now. */
  holder (name: string): ClusterName | undefined {
    const held = this.#held.get(name)
    return held === undefined || !this.#lease.valid ? undefined : { pid: held.record.pid, fence: held.fence }
  }

  /** Call when the node has joined, and whenever the engine is back. */
  engineUp (): void {
    this.#gracePeriod.follow()
    if (this.#isNeeded) this.#lease.renew().catch(() => {})
  }

  /** Call when another node is down: its names are free when its lease has not been renewed for long enough. */
  nodeDown (node: string): void {
    this.#leaseBreaker.observe(node).catch(() => {
      // The engine is away: the first claim looks.
    })
  }

  /** A name is held or claimed. */
  get #isNeeded (): boolean {
    return this.#held.size > 0 || this.#acquiring.size > 0
  }

  async lookup (name: string): Promise<ClusterName | undefined> {
    checkName(name)
    const entry = await this.#codeErrors(() => this.#read(name))
    if (entry === undefined || this.#leaseBreaker.isGone(entry.value) || this.#isUnconfirmed(name, entry.value)) return undefined
    return { pid: entry.value.pid, fence: fenceOf(entry) }
  }

  async register (name: string, pid: Pid): Promise<ClusterName> {
    checkName(name)
    const { clock, acquireTimeout: longestClaim, isLocal: isHere } = this.#host
    if (!isHere(pid)) throw notLocalError(pid)
    const claim: AcquireAttempt = { hasTimedOut: false }
    return await new Promise((resolve, reject) => {
      const timer = clock.after(longestClaim, () => {
        claim.hasTimedOut = true
        reject(timedOutError(name))
      })
      this.#acquireInTurn(name, pid, claim).then(resolve, reject).finally(() => { timer.cancel() })
    })
  }

  /** Claims of one name by this node take turns. */
  async #acquireInTurn (name: string, pid: Pid, claim: AcquireAttempt): Promise<ClusterName> {
    while (this.#acquiring.has(name)) await this.#acquiring.get(name)
    if (claim.hasTimedOut) throw timedOutError(name)
    if (this.#closed) throw unavailableError('this node has left it')
    const claiming = this.#acquireWatched(name, pid, claim)
    this.#acquiring.set(name, claiming.catch(() => {}))
    try {
      return await claiming
    } finally {
      this.#acquiring.delete(name)
    }
  }

  async #acquireWatched (name: string, pid: Pid, claim: AcquireAttempt): Promise<ClusterName> {
    let ended = false
    const watcher: ExitListener = {
      targetEnded: () => {
        ended = true
        this.#releaseEnded(name, watcher)
      }
    }
    this.#host.local.monitor(pid, watcher)
    try {
      if (ended) throw new errorCodes.FST_PROCESS_NOT_ALIVE(pid)
      const held = await this.#codeErrors(() => this.#acquire(name, pid, watcher, claim))
      if (!ended) return held
      this.#releaseEnded(name, watcher)
      throw new errorCodes.FST_PROCESS_NOT_ALIVE(pid)
    } finally {
      if (this.#held.get(name)?.watcher !== watcher) this.#host.local.demonitor(pid, watcher)
    }
  }

  async #acquire (name: string, pid: Pid, watcher: ExitListener, claim: AcquireAttempt): Promise<ClusterName> {
    const { node, incarnation, register, random } = this.#host
    const id = Math.floor(random() * Number.MAX_SAFE_INTEGER).toString(36)
    const pause = async (ms: number): Promise<void> => {
      await this.#pauses.start(ms)
      if (claim.hasTimedOut) throw timedOutError(name)
    }
    for (let attempt = 0; attempt < maxTries; attempt++) {
      if (this.#closed || claim.hasTimedOut || !await this.#lease.acquire()) break
      const { epoch } = this.#lease
      const generation = await this.#gracePeriod.waitUntilOver(pause)
      const entry = await this.#read(name)
      let revision = entry?.revision ?? 0
      let record = entry?.value
      // What this claim wrote in another generation has no valid fence.
      if (record?.claim !== id || record.base !== generation.base) {
        const held = this.#held.get(name)
        if (held !== undefined) {
          if (held.record.pid === pid) return this.holder(name) ?? throwNotHeld(name)
          throw new errorCodes.FST_CLUSTER_NAME_TAKEN(name, held.record.pid)
        }
        if (record !== undefined && !this.#isOwnRecord(record) && !await this.#leaseBreaker.breakLease(record, pause)) {
          throw new errorCodes.FST_CLUSTER_NAME_TAKEN(name, record.pid)
        }
        record = { pid, node, incarnation, base: generation.base, claim: id }
        // Until it is known to be ours and valid it is an orphan.
        this.#unconfirmed.add(name)
        revision = await register.cas(nameKey(name), record, revision).catch(() => 0)
        if (revision === 0) continue
      }
      const now = await this.#generations.read()
      // An answer that arrives after a fence, or from another generation, is void. So is one that was so slow that the
      // lease is about to expire.
      if (epoch !== this.#lease.epoch || !this.#lease.hasTimeToRenew || now.id !== generation.id || now.id !== this.#lease.generation) continue
      // Nobody waits for it any more: it is left to the sweep of orphans.
      if (claim.hasTimedOut) break
      const fence = fenceOf({ value: record, revision })
      this.#unconfirmed.confirm(name)
      this.#held.set(name, { record, fence, revision, watcher })
      return { pid, fence }
    }
    return throwNotHeld(name)
  }

  async #read (name: string): Promise<ParsedEntry<NameRecord> | undefined> {
    return await this.#host.register.get<NameRecord>(nameKey(name))
  }

  /** What the engine fails at is one coded error. */
  async #codeErrors<T> (request: () => Promise<T>): Promise<T> {
    if (this.#closed) throw unavailableError('this node has left it')
    try {
      return await request()
    } catch (err) {
      if (err instanceof Error && 'code' in err && String(err.code).startsWith('FST_')) throw err
      throw unavailableError('the engine does not answer', { cause: err })
    }
  }

  #isOwnRecord ({ node, incarnation }: NameRecord): boolean {
    return node === this.#host.node && incarnation === this.#host.incarnation
  }

  /** It stands there as ours, and is not. */
  #isUnconfirmed (name: string, record: NameRecord): boolean {
    return this.#isOwnRecord(record) && !this.#held.has(name)
  }

  // Giving back

  async unregister (name: string): Promise<boolean> {
    checkName(name)
    const held = this.#held.get(name)
    if (held === undefined) return false
    this.#host.local.demonitor(held.record.pid, held.watcher)
    await this.#release(name, held)
    return true
  }

  #releaseEnded (name: string, watcher: ExitListener): void {
    const held = this.#held.get(name)
    if (held?.watcher === watcher) this.#release(name, held).catch(() => {})
  }

  /** Not held from now on, whatever the engine says. */
  async #release (name: string, { revision }: HeldName): Promise<void> {
    this.#held.delete(name)
    await this.#unconfirmed.release(name, revision)
  }

  // Losing

  #loseHeldNames (): void {
    const lostNames = [...this.#held]
    // The lease was idle, or held for a claim: nothing is lost with it.
    if (lostNames.length === 0) return
    this.#host.counters.fences++
    this.#held.clear()
    this.#host.leaseLost(lostNames.length)
    for (const [name, { record: { pid }, watcher }] of lostNames) {
      this.#unconfirmed.add(name)
      this.#host.local.demonitor(pid, watcher)
      this.#host.nameLost(name, pid)
    }
  }

  /** The store is new: what is held is said again, before the lease is. */
  async #rewriteNames (): Promise<void> {
    const all = [...this.#held]
    for (let i = 0; i < all.length; i += rewritesAtOnce) {
      await Promise.all(all.slice(i, i + rewritesAtOnce).map(([name, held]) => this.#rewriteName(name, held)))
    }
  }

  async #rewriteName (name: string, held: HeldName): Promise<void> {
    if (this.#held.get(name) !== held) return
    const { watcher, fence } = held
    const record: NameRecord = { ...held.record, fence }
    const revision = await this.#host.register.cas(nameKey(name), record, 0)
    const entry = revision === 0 ? await this.#read(name) : { value: record, revision }
    // Given back meanwhile: it is looked after as an orphan.
    if (this.#held.get(name) !== held) return
    if (entry?.value.claim === record.claim) held.revision = entry.revision
    else {
      this.#held.delete(name)
      this.#host.local.demonitor(record.pid, watcher)
      this.#host.nameLost(name, record.pid)
    }
  }

  /** Another node has the name of this one, and with it all that was held: nothing is to be given back. */
  abandon (): void {
    this.#closed = true
    this.#pauses.close()
    this.#lease.end()
    this.#stop()
  }

  /** Gives everything back, as far as the engine answers. */
  async close (): Promise<void> {
    this.#closed = true
    this.#pauses.close()
    await Promise.all([...this.#held].map(([name, held]) => {
      this.#host.local.demonitor(held.record.pid, held.watcher)
      return this.#release(name, held)
    }))
    await Promise.all(this.#acquiring.values())
    this.#stop()
  }

  #stop (): void {
    this.#lease.stop()
    this.#gracePeriod.close()
    this.#unconfirmed.close()
  }
}

function throwNotHeld (name: string): never {
  throw unavailableError(`this node could not hold the name '${name}'`)
}

function timedOutError (name: string): Error {
  return unavailableError(`the name '${name}' did not become free in time`)
}
