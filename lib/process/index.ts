import { checkProcessesOptions, processesDefaults } from './options.js'
import { processSystemFacade } from './processes.js'
import { Runtime } from './runtime.js'
import { toMilliseconds } from '../shared/duration.js'
import type { ClusterEngine } from '../../types/cluster.js'
import type { Logger, ProcessesOptions } from '../../types/options.js'
import type { ProcessSystem } from '../../types/processes.js'

export { errorCodes } from '../errors.js'
export type * from '../../types/cluster.js'
export type * from '../../types/events.js'
export type * from '../../types/explain.js'
export type * from '../../types/keyed.js'
export type * from '../../types/messages.js'
export type * from '../../types/pid.js'
export type * from '../../types/info.js'
export type * from '../../types/options.js'
export type * from '../../types/processes.js'
export type * from '../../types/registries.js'
export type * from '../../types/stats.js'
export type * from '../../types/trace.js'

function discard (): void {}

/** The default logger. */
export const silentLogger: Logger = {
  trace: discard,
  debug: discard,
  info: discard,
  warn: discard,
  error: discard,
  fatal: discard,
  child: () => silentLogger
}

/**
 * A process system without Fastify, for worker services and tests.
 *
 * With `cluster` it joins by itself; `ready()` tells when.
 *
 * @throws `FST_PROCESS_INVALID_OPTIONS`, `FST_PROCESS_INVALID_DURATION`
 */
export function createProcesses (options: ProcessesOptions = {}): ProcessSystem {
  checkProcessesOptions(options)
  const { node, mailboxLimit, mailboxBytes, closeTimeout, keepEnds } = processesDefaults
  const timeout = toMilliseconds(options.closeTimeout ?? closeTimeout)
  const runtime = new Runtime({
    node: options.node ?? node,
    mailboxLimit: options.mailboxLimit ?? mailboxLimit,
    mailboxBytes: options.mailboxBytes ?? mailboxBytes,
    keepEnds: options.keepEnds ?? keepEnds,
    logger: options.logger ?? silentLogger
  })
  const close = (): Promise<void> => runtime.shutdown.close(timeout)
  const { cluster } = options
  const ready = cluster === undefined ? Promise.resolve() : join(runtime, cluster, close)
  return processSystemFacade(runtime, { ready: () => ready, close })
}

/**
 * The cluster is loaded only where it is used. This node has no connections, but those of other
 * nodes may be bound to its processes.
 */
function join (runtime: Runtime, engine: ClusterEngine, close: () => Promise<void>): Promise<void> {
  runtime.clusterAccess.joining = true
  const modules = Promise.all([import('../cluster/facade.js'), import('../connection/remote.js')])
  const joined = modules.then(([{ startCluster }, { connectionCodec: codec }]) => {
    return startCluster(runtime, engine, { codec, close })
  })
  // Without a call of `ready()` no code handles it. Until the node has joined, `spawn` throws.
  joined.catch(() => {})
  return joined
}
