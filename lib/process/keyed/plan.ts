import { Type } from '@sinclair/typebox'
import { errorCodes, show } from '../../errors.js'
import { toMilliseconds } from '../../shared/duration.js'
import { choice, duration, integer, optionsCheck } from '../../shared/options.js'
import { planBackoff } from '../supervisor/spec.js'
import type { Fail, Option } from '../../shared/options.js'
import type { SupervisorPlan } from '../supervisor/spec.js'
import type { KeyedSpec } from '../../../types/keyed.js'
import type { ProcessBody } from '../../../types/processes.js'

const longestPark = 5 * 60 * 1000
const method = Type.Function([], Type.Unknown())

/** The options of `keyed`. */
export const keyedFields = {
  start: { schema: method, default: undefined, expected: 'a function', required: true },
  args: { schema: method, default: undefined, expected: 'a function' },
  place: choice(['here', 'spread'], 'here'),
  max: integer(10_000),
  idle: duration('30s'),
  park: duration('10s', 0, undefined, longestPark),
  maxRestarts: integer(3, 'restarts', 0),
  period: duration('5s', 1),
  backoff: { schema: Type.Unknown(), default: undefined, expected: 'an object' }
} satisfies Record<keyof KeyedSpec, Option>

/** The options of a kind with every default in place; durations in milliseconds. */
export interface KeyedPlan extends Pick<SupervisorPlan, 'maxRestarts' | 'period' | 'backoff'> {
  readonly start: ProcessBody
  readonly args: (key: string) => readonly unknown[]
  readonly place: 'here' | 'spread'
  readonly max: number
  readonly idle: number
  readonly park: number
}

const invalid: Fail = (problem, cause) => {
  return new errorCodes.FST_PROCESS_INVALID_SPEC(problem, { cause })
}
const check = optionsCheck(keyedFields, invalid, { owner: 'a kind' })

/** @throws `FST_PROCESS_INVALID_SPEC` */
export function planKeyed (spec: KeyedSpec): KeyedPlan {
  check(spec)
  const { place, max, idle, park, maxRestarts, period } = keyedFields
  return {
    start: spec.start as ProcessBody,
    args: spec.args === undefined ? (key) => [key] : checkedArgs(spec.args),
    place: spec.place ?? place.default as KeyedPlan['place'],
    max: spec.max ?? max.default,
    idle: toMilliseconds(spec.idle ?? idle.default),
    park: toMilliseconds(spec.park ?? park.default),
    maxRestarts: spec.maxRestarts ?? maxRestarts.default,
    period: toMilliseconds(spec.period ?? period.default),
    backoff: planBackoff(spec.backoff)
  }
}

/** A string would be spread into its characters. */
function checkedArgs (args: (key: string) => unknown): KeyedPlan['args'] {
  return (key) => {
    const made = args(key)
    if (Array.isArray(made)) return made
    throw invalid(`'args' must return an array, got '${show(made)}'`)
  }
}
