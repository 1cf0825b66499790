import { errorCodes, show } from '../../errors.js'
import { SupervisedChild } from './child.js'
import { PendingRestart, RestartIntensity } from './restarts.js'
import { planChild, planSupervisor } from './spec.js'
import { published } from '../../shared/contract.js'
import type { Clock } from '../../shared/clock.js'
import type { Actor } from '../actor/actor.js'
import type { Counters } from '../stats/counters.js'
import type { Ends } from '../explain/ends.js'
import type { EndOrigin } from '../explain/origin.js'
import type { Spawner } from '../actor/spawner.js'
import type { FailureLog } from '../exits/failure-log.js'
import type { Mistakes } from '../actor/mistakes.js'
import type { NameTable } from '../registry/names.js'
import type { ChildHost } from './child.js'
import type { RunningSupervisor } from './tree.js'
import type { ChildPlan, GivenSpec, GivenChild, SupervisorPlan } from './spec.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type {
  ChildInfo, Process, Supervisor
} from '../../../types/processes.js'

/** The parts of the runtime that a supervisor uses. */
export interface SupervisorHost extends ChildHost {
  readonly clock: Clock
  readonly mistakes: Mistakes
  readonly shutdown: { readonly closing: boolean }
  readonly counters: Counters
  readonly ends: Ends
  /** Supervisors that no other supervisor has started. */
  readonly supervisors: Set<Pid>
  /** All supervisors that run. */
  readonly supervisorTable: Map<Pid, RunningSupervisor>
  readonly spawner: Spawner
  readonly nameTable: NameTable
  readonly failureLog: FailureLog
}

/** The children to restart, in start order, when one of them has failed. */
type Strategy = <C> (children: readonly C[], failed: C) => readonly C[]

/** As in OTP's supervisor(3), "Supervision Principles". */
export const strategies: Record<SupervisorPlan['strategy'], Strategy> = {
  one_for_one: (_children, failed) => [failed],
  one_for_all: (children) => [...children],
  rest_for_one: (children, failed) => children.slice(children.indexOf(failed))
}

/**
 * @throws `FST_PROCESS_INVALID_SPEC`, and the error of a child that could not be started: then
 * nothing is left running
 */
export function startSupervisor (runtime: SupervisorHost, spec: GivenSpec): Supervisor {
  const supervisor = new SupervisorProcess(runtime, planSupervisor(spec))
  runtime.supervisors.add(supervisor.pid)
  return published<Supervisor>({
    pid: supervisor.pid,
    startChild: (child) => supervisor.startChild(child),
    stopChild: (id) => supervisor.stopChild(id),
    children: () => supervisor.children()
  })
}

/** A supervisor is an ordinary process that monitors its children. */
class SupervisorProcess implements RunningSupervisor {
  readonly plan: SupervisorPlan
  readonly #runtime: SupervisorHost
  readonly #intensity: RestartIntensity
  readonly #actor: Actor
  /** Whether another supervisor starts it again when it ends. */
  readonly #isRestarted: boolean
  #children: SupervisedChild[] = []
  #lastTask: Promise<void> = Promise.resolve()

  /** @param child its place below another supervisor */
  constructor (runtime: SupervisorHost, plan: SupervisorPlan, child?: ChildPlan) {
    const name = child?.name ?? plan.name
    this.#runtime = runtime
    this.#isRestarted = child !== undefined && child.restart !== 'temporary'
    this.plan = plan
    this.#intensity = new RestartIntensity(plan.maxRestarts, plan.period, runtime.clock)
    const label = name ?? 'supervisor'
    this.#actor = runtime.spawner.start((self) => this.#run(self), { name }, 'supervisor', label)
    // The body cannot stop the children when the supervisor is ended by `exit`.
    runtime.exitSignals.monitor(this.#actor.pid, {
      targetEnded: (exit) => { this.#supervisorEnded(exit) }
    })
    runtime.supervisorTable.set(this.pid, this)
    try {
      for (const child of plan.children) this.#add(child)
    } catch (err) {
      this.#actor.end('shutdown')
      throw err
    }
  }

  get pid (): Pid {
    return this.#actor.pid
  }

  get restartsLeft (): number {
    return this.#intensity.restartsLeft
  }

  get runningChildren (): readonly SupervisedChild[] {
    return this.#children
  }

