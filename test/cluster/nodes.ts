// Real nodes in one operating-system process, on a memory engine of their own.
import { createProcesses } from '../../lib/process/index.js'
import { memory, MemoryHub } from '../../lib/cluster/engines/memory.js'
import { until } from '../helpers.js'
import type { ClusterEngine } from '../../types/cluster.js'
import type { ProcessesOptions } from '../../types/options.js'
import type { ProcessSystem } from '../../types/processes.js'

/** A test, or anything else that closes its parts at the end. */
interface Owner {
  teardown (close: () => unknown): void
}

/** Nodes on one memory engine, closed at the end of the test. */
export class TestCluster {
  readonly hub = new MemoryHub()
  readonly #t: Owner
  readonly #systems: ProcessSystem[] = []

  constructor (t: Owner) {
    this.#t = t
    // A node on the memory engine does not keep the event loop alive.
    const awake = setInterval(() => {}, 60_000)
    t.teardown(() => {
      clearInterval(awake)
    })
  }

  engine (): ClusterEngine {
    return memory({ hub: this.hub })
  }

  /** Starts a node, and waits until all nodes of the test see each other. */
  async node (
    name: string,
    options: ProcessesOptions = {},
    engine = this.engine()
  ): Promise<ProcessSystem> {
    const system = createProcesses({ node: name, cluster: engine, closeTimeout: 20, ...options })
    this.#t.teardown(() => system.close())
    await system.ready()
    this.#systems.push(system)
    await this.allUp()
    return system
  }

  /** Resolves when each node sees all others. */
  async allUp (): Promise<void> {
    await until(() =>
      this.#systems.every(
        ({ cluster }) =>
          cluster!.nodes().filter(({ state }) => state === 'up').length >= this.#systems.length - 1
      )
    )
  }
}
