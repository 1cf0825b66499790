import { errorCodes, show } from '../../errors.js'
import { published } from '../../shared/contract.js'
import { DeadlineTimer } from '../../shared/deadline-timer.js'
import { addressOf, checkKey, checkKind, splitAddress } from './address.js'
import { Instance } from './instance.js'
import { Key } from './key.js'
import { keyError } from './key-error.js'
import { planKeyed } from './plan.js'
import type { Clock } from '../../shared/clock.js'
import type { Result } from '../../shared/result.js'
import type { Plain } from '../../shared/contract.js'
import type { ExitRequests } from '../exits/exit-requests.js'
import type { KeyAnswer, KeyDirectory } from '../remote/key-directory.js'
import type { KeyHolder, KeyHost, KeyOwner } from './key.js'
import type { KeyRefusal } from './key-error.js'
import type { KeyedPlan } from './plan.js'
import type { RemoteInstance } from './start.js'
import type { Keyed, KeyedSpec } from '../../../types/keyed.js'
import type { Pid } from '../../../types/pid.js'
import type { KeyedStats } from '../../../types/stats.js'

/** Milliseconds in which a process may clean up after `stop`. */
const stopTime = 5000

/** The parts of the runtime that kinds use. */
export interface KindsHost extends KeyHost {
  readonly contextClock: Clock
  readonly exitRequests: ExitRequests
  readonly shutdown: { readonly closing: boolean }
  readonly clusterAccess: {
    readonly joining: boolean
    readonly keyDirectory: KeyDirectory | undefined
  }
}

/** The kinds of keyed processes that this node has defined. */
export class Kinds {
  readonly #host: KindsHost
  readonly #deadlines: DeadlineTimer
  readonly #kinds = new Map<string, Kind>()

  constructor (host: KindsHost) {
    this.#host = host
    this.#deadlines = new DeadlineTimer(host.contextClock, false)
  }

  /** @throws `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_INVALID_SPEC` */
  define (name: string, spec: KeyedSpec): Keyed {
    checkKind(name)
    const plan = planKeyed(spec)
    if (this.#kinds.has(name)) {
      throw new errorCodes.FST_PROCESS_INVALID_SPEC(`the kind '${show(name)}' is defined already`)
    }
    const kind = new Kind(this.#host, this.#deadlines, name, plan)
    this.#kinds.set(name, kind)
    return kind.facade
  }

  /**
   * The process that takes mail for an address. It is started, or looked for, if there is none.
   * @returns undefined if the address is none, or of an unknown kind
   */
  demand (address: string): Result<KeyHolder, KeyRefusal> | undefined {
    const parts = splitAddress(address)
    return parts && this.#kinds.get(parts.kind)?.demand(parts.key)
  }

  /** The process of another node that this node knows for an address. */
  remoteOf (address: string): RemoteInstance | undefined {
    const { kind, key } = splitAddress(address)!
    return this.#kinds.get(kind)!.remoteOf(key)
  }

  // From a cluster

  /** This node has lost its lease: it is not the place of a key any more. */
  placeLost (address: string): void {
    const { kind, key } = splitAddress(address)!
    this.#kinds.get(kind)!.placeLost(key)
  }

  /** @param request of another node: not validated yet */
  answer (request: unknown, node: string, answer: KeyAnswer): void {
    const { do: action, address, pid } = (request ?? {}) as Partial<Record<
      'do' | 'address' | 'pid', unknown
    >>
    if (action === 'watch') return this.#watch(String(pid) as Pid, node, answer)
    const parts = typeof address === 'string' ? splitAddress(address) : undefined
    const kind = parts && this.#kinds.get(parts.kind)
    if (kind !== undefined && action === 'start') kind.startFor(parts!.key, answer)
    else if (kind !== undefined && action === 'stop') {
      kind.stop(parts!.key).finally(() => { answer.reply({}) }).catch(() => {})
    } else answer.reply({})
  }

  #watch (pid: Pid, node: string, answer: KeyAnswer): void {
    const entity = this.#host.processTable.getEntity(pid)
    if (entity instanceof Instance) entity.watch(node, answer)
    else answer.reply({})
  }

  /**
   * Milliseconds for which connections of a key wait for a successor. They were bound to a process
   * of its kind.
   */
  parkTime (address: string): number {
    return this.#kinds.get(splitAddress(address)!.kind)!.plan.park
  }

