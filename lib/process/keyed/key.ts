import { failure, success } from '../../shared/result.js'
import { nodeOf } from '../remote/key-directory.js'
import { RestartBackoff, RestartIntensity } from '../supervisor/restarts.js'
import { addressOf } from './address.js'
import { Instance, nameLost } from './instance.js'
import { keyError } from './key-error.js'
import { Search } from './search.js'
import { RemoteInstance, StartAnswer } from './start.js'
import type { ActorHost, ActorOptions } from '../actor/actor.js'
import type { Ends } from '../explain/ends.js'
import type { NameTable } from '../registry/names.js'
import type { ProcessTable } from '../registry/process-table.js'
import type { Deadline, DeadlineTimer, Slot } from '../../shared/deadline-timer.js'
import type { WatermarkLimits } from '../../shared/watermark.js'
import type { Result } from '../../shared/result.js'
import type { KeyAnswer, KeyDirectory, KeyStart } from '../remote/key-directory.js'
import type { InstanceOwner } from './instance.js'
import type { KeyRefusal } from './key-error.js'
import type { KeyedPlan } from './plan.js'
import type { Pid } from '../../../types/pid.js'
import type { Logger } from '../../../types/options.js'

/** The parts of the runtime that keys use. */
export interface KeyHost extends ActorHost {
  readonly processTable: ProcessTable
  readonly nameTable: NameTable
  readonly pids: { nextPid (): Pid }
  readonly mailboxLimits: WatermarkLimits
  readonly logger: Logger
  readonly ends: Pick<Ends, 'processRestarted'>
}

/** The process of a key: on this node, on another one, or not known yet. */
export type KeyHolder = Instance | RemoteInstance | Search

/** The kind that a key belongs to. */
export interface KeyOwner {
  readonly name: string
  readonly plan: KeyedPlan
  readonly deadlines: DeadlineTimer
  /** Why no instance can start now. */
  readonly problem: KeyRefusal | undefined
  /** Undefined where each node has keys of its own. */
  readonly directory: KeyDirectory | undefined
  instanceStarts (): void
  instanceFailed (): void
  instanceEnded (): void
  requestsRefused (count: number): void
  /** Called when nothing of the key has to be kept. */
  forget (key: Key): void
}

/**
 * One key. At most one of its instances takes mail: a new one is held until the one before has
 * come to the end of its inbox, and until the delay after a failure is over. Its mailbox takes mail
 * from the beginning, so what is sent to the key keeps its order, and waits.
 *
 * | state | event | new state |
 * | --- | --- | --- |
 * | empty | a request | running, or held while there is a delay |
 * | running | it stops, or is cancelled | draining |
 * | running, draining | it ends | empty |
 * | draining | its inbox has ended | empty |
 * | draining | a request | draining and held |
 * | draining and held | the inbox of the older one has ended | running, or held |
 * | held | the delay is over | running |
 * | any | one failure too many | the same; requests are refused until `period` is over |
 *
 * An empty key is forgotten when its last failure is longer ago than `period`.
 *
 * In a cluster only one node, the place of the key, has instances. It is the place until it forgets
 * the key, so a successor starts there, and failures are counted there. On the other nodes the key
 * is empty. A request there starts a {@link Search}, whose result is kept until that instance takes
 * no more mail.
 */
export class Key implements Deadline, InstanceOwner {
  slot: Slot | undefined
  readonly name: string
  readonly address: string
  readonly #host: KeyHost
  readonly #owner: KeyOwner
  /** It has the address. */
  #current: Instance | undefined
  /** It may still take mail that it had before. */
  #draining: Instance | undefined
  /** The last instance that has failed, until the next one may start. */
  #failed: Instance | undefined
  /** This node is the place of the key. Without a cluster it need not be. */
  #isPlace = false
  #search: Search | undefined
  #remote: RemoteInstance | undefined
  /** Made at the first failure. */
  #failures: RestartIntensity | undefined
  #backoff: RestartBackoff | undefined
  #isDelayed = false
  // Instants of the clock.
  #startsAt = 0
  #refusedUntil = 0
  #forgetsAt = 0

