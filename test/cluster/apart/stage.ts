// Three operating-system processes on one engine: the test's own, and two hosts. The `memory`
// engine is in the test's process, and the hosts have a pipe to it.
import t from 'tap'
import { Host, type FarNode } from './host.js'
import { memory, MemoryHub } from '../../../lib/cluster/engines/memory.js'
import { nats } from '../../../lib/cluster/engines/nats.js'
import { redis } from '../../../lib/cluster/engines/redis.js'
import { natsServer, redisServer } from '../fixtures/servers.js'
import type { EngineName, Joining } from './worker.js'
import type { Test } from 'tap'
import type { Cluster, ClusterEngine } from '../../../types/cluster.js'
import type { Processes } from '../../../types/processes.js'

export class Stage {
  readonly hosts: readonly [Host, Host]
  readonly #engine: EngineName
  readonly #port: number
  readonly #hub: MemoryHub

  private constructor (
    engine: EngineName,
    port: number,
    hub: MemoryHub,
    hosts: readonly [Host, Host]
  ) {
    this.#engine = engine
    this.#port = port
    this.#hub = hub
    this.hosts = hosts
  }

  /** @param t closes the stage at the end of this test */
  static async open (t: Test, engine: EngineName): Promise<Stage> {
    const hub = new MemoryHub()
    const port =
      engine === 'memory' ? 0 : (await (engine === 'nats' ? natsServer(t) : redisServer(t))).port
    // A node on the memory engine does not keep the event loop alive.
    const awake = setInterval(() => {}, 60_000)
    t.teardown(() => {
      clearInterval(awake)
    })
    return new Stage(engine, port, hub, [new Host(t, hub), new Host(t, hub)])
  }

  /** Makes an engine for a node in the test's own process. */
  engine (prefix: string): ClusterEngine {
    const startTimeout = '60s'
    switch (this.#engine) {
      case 'memory':
        return memory({ hub: this.#hub, prefix, startTimeout })
      case 'nats':
        return nats({ servers: `127.0.0.1:${this.#port}`, prefix, startTimeout })
      case 'redis':
        return redis({ host: '127.0.0.1', port: this.#port, prefix, startTimeout })
    }
  }

  /** Starts a node in one of the hosts. */
  async node (
    host: Host,
    node: string,
    prefix: string,
    options: Joining['options'] = {}
  ): Promise<FarNode> {
    return await host.join({ node, engine: this.#engine, port: this.#port, prefix, options })
  }
}

let shared: Promise<Stage> | undefined

/** One stage for each test file, because starting an operating-system process takes a second. */
export async function stageOf (engine: EngineName): Promise<Stage> {
  return await (shared ??= Stage.open(t as unknown as Test, engine))
}

/** Resolves when a node of the test's own process sees all these nodes up. */
export async function sees (processes: Processes, names: readonly string[]): Promise<void> {
  const cluster = processes.cluster as Cluster
  const isUp = (name: string): boolean =>
    cluster.nodes().some(({ node, state }) => node === name && state === 'up')
  const watching = processes.spawn<{ '@node': unknown }, []>(async (self) => {
    cluster.watch(self.pid)
    while (!names.every(isUp)) await self.receive({ topic: '@node' })
  })
  await processes.exited(watching)
}