  startChild (spec: GivenChild): Pid {
    if (this.#actor.refusesMail) throw new errorCodes.FST_PROCESS_NOT_ALIVE(this.pid)
    const plan = planChild(spec)
    const known = this.#find(plan.id)
    if (known !== undefined) {
      if (known.inUse) {
        throw new errorCodes.FST_PROCESS_INVALID_SPEC(`child id '${show(plan.id)}' is in use`)
      }
      this.#remove(known)
    }
    return this.#add(plan)
  }

  async stopChild (id: string): Promise<void> {
    const child = this.#find(id)
    if (child === undefined) throw new errorCodes.FST_PROCESS_NOT_ALIVE(show(id))
    child.removing = true
    await child.stop(this.#runtime, { cause: 'supervisor', by: this.pid })
    this.#remove(child)
  }

  children (): ChildInfo[] {
    return this.#children.map(({ plan, pid, restarts }) => ({ id: plan.id, pid, restarts }))
  }

  async #run (self: Process): Promise<void> {
    await self.serve({ '@exit': (exit) => this.#runInOrder(() => this.#childEnded(self, exit)) })
    await this.#stopAll(this.#children, { cause: 'supervisor', because: this.pid })
  }

  /** Runs tasks one by one: a restart waits for its slow children, and must not overlap another. */
  #runInOrder (task: () => Promise<void>): Promise<void> {
    const run = async (): Promise<void> => { if (!this.#actor.refusesMail) await task() }
    this.#lastTask = this.#lastTask.then(run, run)
    return this.#lastTask
  }

  async #childEnded (self: Process, { pid, reason }: { pid: Pid, reason: string }): Promise<void> {
    const child = this.#children.find((child) => child.pid === pid)
    if (child === undefined) return
    child.pid = undefined
    if (child.restartsAfter(reason)) await this.#restart(self, child)
    else if (child.plan.restart === 'temporary') this.#remove(child)
  }

  async #restart (self: Process, failed: SupervisedChild): Promise<void> {
    if (this.#runtime.shutdown.closing) return
    if (!this.#intensity.recordRestart()) {
      this.#runtime.counters.supervisorGaveUp(this.#actor, failed)
      self.log.error({ child: failed.plan.id }, 'too many restarts: the supervisor gives up')
      if (!this.#isRestarted) this.#runtime.mistakes.supervisorGone(this.#actor)
      const origin = { cause: 'gave_up', because: failed.lastExit.pid } as const
      this.#actor.stop('restart_intensity', origin)
    }
    const affected = strategies[this.plan.strategy](this.#children, failed)
    await this.#stopAll(affected, { cause: 'sibling', because: failed.lastExit.pid })
    // A temporary child is never restarted, not even with its siblings.
    for (const child of affected) if (child.plan.restart === 'temporary') this.#remove(child)
    const restarted = affected.filter(({ removing, plan }) => {
      return !removing && plan.restart !== 'temporary'
    })
    const delay = failed.restartDelay()
    if (delay === 0) this.#restartNow(self, restarted)
    else {
      this.#warnIfTooLate(self, restarted, delay)
      this.#restartLater(restarted, delay, (children) => { this.#restartNow(self, children) })
    }
  }

  /** Connections that are parked would be closed before the child is back. */
  #warnIfTooLate (self: Process, children: readonly SupervisedChild[], delay: number): void {
    for (const { plan: { id, name } } of children) {
      const park = name === undefined ? undefined : this.#runtime.nameTable.shortestWait(name)
      if (park === undefined || park > delay) continue
      const text = 'the delay of a restart is longer than connections wait for the child'
      self.log.warn({ child: id, delay, park }, text)
    }
  }

  #restartLater (
    children: readonly SupervisedChild[],
    delay: number,
    restart: (children: SupervisedChild[]) => void | Promise<void>
  ): void {
    const pending = new PendingRestart(children, this.#intensity, this.#actor.timers, delay, () => {
      // `self.stop` rejects this promise, and ends the supervisor by itself.
      this.#runInOrder(async () => { await restart(pending.takeChildren()) }).catch(() => {})
    })
  }

  #restartNow (self: Process, children: readonly SupervisedChild[]): void {
    if (this.#actor.refusesMail) return
    for (const [i, child] of children.entries()) {
      child.restarts++
      try {
        this.#start(child)
      } catch (err) {
        const text = `the child '${child.plan.id}' could not be restarted`
        this.#runtime.failureLog.logFailure(this.pid, err, text)
        // As in OTP, the restart is tried again and counted. Later children keep their place.
        this.#restartLater(children.slice(i), 1, async ([first]) => {
          if (first !== undefined) await this.#restart(self, first)
        })
        return
      }
      this.#runtime.counters.childRestarted(this.pid, child)
      this.#runtime.ends.processRestarted(child.lastExit.pid, child.pid!)
    }
  }

  #add (plan: ChildPlan): Pid {
    const child = new SupervisedChild(plan, this.#actor, this.#runtime.clock, this.plan)
    const pid = this.#start(child)
    this.#children.push(child)
    return pid
  }

  #start (child: SupervisedChild): Pid {
    const { start, args, name, mailboxLimit, trapLinks } = child.plan
    const options = { name, args, mailboxLimit, trapLinks }
    const pid = typeof start === 'function'
      ? this.#runtime.spawner.start(start, options, 'process', start.name).pid
      : new SupervisorProcess(this.#runtime, start, child.plan).pid
    child.processStarted(pid, this.#runtime)
    return pid
  }

  #find (id: string): SupervisedChild | undefined {
    return this.#children.find(({ plan }) => plan.id === id)
  }

  #remove (child: SupervisedChild): void {
    this.#children = this.#children.filter((other) => other !== child)
  }

  async #stopAll (children: readonly SupervisedChild[], origin: EndOrigin): Promise<void> {
    for (const child of children) child.pendingRestart?.removeChild(child)
    for (const child of [...children].reverse()) await child.stop(this.#runtime, origin)
  }

  #supervisorEnded ({ reason }: Exit): void {
    this.#runtime.supervisors.delete(this.pid)
    this.#runtime.supervisorTable.delete(this.pid)
    const childReason = reason === 'killed' ? 'killed' : 'shutdown'
    const origin = { cause: 'supervisor', because: this.pid } as const
    const { processTable } = this.#runtime
    for (const { pid } of [...this.#children].reverse()) {
      if (pid !== undefined) processTable.getEntity(pid)?.end(childReason, undefined, origin)
    }
    this.#children = []
  }
}
