import { isOrderly } from '../exits/exit-signals.js'
import { Backoff } from './backoff.js'
import type { ChildPlan, SupervisorPlan } from './spec.js'
import type { PendingRestart } from './pending-restart.js'
import type { Actor } from '../actor/actor.js'
import type { ExitListener } from '../exits/relations.js'
import type { Runtime } from '../runtime.js'
import type { Exit } from '../../../types/messages.js'
import type { Monitor, Pid } from '../../../types/pid.js'

/** One child of a supervisor, as it is now. */
export class SupervisedChild implements ExitListener {
  readonly plan: ChildPlan
  readonly #supervisor: Actor
  readonly #backoff: Backoff
  pid: Pid | undefined
  restarts = 0
  /** The restart that it waits for. */
  pendingRestart: PendingRestart | undefined
  /** It is being stopped for good. */
  removing = false
  #monitor: Monitor | undefined
  #startedAt = 0
  #stopped: Promise<void> | undefined
  /** How its last process ended. */
  #exit: Exit | undefined

  constructor (plan: ChildPlan, supervisor: Actor, terms: Pick<SupervisorPlan, 'backoff' | 'period'>) {
    this.plan = plan
    this.#supervisor = supervisor
    this.#backoff = new Backoff(terms)
  }

  /** It has a process, or will have one; also while its supervisor has not yet dealt with its end. */
  get inUse (): boolean {
    if (this.pendingRestart !== undefined) return true
    return this.pid !== undefined && (this.#exit?.pid !== this.pid || this.restartsAfter(this.#exit.reason))
  }

  /** Whether it is restarted after an end with this reason. */
  restartsAfter (reason: string): boolean {
    return this.plan.restart === 'permanent' || (this.plan.restart === 'transient' && !isOrderly(reason))
  }

  targetEnded (exit: Exit): void {
    this.#exit = exit
  }

  processStarted (pid: Pid, runtime: Runtime): void {
    this.pid = pid
    this.#startedAt = performance.now()
    runtime.monitor(pid, this)
    this.#monitor = this.#supervisor.addMonitor(pid)
  }

  /** How long its restart waits, now that it has failed. */
  restartDelay (): number {
    return this.#backoff.nextDelay(performance.now() - this.#startedAt)
  }

  /** Cancels it, waits its `shutdown`, ends it. That is no failure. */
  stop (runtime: Runtime): Promise<void> {
    this.pendingRestart?.removeChild(this)
    if (this.pid === undefined) return Promise.resolve()
    this.#stopped ??= this.#stop(runtime, this.pid)
    return this.#stopped
  }

  async #stop (runtime: Runtime, pid: Pid): Promise<void> {
    this.#supervisor.removeMonitor(this.#monitor!)
    const ended = runtime.exited(pid, undefined)
    runtime.cancel(pid)
    const timer = setTimeout(() => { runtime.exit(pid) }, this.plan.shutdown)
    await ended
    clearTimeout(timer)
    this.pid = undefined
    this.#stopped = undefined
  }
}
