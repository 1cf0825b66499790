import { errorCodes } from '../../errors.js'
import { notLocalError, unavailableError } from '../errors.js'
import { checkName } from '../../process/registry/names.js'
import { failure, success } from '../../shared/result.js'
import { serialOf } from '../context.js'
import { Generations } from './generations.js'
import { GracePeriod } from './grace-period.js'
import { HeldNames } from './held-names.js'
import { Lease } from './lease.js'
import { LeaseBreaker } from './lease-breaker.js'
import { LeasedNames } from './leased-names.js'
import { Pauses } from './pauses.js'
import { fenceOf, isOwnRecord, nameKey } from './records.js'
import { UnconfirmedNames } from './unconfirmed-names.js'
import type { NodeContext } from '../context.js'
import type { HeldName } from './held-names.js'
import type { Membership } from '../membership/membership.js'
import type { NameRecord } from './records.js'
import type { ParsedEntry, Register } from '../register.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Result } from '../../shared/result.js'
import type { ClusterName, ClusterNames } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

/** One call of `register`. */
interface AcquireAttempt {
  /** The caller's promise is rejected already: this attempt must not get the name any more. */
  hasTimedOut: boolean
}

/** The problem is the PID of the process that has the name. */
type Acquired = Result<ClusterName, Pid>

/** The serial number in the PID of a name that a node has: no process has it. */
const noProcess = 0
/** The listener of such a name: it monitors nothing, so nobody calls it. */
const unmonitored = {} as ExitListener

/** How often one call of `register` starts again because the lease or the record has changed. */
const maxTries = 20

/**
 * Names that one process of the whole cluster has at a time. A name is a record in the engine's
 * register, and it is held only while the lease of its node is valid.
 *
 * When is a name free again?
 *
 * | event | the name is free | code |
 * | --- | --- | --- |
 * | its process ends, or `unregister` | when the record is deleted, at once | `#release` |
 * | its node closes | when the record is deleted, at once | `close` |
 * | the engine did not answer the deletion | after a later sweep | `UnconfirmedNames` |
 * | its node crashes or is cut off | see below | `LeaseBreaker` |
 * | its node has started again | at once: nobody waits for the old lease | `LeaseBreaker` |
 * | the lease of this node has ended | after a later sweep; its process ends | `LeasedNames` |
 * | the register has lost its data | after the grace period | `GracePeriod` |
 *
 * The name of a dead node is not freed by itself. The next call of `register` on another node
 * breaks the lease, once that node has seen it unchanged for `timing.breakLease` (14 s, or 61 s
 * with the durations of `patient`). It has watched the lease since the dead node went down.
 */
export class NodeNames implements ClusterNames {
  readonly #context: NodeContext
  readonly #register: Register
  /** Milliseconds after which a call of `register` is rejected. */
  readonly #acquireTimeout: number
  readonly #generations: Generations
  readonly #lease: Lease
  readonly #names = new HeldNames()
  readonly #unconfirmed: UnconfirmedNames
  readonly #pauses: Pauses
  readonly #gracePeriod: GracePeriod
  readonly #leaseBreaker: LeaseBreaker
  #closed = false

