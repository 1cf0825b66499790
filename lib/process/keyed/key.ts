import { failure, success } from '../../shared/result.js'
import { RestartBackoff, RestartIntensity } from '../supervisor/restarts.js'
import { addressOf } from './address.js'
import { Instance } from './instance.js'
import type { ActorHost, ActorOptions } from '../actor/actor.js'
import type { Ends } from '../explain/ends.js'
import type { NameTable } from '../registry/names.js'
import type { ProcessTable } from '../registry/process-table.js'
import type { Deadline, DeadlineTimer, Slot } from '../../shared/deadline-timer.js'
import type { WatermarkLimits } from '../../shared/watermark.js'
import type { Result } from '../../shared/result.js'
import type { KeyProblem } from '../remote/remote-nodes.js'
import type { InstanceOwner } from './instance.js'
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

/** The kind that a key belongs to. */
export interface KeyOwner {
  readonly name: string
  readonly plan: KeyedPlan
  readonly deadlines: DeadlineTimer
  /** Why no instance can start now. */
  readonly problem: KeyProblem | undefined
  instanceStarts (): void
  instanceFailed (): void
  instanceEnded (): void
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
  /** The last instance that has failed, until the next one has started and its end is known. */
  #failed: Instance | undefined
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

  /** The instance that ends last. */
  get last (): Instance | undefined {
    return this.#current ?? this.#draining
  }

  /** The instance that takes mail for this key, which is started if there is none. */
  demand (): Result<Instance, KeyProblem> {
    if (this.#current !== undefined) return success(this.#current)
    if (this.#host.clock.now() < this.#refusedUntil) return failure('it has failed too often')
    const { problem } = this.#owner
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
    this.#noteSuccessor()
    this.#releaseIfDue()
    return instance
  }

  /** The next instance may start before a failed one has cleaned up and ended. */
  #noteSuccessor (): void {
    if (this.#failed?.hasEnded !== true || this.#current === undefined) return
    this.#host.ends.processRestarted(this.#failed.pid, this.#current.pid)
    this.#failed = undefined
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

  #releaseIfDue (): void {
    const instance = this.#current
    if (instance?.isHeld !== true || this.#draining !== undefined) return
    const delay = this.#startsAt - this.#host.clock.now()
    this.#delay(delay > 0)
    if (delay > 0) {
      this.#owner.deadlines.schedule(this, delay)
      return
    }
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

  instanceEnded (instance: Instance): void {
    this.#owner.instanceEnded()
    this.#noteSuccessor()
    this.inboxEnded(instance)
    this.#forgetIfDue()
  }

  #forgetIfDue (): void {
    if (this.last !== undefined) return
    const { deadlines } = this.#owner
    const left = this.#forgetsAt - this.#host.clock.now()
    if (left > 0) deadlines.schedule(this, left)
    else {
      deadlines.cancel(this)
      this.#owner.forget(this)
    }
  }
}
