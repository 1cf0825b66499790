import { isOrderly } from '../exits/exit-signals.js'
import { RestartBackoff } from './restarts.js'
import type { Clock } from '../../shared/clock.js'
import type { Actor } from '../actor/actor.js'
import type { CountedChild } from '../stats/counters.js'
import type { ExitRequests } from '../exits/exit-requests.js'
import type { EndOrigin } from '../explain/origin.js'
import type { ProcessTable } from '../registry/process-table.js'
import type { ExitListener } from '../exits/relations.js'
import type { Restartable } from './restarts.js'
import type { ChildPlan, SupervisorPlan } from './spec.js'
import type { Exit } from '../../../types/messages.js'
import type { Monitor, Pid } from '../../../types/pid.js'

/** The parts of the runtime that a child uses. */
export interface ChildHost {
  readonly exitSignals: { monitor (target: Pid, listener: ExitListener): void }
  readonly exitRequests: ExitRequests
  readonly processTable: ProcessTable
}

/** A child of a supervisor, through all its restarts. */
export class SupervisedChild implements ExitListener, Restartable, CountedChild {
  readonly plan: ChildPlan
  readonly #supervisorActor: Actor
  readonly #clock: Clock
  readonly #backoff: RestartBackoff
  pid: Pid | undefined
  restarts = 0
  /** The delayed restart that it waits for. */
  pendingRestart: Restartable['pendingRestart']
  /** `stopChild` was called: it is not restarted any more. */
  removing = false
  #monitor: Monitor | undefined
  /** The start of its last process, by the clock of the runtime. */
  startedAt = 0
  #stopped: Promise<void> | undefined
  /** The exit of its last process. */
  #exit: Exit | undefined

  constructor (
    plan: ChildPlan,
    supervisor: Actor,
    clock: Clock,
    settings: Pick<SupervisorPlan, 'backoff' | 'period'>
  ) {
    this.plan = plan
    this.#supervisorActor = supervisor
    this.#clock = clock
    this.#backoff = new RestartBackoff(settings)
  }

  /**
   * Whether it has a process, or will be restarted. The answer is right even while the exit of its
   * process waits in the supervisor's mailbox.
   */
  get inUse (): boolean {
    if (this.pendingRestart !== undefined) return true
    if (this.pid === undefined) return false
    return this.#exit?.pid !== this.pid || this.restartsAfter(this.#exit.reason)
  }

  get supervisor (): Pid {
    return this.#supervisorActor.pid
  }

  /** The exit of its last process. Read it only when a process has ended. */
  get lastExit (): Exit {
    return this.#exit!
  }

  restartsAfter (reason: string): boolean {
    const { restart } = this.plan
    return restart === 'permanent' || (restart === 'transient' && !isOrderly(reason))
  }

  targetEnded (exit: Exit): void {
    this.#exit = exit
  }

  processStarted (pid: Pid, host: ChildHost): void {
    this.pid = pid
    this.startedAt = this.#clock.now()
    host.exitSignals.monitor(pid, this)
    this.#monitor = this.#supervisorActor.addMonitor(pid)
  }

  /** Call it once per failure: each call makes the next delay longer. */
  restartDelay (): number {
    return this.#backoff.nextDelay(this.#clock.now() - this.startedAt)
  }

  /** Cancels its process, waits for `shutdown` milliseconds, then ends it. */
  stop (host: ChildHost, origin: EndOrigin): Promise<void> {
    this.pendingRestart?.removeChild(this)
    if (this.pid === undefined) return Promise.resolve()
    this.#stopped ??= this.#stop(host, this.pid, origin)
    return this.#stopped
  }

  async #stop (host: ChildHost, pid: Pid, origin: EndOrigin): Promise<void> {
    this.#supervisorActor.removeMonitor(this.#monitor!)
    const ended = host.exitRequests.exited(pid, undefined)
    const entity = host.processTable.getEntity(pid)
    entity?.cancel(undefined, 'shutdown', origin)
    const timer = this.#clock.after(this.plan.shutdown, () => {
      entity?.end('shutdown', undefined, origin)
    })
    await ended
    timer.cancel()
    this.pid = undefined
    this.#stopped = undefined
  }
}
