import { MemoryHub } from './memory/memory-hub.js'
import { MemoryTransport } from './memory/memory-transport.js'
import { engineParser } from './engine-settings.js'
import { custom } from '../../shared/options.js'
import type { ClusterEngine, ClusterEngineOptions } from '../../../types/cluster.js'

export { MemoryHub } from './memory/memory-hub.js'
export type { ClusterEngine, ClusterEngineOptions, ClusterTiming } from '../../../types/cluster.js'

/** Options of {@link memory}. */
export interface MemoryOptions extends ClusterEngineOptions {
  /** Nodes with the same hub are connected. @defaultValue one hub for the whole OS process */
  hub?: MemoryHub
}

const parse = engineParser({
  hub: custom(new MemoryHub(), 'a MemoryHub', (hub) => hub instanceof MemoryHub)
}, 'refused')

/**
 * An engine inside this OS process, for tests. Process systems with the same hub and the same
 * prefix are nodes of one cluster.
 *
 * @throws `FST_CLUSTER_INVALID_OPTIONS`, `FST_PROCESS_INVALID_DURATION`
 */
export function memory (options: MemoryOptions = {}): ClusterEngine {
  const { settings, own: { hub } } = parse(options)
  return { transport: new MemoryTransport(hub), ...settings }
}
