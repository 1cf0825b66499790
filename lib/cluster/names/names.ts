import { errorCodes } from '../../errors.js'
import { notHere } from '../not-here.js'
import { checkName } from '../../process/registry/names.js'
import { Generations } from './generations.js'
import { Lease } from './lease.js'
import { fenceOf, nameKey } from './name-record.js'
import { UnconfirmedNames } from './unconfirmed-names.js'
import { Pauses } from './pauses.js'
import { GracePeriod } from './grace-period.js'
import { LeaseBreaker } from './lease-breaker.js'
import { unavailable } from '../unavailable.js'
import type { GenerationsHost } from './generations.js'
import type { LeaseHost } from './lease.js'
import type { Membership } from '../membership/membership.js'
import type { NameRecord } from './name-record.js'
import type { Entry } from '../register.js'
import type { LocalNode } from '../../process/remote-nodes.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { ClusterName, ClusterNames, ClusterStats } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

interface Held {
  readonly record: NameRecord
  readonly fence: number
  revision: number
  readonly watcher: ExitListener
}

/** One call of `register`. */
interface Claim {
  /** It has taken too long and is rejected already: it must not get the name any more. */
  isLate: boolean
}

/** What names need beside what their lease needs. */
export interface NamesHost extends Omit<LeaseHost, 'generations' | 'reassert' | 'fenced' | 'needed'>, GenerationsHost {
  /** Milliseconds after which a claim is rejected. */
  readonly longestClaim: number
  readonly here: LocalNode
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
  readonly #generations: Generations
  readonly #lease: Lease
  readonly #held = new Map<string, Held>()
  readonly #claims = new Map<string, Promise<unknown>>()
  readonly #orphans: UnconfirmedNames
  readonly #pauses: Pauses
  readonly #settling: GracePeriod
  readonly #takeOver: LeaseBreaker
  #closed = false