  constructor (
    context: NodeContext,
    register: Register,
    membership: Pick<Membership, 'find'>,
    acquireTimeout = context.timing.acquire
  ) {
    this.#context = context
    this.#register = register
    this.#acquireTimeout = acquireTimeout
    this.#generations = new Generations(context, register)
    this.#unconfirmed = new UnconfirmedNames(context, register, this.#names)
    const leased = new LeasedNames(context, register, this.#names, this.#unconfirmed)
    this.#lease = new Lease(context, register, this.#generations, leased)
    this.#pauses = new Pauses(context)
    this.#gracePeriod = new GracePeriod(context, this.#generations, this.#lease)
    this.#leaseBreaker = new LeaseBreaker(context, register, membership)
  }

  /** Records and timers, for the tests that check that nothing is left over. */
  get size (): number {
    return this.#names.size + this.#unconfirmed.size + this.#pauses.size
  }

  /** @returns the process of this node that has the name; undefined when the lease is not valid */
  holder (name: string): ClusterName | undefined {
    const held = this.#names.held.get(name)
    if (held === undefined || !this.#lease.valid) return undefined
    return { pid: held.record.pid, fence: held.fence }
  }

  /** Call when the node has joined, and whenever the engine is back. */
  engineUp (): void {
    this.#gracePeriod.follow()
    if (this.#names.size > 0) this.#lease.renew().catch(() => {})
  }

  /** Call when a node goes down: the time after which its lease can be broken begins now. */
  nodeDown (node: string): void {
    this.#leaseBreaker.observe(node).catch(() => {
      // The engine cannot be reached: the time counts from the first call of `register`.
    })
  }

  async lookup (name: string): Promise<ClusterName | undefined> {
    checkName(name)
    return await this.holderOf(name)
  }

  /** As `lookup`, for names of the package too. */
  async holderOf (name: string): Promise<ClusterName | undefined> {
    const entry = await this.#withCodedErrors(() => this.#read(name))
    if (entry === undefined) return undefined
    const { value: record } = entry
    if (this.#leaseBreaker.isGone(record) || this.#isUnconfirmed(name, record)) return undefined
    return { pid: record.pid, fence: fenceOf(entry) }
  }

  // Acquiring a name

  async register (name: string, pid: Pid): Promise<ClusterName> {
    checkName(name)
    if (!this.#context.isLocal(pid)) throw notLocalError(pid)
    const acquired = await this.#acquireInTime(name, pid)
    if (!acquired.ok) throw new errorCodes.FST_CLUSTER_NAME_TAKEN(name, acquired.problem)
    return acquired.value
  }

  /**
   * Gives a name of the package to this node itself: no process is monitored. The name is free
   * after `release`, or with the lease, and then `nameLost` is called.
   * @returns undefined when this node has the name, otherwise the PID in the record of its holder
   * @throws `FST_CLUSTER_UNAVAILABLE`
   */
  async claim (name: string): Promise<Pid | undefined> {
    const acquired = await this.#acquireInTime(name, this.#context.pid(noProcess))
    return acquired.ok ? undefined : acquired.problem
  }

  #acquireInTime (name: string, pid: Pid): Promise<Acquired> {
    const attempt: AcquireAttempt = { hasTimedOut: false }
    return new Promise((resolve, reject) => {
      const timer = this.#context.after(this.#acquireTimeout, () => {
        attempt.hasTimedOut = true
        reject(timedOutError(name))
      })
      const acquiring = this.#acquireInTurn(name, pid, attempt)
      acquiring.then(resolve, reject).finally(() => { timer.cancel() })
    })
  }

