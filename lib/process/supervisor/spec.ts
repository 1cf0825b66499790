import { Type } from '@sinclair/typebox'
import { errorCodes, show } from '../../errors.js'
import { toMilliseconds } from '../../shared/duration.js'
import { choice, decimal, duration, flag, integer, optionsCheck } from '../../shared/options.js'
import { checkName } from '../registry/names.js'
import type { Fail, Option } from '../../shared/options.js'
import type { Backoff } from '../../../types/options.js'
import type {
  ChildOf, ChildSpec, ProcessBody, SupervisorChild, SupervisorSpec, SupervisorSpecOf
} from '../../../types/processes.js'

const { FST_PROCESS_INVALID_SPEC } = errorCodes

/** A child specification of a user. The compiler has checked the arguments against the body. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a body may take any arguments
export type GivenChild = ChildOf<any> | SupervisorChild

/** A specification of a user, whose children may have any arguments. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a body may take any arguments
export type GivenSpec = SupervisorSpecOf<any[][]>

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
  readonly backoff:
    | {
      readonly initial: number
      readonly max: number
      readonly factor: number
      readonly jitter: number
    }
    | undefined
  readonly children: readonly ChildPlan[]
}

/** A name is checked by `checkName`, which has a code of its own. */
const name: Option<undefined> = { schema: Type.Unknown(), default: undefined, expected: 'a name' }

/** The fields of a supervisor's specification. */
export const supervisorFields = {
  name,
  strategy: choice(['one_for_one', 'one_for_all', 'rest_for_one'], 'one_for_one'),
  maxRestarts: integer(3, 'restarts', 0),
  period: duration('5s', 1),
  backoff: { schema: Type.Unknown(), default: undefined, expected: 'an object' },
  children: { schema: Type.Array(Type.Unknown()), default: undefined, expected: 'an array' }
} satisfies Record<keyof SupervisorSpec, Option>

/** The fields of a child's specification. */
export const childFields = {
  id: {
    schema: Type.String({ minLength: 1, maxLength: 256 }),
    default: undefined,
    expected: 'a string of 1 to 256 characters',
    required: true
  },
  start: {
    schema: Type.Union([Type.Function([], Type.Unknown()), Type.Object({})]),
    default: undefined,
    expected: 'a function or a supervisor specification',
    required: true
  },
  args: { schema: Type.Array(Type.Unknown()), default: undefined, expected: 'an array' },
  name,
  restart: choice(['permanent', 'transient', 'temporary'], 'permanent'),
  shutdown: duration('5s'),
  mailboxLimit: integer(undefined, 'messages'),
  trapLinks: flag(undefined)
} satisfies Record<keyof ChildSpec, Option>

/** The fields of `backoff`. */
export const backoffFields = {
  initial: duration(undefined, 1, true),
  max: duration(undefined, 1, true),
  factor: decimal(2, 1),
  jitter: decimal(0.1, 0, 1)
} satisfies Record<keyof Backoff, Option>

const invalid: Fail = (problem, cause) => new FST_PROCESS_INVALID_SPEC(problem, { cause })
const checkSupervisor = optionsCheck(supervisorFields, invalid, { owner: 'a supervisor' })
const checkChild = optionsCheck(childFields, invalid, { owner: 'a child' })
const checkBackoff = optionsCheck(backoffFields, invalid, {
  owner: 'a backoff',
  prefix: 'backoff.'
})

/** @throws `FST_PROCESS_INVALID_SPEC` (a misspelt field, too), `FST_PROCESS_INVALID_NAME` */
export function planSupervisor (spec: GivenSpec): SupervisorPlan {
  checkSupervisor(spec)
  const { strategy, maxRestarts, period } = supervisorFields
  if (spec.name !== undefined) checkName(spec.name)
  const children = (spec.children ?? []).map(planChild)
  const ids = new Set<string>()
  for (const { id } of children) {
    if (ids.has(id)) throw new FST_PROCESS_INVALID_SPEC(`two children have the id '${show(id)}'`)
    ids.add(id)
  }
  return {
    name: spec.name,
    strategy: spec.strategy ?? strategy.default,
    maxRestarts: spec.maxRestarts ?? maxRestarts.default,
    period: toMilliseconds(spec.period ?? period.default),
    backoff: planBackoff(spec.backoff),
    children
  }
}

/** @throws `FST_PROCESS_INVALID_SPEC`, `FST_PROCESS_INVALID_NAME` */
export function planChild (spec: GivenChild): ChildPlan {
  checkChild(spec)
  const { id, start, args = [], name, restart, shutdown, mailboxLimit, trapLinks } = spec
  if (name !== undefined) checkName(name)
  if (typeof start === 'object') {
    const field =
      args.length > 0
        ? 'args'
        : mailboxLimit !== undefined
          ? 'mailboxLimit'
          : trapLinks !== undefined
            ? 'trapLinks'
            : undefined
    // It would have no effect.
    if (field !== undefined) {
      throw new FST_PROCESS_INVALID_SPEC(
        `'${field}' is not for a child that is a supervisor, got '${show(spec[field])}'`
      )
    }
  }
  return {
    id,
    start: typeof start === 'function' ? start : planSupervisor(start),
    args: [...args],
    name,
    restart: restart ?? childFields.restart.default,
    shutdown: toMilliseconds(shutdown ?? childFields.shutdown.default),
    mailboxLimit,
    trapLinks
  }
}

/** @throws `FST_PROCESS_INVALID_SPEC` */
export function planBackoff (backoff: Backoff | undefined): SupervisorPlan['backoff'] {
  if (backoff === undefined) return undefined
  checkBackoff(backoff)
  const initial = toMilliseconds(backoff.initial)
  const max = toMilliseconds(backoff.max)
  if (max < initial) {
    throw new FST_PROCESS_INVALID_SPEC(
      `'backoff.max' must be at least 'backoff.initial', got '${show(backoff.max)}'`
    )
  }
  const { factor = backoffFields.factor.default, jitter = backoffFields.jitter.default } = backoff
  return { initial, max, factor, jitter }
}
