import { Type } from '@sinclair/typebox'
import { errorCodes, show } from '../../errors.js'
import { choice, defaultsOf, duration, optionsCheck } from '../../shared/options.js'
import type { Option } from '../../shared/options.js'
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

const defaults = defaultsOf(engineOptions)
const check = optionsCheck(
  engineOptions, (problem, cause) => cause ?? new FST_CLUSTER_INVALID_OPTIONS(problem)
)

/** The options of every engine, validated and with defaults. */
export type EngineSettings = Omit<ClusterEngine, 'transport'>

/**
 * Separates the options that all engines share from those of the engine's client.
 *
 * @throws `FST_CLUSTER_INVALID_OPTIONS`, `FST_PROCESS_INVALID_DURATION`
 */
export function engineSettings<O extends ClusterEngineOptions> (
  options: O
): { settings: EngineSettings, own: Omit<O, keyof ClusterEngineOptions> } {
  if (typeof options !== 'object' || options === null) {
    throw new FST_CLUSTER_INVALID_OPTIONS(`expected an object, got '${show(options)}'`)
  }
  const {
    prefix = defaults.prefix,
    timing = defaults.timing,
    startTimeout = defaults.startTimeout,
    whenNameTaken = defaults.whenNameTaken,
    ...own
  } = options
  const settings = { prefix, timing, startTimeout, whenNameTaken }
  check(settings)
  return { settings, own }
}
