import { isOrderly } from '../exits/exit-signals.js'
import { Backoff } from './backoff.js'
import type { Child, SupervisorPlan } from './spec.js'
import type { PendingRestart } from './pending-restart.js'
import type { Actor } from '../actor/actor.js'
import type { Watcher } from '../exits/relations.js'
import type { Runtime } from '../runtime.js'
import type { Exit } from '../../../types/messages.js'
import type { Monitor, Pid } from '../../../types/pid.js'

/** One child of a supervisor, as it is now. */
export class SupervisedChild implements Watcher {
  readonly plan: Child
  readonly #supervisor: Actor
  readonly #backoff: Backoff
  pid: Pid | undefined
  restarts = 0
  /** The restart that it waits for. */
  pending: PendingRestart | undefined
  /** It is being stopped for good. */
  leaving = false
  #monitor: Monitor | undefined
  #startedAt = 0
  #stopping: Promise<void> | undefined
  /** How its last process ended. */
  #exit: Exit | undefined

  constructor (plan: Child, supervisor: Actor, terms: Pick<SupervisorPlan, 'backoff' | 'period'>) {
    this.plan = plan
    this.#supervisor = supervisor
    this.#backoff = new Backoff(terms)
  }

  /** It has a process, or will have one; also while its supervisor has not yet dealt with its end. */
  get inUse (): boolean {
    if (this.pending !== undefined) return true
    return this.pid !== undefined && (this.#exit?.pid !== this.pid || this.returnsAfter(this.#exit.reason))
  }

  /** Whether it is restarted after an end with this reason. */
  returnsAfter (reason: string): boolean {
    return this.plan.restart === 'permanent' || (this.plan.restart === 'transient' && !isOrderly(reason))
  }

  targetEnded (exit: Exit): void {
    this.#exit = exit
  }

  started (pid: Pid, runtime: Runtime): void {
    this.pid = pid
    this.#startedAt = performance.now()
    runtime.watch(pid, this)
    this.#monitor = this.#supervisor.addMonitor(pid)
  }

  /** How long its restart waits, now that it has failed. */
  delay (): number {
    return this.#backoff.next(performance.now() - this.#startedAt)
  }

  /** Cancels it, waits its `shutdown`, ends it. That is no failure. */
  stop (runtime: Runtime): Promise<void> {
    this.pending?.leave(this)
    if (this.pid === undefined) return Promise.resolve()
    this.#stopping ??= this.#stop(runtime, this.pid)
    return this.#stopping
  }

  async #stop (runtime: Runtime, pid: Pid): Promise<void> {
    this.#supervisor.removeMonitor(this.#monitor!)
    const ended = runtime.exited(pid, undefined)
    runtime.cancel(pid)
    const timer = setTimeout(() => { runtime.exit(pid) }, this.plan.shutdown)
    await ended
    clearTimeout(timer)
    this.pid = undefined
    this.#stopping = undefined
  }
}
