import type { SupervisorPlan } from './spec.js'

/** Which children are restarted, in start order, when one of them has failed. */
export type Strategy = <C> (children: readonly C[], failed: C) => readonly C[]

/** As OTP's supervisor(3), "Supervision Principles". */
export const strategies: Record<SupervisorPlan['strategy'], Strategy> = {
  one_for_one: (_children, failed) => [failed],
  one_for_all: (children) => [...children],
  rest_for_one: (children, failed) => children.slice(children.indexOf(failed))
}
