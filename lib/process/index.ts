import { checkProcessesOptions, processesDefaults } from './options.js'
import { silentLogger } from './logger.js'
import { processesFacade } from './processes.js'
import { Runtime } from './runtime.js'
import { toMilliseconds } from '../shared/duration.js'
import type { ClusterEngine } from '../../types/cluster.js'
import type { ProcessesOptions, ProcessSystem } from '../../types/processes.js'

export { errorCodes } from '../errors.js'
export type * from '../../types/cluster.js'
export type * from '../../types/messages.js'
export type * from '../../types/pid.js'
export type * from '../../types/processes.js'

/**
 * A process system without Fastify, for worker services and tests.
 *
 * With `cluster` it joins by itself; `ready()` tells when.
 *
 * @throws `FST_PROCESS_INVALID_OPTIONS`, `FST_PROCESS_INVALID_DURATION`
 */
export function createProcesses (options: ProcessesOptions = {}): ProcessSystem {
  checkProcessesOptions(options)
  const { node, mailboxLimit, mailboxBytes, closeTimeout } = processesDefaults
  const timeout = toMilliseconds(options.closeTimeout ?? closeTimeout)
  const runtime = new Runtime({
    node: options.node ?? node,
    mailboxLimit: options.mailboxLimit ?? mailboxLimit,
    mailboxBytes: options.mailboxBytes ?? mailboxBytes,
    logger: options.logger ?? silentLogger
  })
  const close = (): Promise<void> => runtime.close(timeout)
  const ready = options.cluster === undefined ? Promise.resolve() : join(runtime, options.cluster, close)
  return processesFacade(runtime, { ready: () => ready, close })
}

/** Nothing of a cluster is loaded by those who have none. */
function join (runtime: Runtime, engine: ClusterEngine, close: () => Promise<void>): Promise<void> {
  runtime.awaitsCluster = true
  const joined = import('../cluster/facade.js').then(({ startCluster }) => startCluster(runtime, engine, { close }))
  // Who never asks whether it is ready is told by each spawn.
  joined.catch(() => {})
  return joined
}
