import { Type } from '@sinclair/typebox'
import { errorCodes, show } from '../../errors.js'
import { choice, defaultsOf, duration, optionsCheck } from '../../shared/options.js'
import type { Defaults, Option, Options } from '../../shared/options.js'
import type { ClusterEngine, ClusterEngineOptions } from '../../../types/cluster.js'

const { FST_CLUSTER_INVALID_OPTIONS } = errorCodes

/** The options that all engines share. */
export const engineOptions = {
  prefix: {
    schema: Type.String({ pattern: '^[A-Za-z0-9_-]{1,32}$' }),
    default: 'fwr',
    expected: '1 to 32 characters of A-Z, a-z, 0-9, _ and -'
  },
  timing: choice(['default', 'patient'], 'default'),
  startTimeout: duration('10s', 1),
  whenNameTaken: choice(['close', 'stay'], 'close')
} satisfies Record<keyof ClusterEngineOptions, Option>

/** The options of every engine, validated and with defaults. */
export type EngineSettings = Omit<ClusterEngine, 'transport'>

/** The validated options of one engine, with defaults. */
export interface ParsedOptions<T extends Options, O> {
  readonly settings: EngineSettings
  /** The options of the engine's own table. */
  readonly own: Defaults<T>
  /** All other options: those of the engine's client. */
  readonly client: Omit<O, keyof T | keyof ClusterEngineOptions>
}

/**
 * Compiles the options of one engine.
 *
 * @param table the engine's own options
 * @param others whether other options are passed to the engine's client, or refused
 * @returns parses the argument of the engine's function. It throws `FST_CLUSTER_INVALID_OPTIONS`
 * and `FST_PROCESS_INVALID_DURATION`
 */
export function engineParser<const T extends Options> (
  table: T, others: 'client' | 'refused'
): <O extends ClusterEngineOptions>(options: O) => ParsedOptions<T, O> {
  const all: Options = { ...engineOptions, ...table }
  const defaults = defaultsOf(all)
  const check = optionsCheck(
    all, (problem, cause) => cause ?? new FST_CLUSTER_INVALID_OPTIONS(problem)
  )
  return (options) => {
    if (typeof options !== 'object' || options === null) {
      throw new FST_CLUSTER_INVALID_OPTIONS(`expected an object, got '${show(options)}'`)
    }
    const given = Object.entries(options).filter(([, value]) => value !== undefined)
    const isOfClient = ([name]: [string, unknown]): boolean => {
      return others === 'client' && !Object.hasOwn(all, name)
    }
    const values = {
      ...defaults, ...Object.fromEntries(given.filter((entry) => !isOfClient(entry)))
    }
    check(values)
    const { prefix, timing, startTimeout, whenNameTaken, ...own } = values
    return {
      settings: { prefix, timing, startTimeout, whenNameTaken } as EngineSettings,
      own: own as Defaults<T>,
      client: Object.fromEntries(given.filter(isOfClient)) as never
    }
  }
}