  constructor (host: NamesHost) {
    this.#host = host
    const generations = this.#generations = new Generations(host)
    this.#lease = new Lease({
      ...host,
      generations,
      reassert: () => this.#reassert(),
      fenced: () => { this.#fenced() },
      needed: () => this.#isNeeded
    })
    this.#orphans = new UnconfirmedNames({
      ...host,
      isOurs: (record) => this.#isOurs(record),
      isHeld: (name) => this.#held.has(name),
      isClaimed: (name) => this.#claims.has(name)
    })
    this.#pauses = new Pauses(host.clock)
    this.#settling = new GracePeriod({ ...host, generations, lease: this.#lease })
    this.#takeOver = new LeaseBreaker(host)
  }

  /** Records and timers, for the tests that count what remains. */
  get size (): number {
    return this.#held.size + this.#claims.size + this.#orphans.size + this.#pauses.size
  }

  /** What a process of this node may do under a name, now. */
  holder (name: string): ClusterName | undefined {
    const held = this.#held.get(name)
    return held === undefined || !this.#lease.valid ? undefined : { pid: held.record.pid, fence: held.fence }
  }

  /** Call when the node has joined, and whenever the engine is back. */
  engineUp (): void {
    this.#settling.watch()
    if (this.#isNeeded) this.#lease.renew().catch(() => {})
  }

  /** Call when another node is down: its names are free when its lease has not been renewed for long enough. */
  nodeDown (node: string): void {
    this.#takeOver.look(node).catch(() => {
      // The engine is away: the first claim looks.
    })
  }

  /** A name is held or claimed. */
  get #isNeeded (): boolean {
    return this.#held.size > 0 || this.#claims.size > 0
  }

  async lookup (name: string): Promise<ClusterName | undefined> {
    checkName(name)
    const entry = await this.#ask(() => this.#read(name))
    if (entry === undefined || this.#takeOver.isGone(entry.value) || this.#isOrphan(name, entry.value)) return undefined
    return { pid: entry.value.pid, fence: fenceOf(entry) }
  }

  async register (name: string, pid: Pid): Promise<ClusterName> {
    checkName(name)
    const { clock, longestClaim, isHere } = this.#host
    if (!isHere(pid)) throw notHere(pid)
    const claim: Claim = { isLate: false }
    return await new Promise((resolve, reject) => {
      const timer = clock.after(longestClaim, () => {
        claim.isLate = true
        reject(late(name))
      })
      this.#inTurn(name, pid, claim).then(resolve, reject).finally(() => { timer.cancel() })
    })
  }

  /** Claims of one name by this node take turns. */
  async #inTurn (name: string, pid: Pid, claim: Claim): Promise<ClusterName> {
    while (this.#claims.has(name)) await this.#claims.get(name)
    if (claim.isLate) throw late(name)
    if (this.#closed) throw unavailable('this node has left it')
    const claiming = this.#claim(name, pid, claim)
    this.#claims.set(name, claiming.catch(() => {}))
    try {
      return await claiming
    } finally {
      this.#claims.delete(name)
    }
  }

  async #claim (name: string, pid: Pid, claim: Claim): Promise<ClusterName> {
    let ended = false
    const watcher: ExitListener = {
      targetEnded: () => {
        ended = true
        this.#release(name, watcher)
      }
    }
    this.#host.here.monitor(pid, watcher)
    try {
      if (ended) throw new errorCodes.FST_PROCESS_NOT_ALIVE(pid)
      const held = await this.#ask(() => this.#take(name, pid, watcher, claim))
      if (!ended) return held
      this.#release(name, watcher)
      throw new errorCodes.FST_PROCESS_NOT_ALIVE(pid)
    } finally {
      if (this.#held.get(name)?.watcher !== watcher) this.#host.here.demonitor(pid, watcher)
    }
  }

  async #take (name: string, pid: Pid, watcher: ExitListener, claim: Claim): Promise<ClusterName> {
    const { node, incarnation, register, random } = this.#host
    const id = Math.floor(random() * Number.MAX_SAFE_INTEGER).toString(36)
    const pause = async (ms: number): Promise<void> => {
      await this.#pauses.for(ms)
      if (claim.isLate) throw late(name)
    }
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (this.#closed || claim.isLate || !await this.#lease.acquire()) break
      const { epoch } = this.#lease
      const generation = await this.#settling.settled(pause)
      const entry = await this.#read(name)
      let revision = entry?.revision ?? 0
      let record = entry?.value
      // What this claim wrote in another generation has no valid fence.
      if (record?.claim !== id || record.base !== generation.base) {
        const held = this.#held.get(name)
        if (held !== undefined) {
          if (held.record.pid === pid) return this.holder(name) ?? lost(name)
          throw new errorCodes.FST_CLUSTER_NAME_TAKEN(name, held.record.pid)
        }
        if (record !== undefined && !this.#isOurs(record) && !await this.#takeOver.breakLease(record, pause)) {
          throw new errorCodes.FST_CLUSTER_NAME_TAKEN(name, record.pid)
        }
        record = { pid, node, incarnation, base: generation.base, claim: id }
        // Until it is known to be ours and valid it is an orphan.
        this.#orphans.add(name)
        revision = await register.cas(nameKey(name), record, revision).catch(() => 0)
        if (revision === 0) continue
      }
      const now = await this.#generations.read()
      // An answer that arrives after a fence, or from another generation, is void. So is one that was so slow that the
      // lease is about to expire.
      if (epoch !== this.#lease.epoch || !this.#lease.lasting || now.id !== generation.id || now.id !== this.#lease.generation) continue
      // Nobody waits for it any more: it is left to the sweep of orphans.
      if (claim.isLate) break
      const fence = fenceOf({ value: record, revision })
      this.#orphans.delete(name)
      this.#held.set(name, { record, fence, revision, watcher })
      return { pid, fence }
    }
    return lost(name)
  }

  async #read (name: string): Promise<Entry<NameRecord> | undefined> {
    return await this.#host.register.get<NameRecord>(nameKey(name))
  }

  /** What the engine fails at is one coded error. */
  async #ask<T> (request: () => Promise<T>): Promise<T> {
    if (this.#closed) throw unavailable('this node has left it')
    try {
      return await request()
    } catch (err) {
      if (err instanceof Error && 'code' in err && String(err.code).startsWith('FST_')) throw err
      throw unavailable('the engine does not answer', { cause: err })
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
    this.#host.here.demonitor(held.record.pid, held.watcher)
    await this.#drop(name, held)
    return true
  }

  #release (name: string, watcher: ExitListener): void {
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
      this.#host.here.demonitor(pid, watcher)
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
    const { watcher, fence } = held
    const record: NameRecord = { ...held.record, fence }
    const revision = await this.#host.register.cas(nameKey(name), record, 0)
    const entry = revision === 0 ? await this.#read(name) : { value: record, revision }
    // Given back meanwhile: it is looked after as an orphan.
    if (this.#held.get(name) !== held) return
    if (entry?.value.claim === record.claim) held.revision = entry.revision
    else {
      this.#held.delete(name)
      this.#host.here.demonitor(record.pid, watcher)
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
      this.#host.here.demonitor(held.record.pid, held.watcher)
      return this.#drop(name, held)
    }))
    await Promise.all(this.#claims.values())
    this.#end()
  }

  #end (): void {
    this.#lease.stop()
    this.#settling.close()
    this.#orphans.close()
  }
}

function lost (name: string): never {
  throw unavailable(`this node could not hold the name '${name}'`)
}

function late (name: string): Error {
  return unavailable(`the name '${name}' did not become free in time`)
}
