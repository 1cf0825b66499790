import { nameKey } from './records.js'
import type { NodeContext } from '../context.js'
import type { HeldName, HeldNames } from './held-names.js'
import type { LeaseUser } from './lease.js'
import type { NameRecord } from './records.js'
import type { UnconfirmedNames } from './unconfirmed-names.js'
import type { Register } from '../register.js'
import type { Pid } from '../../../types/pid.js'

/** Records that are written at the same time after a loss of data: one by one would be too slow. */
const rewritesAtOnce = 256

type LeasedContext = Pick<NodeContext, 'local' | 'logger' | 'events' | 'counters' | 'guard'>

/** The names of this node as its lease sees them: written again after a loss, or lost with it. */
export class LeasedNames implements LeaseUser {
  readonly #context: LeasedContext
  readonly #register: Pick<Register, 'get' | 'cas'>
  readonly #names: HeldNames
  readonly #unconfirmed: Pick<UnconfirmedNames, 'add'>

  constructor (
    context: LeasedContext,
    register: Pick<Register, 'get' | 'cas'>,
    names: HeldNames,
    unconfirmed: Pick<UnconfirmedNames, 'add'>
  ) {
    this.#context = context
    this.#register = register
    this.#names = names
    this.#unconfirmed = unconfirmed
  }

  get isLeaseNeeded (): boolean {
    return this.#names.size > 0
  }

  /** Called when the lease has ended: another node may acquire the names from now on. */
  leaseEnded (): void {
    const { held } = this.#names
    const lostNames = [...held]
    // The lease was only kept for an attempt, or not needed: no name is lost with it.
    if (lostNames.length === 0) return
    this.#context.counters.nameFenced()
    held.clear()
    const { logger } = this.#context
    logger.warn({ names: lostNames.length }, 'cluster: this node lost its lease')
    for (const [name, { record: { pid }, listener }] of lostNames) {
      this.#unconfirmed.add(name)
      this.#context.local.demonitor(pid, listener)
      this.#nameLost(name, pid)
    }
  }

  #nameLost (name: string, pid: Pid): void {
    const { logger, events } = this.#context
    const about = { relayName: name, relayPid: pid }
    logger.warn(about, 'cluster: a name is lost, and its process ends')
    this.#context.guard(() => { events.nameLost(name, pid) })
  }

  /** Called when the register has lost its data, before the lease is written again. */
  async rewriteNames (): Promise<void> {
    const all = [...this.#names.held]
    for (let i = 0; i < all.length; i += rewritesAtOnce) {
      const some = all.slice(i, i + rewritesAtOnce)
      await Promise.all(some.map(([name, held]) => this.#rewriteName(name, held)))
    }
  }

  async #rewriteName (name: string, one: HeldName): Promise<void> {
    const { held } = this.#names
    if (held.get(name) !== one) return
    const { listener, fence } = one
    const record: NameRecord = { ...one.record, fence }
    const revision = await this.#register.cas(nameKey(name), record, 0)
    const entry = revision === 0
      ? await this.#register.get<NameRecord>(nameKey(name))
      : { value: record, revision }
    // The name was released meanwhile: the sweep of unconfirmed names deletes the record.
    if (held.get(name) !== one) return
    if (entry?.value.claim === record.claim) one.revision = entry.revision
    else {
      held.delete(name)
      this.#context.local.demonitor(record.pid, listener)
      this.#nameLost(name, record.pid)
    }
  }
}
