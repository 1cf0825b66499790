import { errorCodes, show } from '../../errors.js'
import { toMilliseconds } from '../../shared/duration.js'
import type { ClusterEngine, ClusterEngineOptions, ClusterTiming } from '../../../types/cluster.js'

const { FST_CLUSTER_INVALID_OPTIONS } = errorCodes

const timings: readonly ClusterTiming[] = ['default', 'patient']
const reactions: ReadonlyArray<ClusterEngine['whenNameTaken']> = ['close', 'stay']

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
    prefix = 'fwr', timing = 'default', startTimeout = '10s', whenNameTaken = 'close', ...own
  } = options
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9_-]{1,32}$/.test(prefix)) {
    throw new FST_CLUSTER_INVALID_OPTIONS(
      `'prefix' must be 1 to 32 characters of A-Z, a-z, 0-9, _ and -, got '${show(prefix)}'`
    )
  }
  if (!timings.includes(timing)) {
    throw new FST_CLUSTER_INVALID_OPTIONS(
      `'timing' must be one of ${timings.join(', ')}, got '${show(timing)}'`
    )
  }
  if (!reactions.includes(whenNameTaken)) {
    throw new FST_CLUSTER_INVALID_OPTIONS(
      `'whenNameTaken' must be one of ${reactions.join(', ')}, got '${show(whenNameTaken)}'`
    )
  }
  toMilliseconds(startTimeout, 1)
  return { settings: { prefix, timing, startTimeout, whenNameTaken }, own }
}
