import { errorCodes, show } from '../../errors.js'
import { durationRange, toMilliseconds } from '../../shared/duration.js'
import { checkName } from '../registry/names.js'
import type { Duration } from '../../../types/pid.js'
import type { ChildSpec, ProcessBody, SupervisorSpec } from '../../../types/processes.js'

const { FST_PROCESS_INVALID_SPEC } = errorCodes

/** A child's specification with every default in place. */
export interface ChildPlan {
  readonly id: string
  readonly start: ProcessBody | SupervisorPlan
  readonly args: unknown[]
  readonly name: string | undefined
  readonly restart: 'permanent' | 'transient' | 'temporary'
  /** Milliseconds. */
  readonly shutdown: number
  readonly mailboxLimit: number | undefined
  readonly trapLinks: boolean | undefined
}

/** A supervisor's specification with every default in place; durations in milliseconds. */
export interface SupervisorPlan {
  readonly name: string | undefined
  readonly strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one'
  readonly maxRestarts: number
  readonly period: number
  readonly backoff: { readonly initial: number, readonly max: number, readonly factor: number, readonly jitter: number } | undefined
  readonly children: readonly ChildPlan[]
}

const supervisorFields = ['name', 'strategy', 'maxRestarts', 'period', 'backoff', 'children']
const childFields = ['id', 'start', 'args', 'name', 'restart', 'shutdown', 'mailboxLimit', 'trapLinks']
const backoffFields = ['initial', 'max', 'factor', 'jitter']

/** @throws `FST_PROCESS_INVALID_SPEC` (a misspelt field, too), `FST_PROCESS_INVALID_NAME` */
export function planSupervisor (spec: SupervisorSpec): SupervisorPlan {
  checkFields('supervisor', spec, supervisorFields)
  const { name, strategy = 'one_for_one', maxRestarts = 3, period = '5s', children = [] } = spec
  if (name !== undefined) checkName(name)
  check(['one_for_one', 'one_for_all', 'rest_for_one'].includes(strategy), 'strategy', "'one_for_one', 'one_for_all' or 'rest_for_one'", strategy)
  check(Number.isInteger(maxRestarts) && maxRestarts >= 0, 'maxRestarts', 'an integer from 0', maxRestarts)
  check(Array.isArray(children), 'children', 'an array', children)
  const planned = children.map(planChild)
  const ids = new Set<string>()
  for (const { id } of planned) {
    if (ids.has(id)) throw new FST_PROCESS_INVALID_SPEC(`child id '${show(id)}' is there twice`)
    ids.add(id)
  }
  return { name, strategy, maxRestarts, period: duration('period', period, 1), backoff: planBackoff(spec.backoff), children: planned }
}

/** @throws `FST_PROCESS_INVALID_SPEC`, `FST_PROCESS_INVALID_NAME` */
export function planChild (spec: ChildSpec): ChildPlan {
  checkFields('child', spec, childFields)
  const { id, start, args = [], name, restart = 'permanent', shutdown = '5s', mailboxLimit, trapLinks } = spec
  check(typeof id === 'string' && id.length > 0 && id.length <= 256, 'id', 'a string of 1 to 256 characters', id)
  check(typeof start === 'function' || (typeof start === 'object' && start !== null), 'start', 'a function or a supervisor specification', start)
  check(Array.isArray(args), 'args', 'an array', args)
  if (name !== undefined) checkName(name)
  check(['permanent', 'transient', 'temporary'].includes(restart), 'restart', "'permanent', 'transient' or 'temporary'", restart)
  check(mailboxLimit === undefined || (Number.isInteger(mailboxLimit) && mailboxLimit > 0), 'mailboxLimit', 'a positive integer', mailboxLimit)
  check(trapLinks === undefined || typeof trapLinks === 'boolean', 'trapLinks', 'a boolean', trapLinks)
  if (typeof start === 'object') {
    // What would silently come to nothing.
    check(args.length === 0, 'args', 'none for a supervisor', args)
    check(mailboxLimit === undefined, 'mailboxLimit', 'none for a supervisor', mailboxLimit)
    check(trapLinks === undefined, 'trapLinks', 'none for a supervisor', trapLinks)
  }
  return {
    id,
    start: typeof start === 'function' ? start : planSupervisor(start),
    args: [...args],
    name,
    restart,
    shutdown: duration('shutdown', shutdown, 0),
    mailboxLimit,
    trapLinks
  }
}

function planBackoff (backoff: SupervisorSpec['backoff']): SupervisorPlan['backoff'] {
  if (backoff === undefined) return undefined
  checkFields('backoff', backoff, backoffFields)
  const { factor = 2, jitter = 0.1 } = backoff
  const initial = duration('backoff.initial', backoff.initial, 1)
  const max = duration('backoff.max', backoff.max, 1)
  check(max >= initial, 'backoff.max', "at least 'backoff.initial'", backoff.max)
  check(Number.isFinite(factor) && factor >= 1, 'backoff.factor', 'a number from 1', factor)
  check(typeof jitter === 'number' && jitter >= 0 && jitter <= 1, 'backoff.jitter', 'a number from 0 to 1', jitter)
  return { initial, max, factor, jitter }
}

function checkFields (what: string, value: unknown, allowed: string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new FST_PROCESS_INVALID_SPEC(`expected an object for the ${what}, got '${show(value)}'`)
  for (const field of Object.keys(value)) {
    if (!allowed.includes(field)) throw new FST_PROCESS_INVALID_SPEC(`a ${what} has no field '${show(field)}', only ${allowed.join(', ')}`)
  }
}

function check (valid: boolean, field: string, expected: string, value: unknown): void {
  if (!valid) throw new FST_PROCESS_INVALID_SPEC(`expected ${expected} as '${field}', got '${show(value)}'`)
}

function duration (field: string, value: Duration, min: number): number {
  try {
    return toMilliseconds(value, min)
  } catch (err) {
    throw new FST_PROCESS_INVALID_SPEC(`'${field}' must be a duration of ${durationRange(min)}, got '${show(value)}'`, { cause: err })
  }
}