  stats (): Record<string, KeyedStats> {
    return Object.fromEntries(Array.from(this.#kinds.values(), ({ name, stats }) => [name, stats]))
  }

  /** The number of keys that are kept, for tests that look for leaks. */
  get size (): number {
    let size = this.#deadlines.size
    for (const { size: keys } of this.#kinds.values()) size += keys
    return size
  }
}

/** One kind of keyed processes. */
class Kind implements KeyOwner {
  readonly name: string
  readonly plan: KeyedPlan
  readonly deadlines: DeadlineTimer
  readonly facade: Keyed
  readonly #host: KindsHost
  readonly #keys = new Map<string, Key>()
  #alive = 0
  #started = 0
  #crashed = 0
  #refused = 0

  constructor (host: KindsHost, deadlines: DeadlineTimer, name: string, plan: KeyedPlan) {
    this.#host = host
    this.deadlines = deadlines
    this.name = name
    this.plan = plan
    this.facade = published<Keyed>(Object.freeze(this.#members()))
  }

  #members (): Plain<Keyed> {
    return {
      key: (key) => {
        checkKey(key)
        return addressOf(this.name, key) as Pid
      },
      get: (key) => this.#get(key),
      peek: (key) => {
        const { current, remote } = this.#keys.get(key) ?? {}
        return current?.pid ?? remote?.pid
      },
      list: () => this.#running(),
      stop: (key) => this.#stopAnywhere(key)
    }
  }

  demand (name: string): Result<KeyHolder, KeyRefusal> {
    const key = this.#keyOf(name)
    const result = key.demand()
    if (!result.ok) {
      this.#refused++
      if (key.isEmpty) key.due()
    }
    return result
  }

  #keyOf (name: string): Key {
    let key = this.#keys.get(name)
    if (key === undefined) this.#keys.set(name, key = new Key(this.#host, this, name))
    return key
  }

  startFor (name: string, asker: KeyAnswer): void {
    const key = this.#keyOf(name)
    key.startFor(asker)
    if (key.isEmpty) key.due()
  }

  remoteOf (name: string): RemoteInstance | undefined {
    return this.#keys.get(name)?.remote
  }

  placeLost (name: string): void {
    this.#keys.get(name)?.placeLost()
  }

  async #get (key: string): Promise<Pid> {
    checkKey(key)
    const found = this.demand(key)
    if (!found.ok) throw keyError(addressOf(this.name, key), found.problem)
    return await new Promise((resolve, reject) => {
      found.value.whenStarted({
        started: ({ pid }) => { resolve(pid) },
        startFailed: (error) => {
          reject(error ?? new errorCodes.FST_PROCESS_NOT_ALIVE(show(addressOf(this.name, key))))
        }
      })
    })
  }

  #running (): string[] {
    const running = [...this.#keys.values()].filter(({ current }) => current !== undefined)
    return running.map(({ name }) => name)
  }

  async #stopAnywhere (key: string): Promise<void> {
    const { directory } = this
    if (directory === undefined || this.#instancesOf(key).length > 0) return this.stop(key)
    checkKey(key)
    const address = addressOf(this.name, key)
    const node = await directory.lookup(address)
    if (node === undefined || node === directory.self) return this.stop(key)
    await directory.request(node, { do: 'stop', address })
  }

  #instancesOf (key: string): readonly Instance[] {
    return this.#keys.get(key)?.instances ?? []
  }

  /** Stops the instances of this node. */
  async stop (key: string): Promise<void> {
    await Promise.all(this.#instancesOf(key).map((instance) => this.#stopInstance(instance)))
  }

  async #stopInstance (instance: Instance): Promise<void> {
    const { contextClock, exitRequests } = this.#host
    const ended = exitRequests.exited(instance.pid, undefined)
    instance.cancel(undefined, 'shutdown')
    const timer = contextClock.after(stopTime, () => { instance.end('shutdown') })
    await ended
    timer.cancel()
  }

  // From its keys

  get problem (): KeyRefusal | undefined {
    const { shutdown, clusterAccess } = this.#host
    if (shutdown.closing || clusterAccess.joining) return 'nothing can start now'
    return this.#alive >= this.plan.max ? 'too many of its kind' : undefined
  }

  get directory (): KeyDirectory | undefined {
    return this.#host.clusterAccess.keyDirectory
  }

  requestsRefused (count: number): void {
    this.#refused += count
  }

  instanceStarts (): void {
    this.#alive++
    this.#started++
  }

  instanceFailed (): void {
    this.#crashed++
  }

  instanceEnded (): void {
    this.#alive--
  }

  /** An older key of this name may end later than it was replaced. */
  forget (key: Key): void {
    if (this.#keys.get(key.name) === key) this.#keys.delete(key.name)
  }

  // Numbers

  get stats (): KeyedStats {
    return {
      alive: this.#alive, started: this.#started, crashed: this.#crashed, refused: this.#refused
    }
  }

  get size (): number {
    return this.#keys.size
  }
}
