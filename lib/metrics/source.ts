import { errorCodes, show } from '../errors.js'
import { defaultPrefix, noCluster } from './table.js'
import type { ClusterStats } from '../../types/cluster.js'
import type { Processes } from '../../types/processes.js'
import type { ProcessStats } from '../../types/stats.js'

/** A process system, as the metrics read it: `app.processes`, or that of `createProcesses`. */
export type MeasuredProcesses = Pick<Processes, 'stats' | 'cluster' | 'health'>

const validPrefix = /^[A-Za-z_:][A-Za-z0-9_:]*$/

/** The numbers of one scrape. */
export interface Snapshot {
  readonly stats: ProcessStats
  readonly cluster: ClusterStats
  readonly isReady: boolean
}

/** @throws `FST_WS_RELAY_INVALID_OPTIONS` */
export function checkSource (processes: unknown): asserts processes is MeasuredProcesses {
  if (isFunction((processes as MeasuredProcesses | undefined)?.stats)) return
  throw invalid(`expected 'app.processes' as the first argument, got '${show(processes)}'`)
}

/** @throws `FST_WS_RELAY_INVALID_OPTIONS` */
export function checkPrefix (prefix: unknown = defaultPrefix): string {
  if (typeof prefix === 'string' && validPrefix.test(prefix)) return prefix
  throw invalid(`'prefix' must be letters, digits, _ and :, got '${show(prefix)}'`)
}

export function invalid (problem: string): Error {
  return new errorCodes.FST_WS_RELAY_INVALID_OPTIONS(problem)
}

export function isFunction (value: unknown): boolean {
  return typeof value === 'function'
}

export function takeSnapshot ({ stats, cluster, health }: MeasuredProcesses): Snapshot {
  return {
    stats: stats(),
    cluster: cluster?.stats() ?? noCluster,
    isReady: health().ready
  }
}