  constructor (host: KeyHost, owner: KeyOwner, name: string) {
    this.#host = host
    this.#owner = owner
    this.name = name
    this.address = addressOf(owner.name, name)
  }

  get current (): Instance | undefined {
    return this.#current
  }

  /** Those of this node that may take mail. A held one comes first: it can end before it starts. */
  get instances (): Instance[] {
    return [this.#current, this.#draining].filter((instance) => instance !== undefined)
  }

  get remote (): RemoteInstance | undefined {
    return this.#remote
  }

  get isEmpty (): boolean {
    return (this.#current ?? this.#draining ?? this.#search ?? this.#remote) === undefined
  }

  /**
   * The process that takes mail for this key. It is started, or looked for, if there is none.
   * @param isAsked another node asks for the start
   */
  demand (isAsked = false): Result<KeyHolder, KeyRefusal> {
    if (this.#current !== undefined) return success(this.#current)
    const known = this.#search ?? this.#remote
    if (known !== undefined) return success(known)
    if (this.#host.clock.now() < this.#refusedUntil) return failure('it has failed too often')
    const { problem, directory } = this.#owner
    const isElsewhere = directory !== undefined && !this.#isPlace
    if (isElsewhere && problem !== 'nothing can start now') {
      return success(this.#startSearch(directory, isAsked, problem))
    }
    return problem === undefined ? success(this.#start()) : failure(problem)
  }

  #start (): Instance {
    const { processTable, nameTable, counters } = this.#host
    const instance = this.#makeInstance()
    const { pid } = instance
    this.#current = instance
    this.#owner.instanceStarts()
    processTable.addEntity(instance)
    nameTable.bind(this.address, pid)
    counters.processSpawned(instance, this.address)
    this.#releaseIfDue()
    return instance
  }

  /** The failed instance may still clean up. Its successor is recorded when it has ended. */
  #noteSuccessor ({ pid }: Instance): void {
    if (this.#failed === undefined) return
    const { ends, exitSignals } = this.#host
    const { pid: failed } = this.#failed
    this.#failed = undefined
    exitSignals.monitor(failed, { targetEnded: () => { ends.processRestarted(failed, pid) } })
  }

  #makeInstance (): Instance {
    const { pids, mailboxLimits } = this.#host
    const { plan: { start, args, idle }, deadlines } = this.#owner
    const options: ActorOptions = {
      kind: 'process',
      label: this.address,
      // The arguments are made in the first turn: what they throw fails this start only.
      body: (self, key) => (start as ActorOptions['body'])(self, ...args(key as string)),
      args: [this.name],
      mailboxLimits,
      trapLinks: false
    }
    return new Instance(this.#host, pids.nextPid(), options, { owner: this, deadlines, idle })
  }

  // The search in a cluster

  #startSearch (
    directory: KeyDirectory, isAsked: boolean, refusal: KeyRefusal | undefined
  ): Search {
    const { address } = this
    const { counters, mailboxLimits } = this.#host
    this.#search = new Search({
      address,
      directory,
      counters,
      limit: mailboxLimits.messages,
      isSpread: !isAsked && this.#owner.plan.place === 'spread',
      refusal,
      found: (search, pid) => { this.#found(search, pid, directory) },
      refused: (search, problem) => { this.#searchRefused(search, problem) },
      failed: (search, error) => { this.#searchFailed(search, error) }
    })
    this.#search.start()
    return this.#search
  }

  #found (search: Search, pid: Pid | undefined, directory: KeyDirectory): void {
    if (pid === undefined) this.#isPlace = true
    // More may have started, or the node may be closing since the search began.
    const problem = pid === undefined ? this.#owner.problem : undefined
    if (problem !== undefined) return this.#searchRefused(search, problem)
    this.#search = undefined
    const process = pid === undefined ? this.#start() : this.#watch(pid, directory)
    search.handOver(process)
  }

  #searchRefused (search: Search, problem: KeyRefusal): void {
    this.#owner.requestsRefused(search.waiting)
    this.#searchFailed(search, keyError(this.address, problem), problem)
  }

  #searchFailed (search: Search, error: Error, problem?: KeyRefusal): void {
    this.#search = undefined
    this.#forgetIfDue()
    search.fail(error, problem)
  }

  /** Keeps a process of another node until it takes no more mail, or its node is lost. */
  #watch (pid: Pid, directory: KeyDirectory): RemoteInstance {
    const remote = this.#remote = new RemoteInstance(pid)
    directory.watch(pid, () => {
      this.#remote = undefined
      this.#forgetIfDue()
    })
    return remote
  }

  /** Another node asks for a start here. */
  startFor (asker: KeyAnswer): void {
    const demanded = this.demand(true)
    const answer = new StartAnswer(asker, this.address)
    if (!demanded.ok) answer.startFailed(undefined, demanded.problem)
    else if (demanded.value instanceof Search) demanded.value.addAsker(asker)
    else if (demanded.value instanceof Instance) demanded.value.whenStarted(answer)
    else asker.reply({ node: nodeOf(demanded.value.pid) } satisfies KeyStart)
  }

  /** The lease of this node is lost: from now on another node may be the place. */
  placeLost (): void {
    this.#isPlace = false
    for (const instance of this.instances) instance.end(nameLost)
  }

  #releaseIfDue (): void {
    const instance = this.#current
    if (instance?.isHeld !== true || this.#draining !== undefined) return
    const delay = this.#startsAt - this.#host.clock.now()
    this.#delay(delay > 0)
    if (delay > 0) {
      this.#owner.deadlines.schedule(this, delay)
      return
    }
    this.#noteSuccessor(instance)
    instance.release()
    this.#host.nameTable.wake(this.address)
  }

  /** The clock of the failures stands still during a delay. */
  #delay (isDelayed: boolean): void {
    if (isDelayed === this.#isDelayed) return
    this.#isDelayed = isDelayed
    if (isDelayed) this.#failures!.pauseClock()
    else this.#failures!.resumeClock()
  }

  due (): void {
    if (this.#current === undefined) this.#forgetIfDue()
    else this.#releaseIfDue()
  }

  // From its instances

  mailRefused (instance: Instance, isFailure: boolean): void {
    this.#current = undefined
    this.#host.nameTable.unregister(this.address)
    this.#delay(false)
    if (!instance.hasEnded) this.#draining = instance
    if (isFailure) this.#recordFailure(instance)
  }

  #recordFailure (instance: Instance): void {
    const { plan, plan: { maxRestarts, period } } = this.#owner
    const { clock, logger, nameTable } = this.#host
    const now = clock.now()
    // One that fails while it is held, where no other has started.
    this.#noteSuccessor(instance)
    this.#failed = instance
    this.#failures ??= new RestartIntensity(maxRestarts, period, clock)
    this.#backoff ??= new RestartBackoff(plan)
    this.#owner.instanceFailed()
    this.#startsAt = now + this.#backoff.nextDelay(now - instance.startedAt)
    this.#forgetsAt = Math.max(now + period, this.#startsAt)
    if (this.#failures.recordRestart()) return
    this.#refusedUntil = now + period
    logger.error({ relayKey: this.address, period }, 'a key has failed too often: it is refused')
    nameTable.refuse(this.address)
  }

  inboxEnded (instance: Instance): void {
    if (this.#draining !== instance) return
    this.#draining = undefined
    this.#releaseIfDue()
  }

  instanceEnds (): void {
    this.#owner.instanceEnded()
  }

  instanceEnded (instance: Instance): void {
    this.inboxEnded(instance)
    this.#forgetIfDue()
  }

  #forgetIfDue (): void {
    if (!this.isEmpty) return
    const { deadlines } = this.#owner
    const left = this.#forgetsAt - this.#host.clock.now()
    if (left > 0) deadlines.schedule(this, left)
    else {
      deadlines.cancel(this)
      if (this.#isPlace) this.#owner.directory?.release(this.address)
      this.#isPlace = false
      this.#owner.forget(this)
    }
  }
}
