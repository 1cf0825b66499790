// The relations of supervisors and children, for a dashboard.
import { SupervisedChild } from './child.js'
import type { Relations } from '../exits/relations.js'
import type { SupervisorPlan } from './spec.js'
import type { Pid } from '../../../types/pid.js'

/** Monitors of one process among which its supervisor is looked for: it is one of the first. */
const maxMonitors = 1000

/** A supervisor that runs. */
export interface RunningSupervisor {
  readonly pid: Pid
  readonly plan: Pick<SupervisorPlan, 'strategy' | 'maxRestarts' | 'period'>
  /** Restarts within the period before it gives up. */
  readonly restartsLeft: number
  /** In start order. The list may be replaced, but not its items. */
  readonly runningChildren: readonly SupervisedChild[]
}

/** The child that a process is, if a supervisor has started it. */
export function supervisorOf (relations: Relations, pid: Pid): SupervisedChild | undefined {
  let left = maxMonitors
  for (const listener of relations.monitorsOf(pid)) {
    if (listener instanceof SupervisedChild) return listener
    if (--left === 0) break
  }
  return undefined
}