  /** Waits for earlier attempts of this node to acquire the same name. */
  async #acquireInTurn (name: string, pid: Pid, attempt: AcquireAttempt): Promise<Acquired> {
    while (this.#names.acquiring.has(name)) await this.#names.acquiring.get(name)
    if (attempt.hasTimedOut) throw timedOutError(name)
    if (this.#closed) throw unavailableError('this node has left it')
    const acquiring = serialOf(pid) === noProcess
      ? this.#withCodedErrors(() => this.#acquire(name, pid, unmonitored, attempt))
      : this.#acquireMonitored(name, pid, attempt)
    this.#names.acquiring.set(name, acquiring.catch(() => {}))
    try {
      return await acquiring
    } finally {
      this.#names.acquiring.delete(name)
    }
  }

  /** Monitors the process, so that the name is free when it ends, during the attempt too. */
  async #acquireMonitored (name: string, pid: Pid, attempt: AcquireAttempt): Promise<Acquired> {
    let ended = false
    const listener: ExitListener = {
      targetEnded: () => {
        ended = true
        this.#releaseOfEnded(name, listener)
      }
    }
    this.#context.local.monitor(pid, listener)
    try {
      if (ended) throw new errorCodes.FST_PROCESS_NOT_ALIVE(pid)
      const acquired = await this.#withCodedErrors(() => {
        return this.#acquire(name, pid, listener, attempt)
      })
      if (!ended) return acquired
      this.#releaseOfEnded(name, listener)
      throw new errorCodes.FST_PROCESS_NOT_ALIVE(pid)
    } finally {
      const isHeld = this.#names.held.get(name)?.listener === listener
      if (!isHeld) this.#context.local.demonitor(pid, listener)
    }
  }

  async #acquire (
    name: string, pid: Pid, listener: ExitListener, attempt: AcquireAttempt
  ): Promise<Acquired> {
    const { node, incarnation, random } = this.#context
    const id = Math.floor(random() * Number.MAX_SAFE_INTEGER).toString(36)
    const pause = async (ms: number): Promise<void> => {
      await this.#pauses.start(ms)
      if (attempt.hasTimedOut) throw timedOutError(name)
    }
    for (let tries = 0; tries < maxTries; tries++) {
      if (this.#closed || attempt.hasTimedOut || !await this.#lease.acquire()) break
      const { epoch } = this.#lease
      const generation = await this.#gracePeriod.waitUntilOver(pause)
      const entry = await this.#read(name)
      let revision = entry?.revision ?? 0
      let record = entry?.value
      // A record that this attempt wrote in an earlier generation has no valid fence.
      if (record?.claim !== id || record.base !== generation.base) {
        const held = this.#names.held.get(name)
        if (held !== undefined) {
          if (held.record.pid === pid) return success(this.holder(name) ?? throwNotHeld(name))
          return failure(held.record.pid)
        }
        const isOfOtherNode = record !== undefined && !isOwnRecord(record, this.#context)
        if (isOfOtherNode && !await this.#leaseBreaker.breakLease(record!, pause)) {
          return failure(record!.pid)
        }
        record = { pid, node, incarnation, base: generation.base, claim: id }
        // Until the write is confirmed, the register may have a record that must be deleted.
        this.#unconfirmed.add(name)
        revision = await this.#register.cas(nameKey(name), record, revision).catch(() => 0)
        if (revision === 0) continue
      }
      const now = await this.#generations.read()
      // The record is void if the lease has ended meanwhile, or if it is of another generation. It
      // is also void if the answer came so late that the lease is about to expire.
      if (epoch !== this.#lease.epoch || !this.#lease.hasTimeToRenew) continue
      if (now.id !== generation.id || now.id !== this.#lease.generation) continue
      // The caller is gone: the sweep of unconfirmed names deletes the record.
      if (attempt.hasTimedOut) break
      const fence = fenceOf({ value: record, revision })
      this.#unconfirmed.confirm(name)
      this.#names.held.set(name, { record, fence, revision, listener })
      return success({ pid, fence })
    }
    return throwNotHeld(name)
  }

  async #read (name: string): Promise<ParsedEntry<NameRecord> | undefined> {
    return await this.#register.get<NameRecord>(nameKey(name))
  }

  /** Turns every failure of the engine into `FST_CLUSTER_UNAVAILABLE`. */
  async #withCodedErrors<T> (request: () => Promise<T>): Promise<T> {
    if (this.#closed) throw unavailableError('this node has left it')
    try {
      return await request()
    } catch (err) {
      if (err instanceof Error && 'code' in err && String(err.code).startsWith('FST_')) throw err
      throw unavailableError('the engine does not answer', { cause: err })
    }
  }

  /** Whether a record was written by this node although the node does not hold the name. */
  #isUnconfirmed (name: string, record: NameRecord): boolean {
    return isOwnRecord(record, this.#context) && !this.#names.held.has(name)
  }

  // Releasing a name

  async unregister (name: string): Promise<boolean> {
    checkName(name)
    return await this.release(name)
  }

  /** As `unregister`, for names of the package too. */
  async release (name: string): Promise<boolean> {
    const held = this.#names.held.get(name)
    if (held === undefined) return false
    this.#context.local.demonitor(held.record.pid, held.listener)
    await this.#release(name, held)
    return true
  }

  /** Releases the name of a process that has ended. @param listener of the process */
  #releaseOfEnded (name: string, listener: ExitListener): void {
    const held = this.#names.held.get(name)
    if (held?.listener === listener) this.#release(name, held).catch(() => {})
  }

  /** From now on the name is not held, whatever the engine answers. */
  async #release (name: string, { revision }: HeldName): Promise<void> {
    this.#names.held.delete(name)
    await this.#unconfirmed.release(name, revision)
  }

  // Leaving the cluster

  /** Call when another node with the same name has started: all names are lost with the lease. */
  abandon (): void {
    this.#closed = true
    this.#pauses.close()
    this.#lease.end()
    this.#stop()
  }

  /** Releases all names. Resolves when the engine has answered, or failed. */
  async close (): Promise<void> {
    this.#closed = true
    this.#pauses.close()
    await Promise.all([...this.#names.held].map(([name, held]) => {
      this.#context.local.demonitor(held.record.pid, held.listener)
      return this.#release(name, held)
    }))
    await Promise.all(this.#names.acquiring.values())
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
