// A node of a simulated cluster with a whole process system, and a kind of keyed processes.
import { ClusterNode } from '../../../lib/cluster/node.js'
import { connectionCodec } from '../../../lib/connection/remote.js'
import { isKeyAddress } from '../../../lib/process/keyed/address.js'
import { silentLogger } from '../../../lib/process/index.js'
import { processesFacade } from '../../../lib/process/processes.js'
import { LocalProcesses } from '../../../lib/process/remote/local-processes.js'
import { Runtime } from '../../../lib/process/runtime.js'
import { SimulatedTransport } from './engine.js'
import { Machine } from './world.js'
import type { Engine } from './engine.js'
import type { World } from './world.js'
import type { Keyed, KeyedOptions } from '../../../types/keyed.js'
import type { Process, Processes } from '../../../types/processes.js'

/** The simulation of a node: it sees all messages that processes take. */
export interface KeyNodeOwner {
  readonly world: World
  readonly engine: Engine
  readonly options: KeyedOptions
  body (self: Process, key: string, node: KeyNode): unknown
  /** The register did not answer this node in time. */
  disturbed (): void
}

/** One incarnation of a node. */
export class KeyNode {
  readonly name: string
  readonly machine: Machine
  readonly transport: SimulatedTransport
  readonly runtime: Runtime
  readonly processes: Processes
  readonly cluster: ClusterNode
  readonly keyed: Keyed
  isOpen = false
  /** Requests that have not settled. */
  waiting = 0

  constructor (owner: KeyNodeOwner, name: string) {
    const { world, engine } = owner
    this.name = name
    this.machine = new Machine(world)
    this.transport = new SimulatedTransport(engine, this.machine)
    this.transport.disturbed = () => { owner.disturbed() }
    const runtime = this.runtime = new Runtime({
      node: name,
      mailboxLimit: 50,
      mailboxBytes: 2 ** 20,
      keepEnds: 0,
      logger: silentLogger,
      clock: this.machine
    })
    this.processes = processesFacade(runtime)
    this.cluster = new ClusterNode({
      node: name,
      incarnation: runtime.pids.incarnation,
      prefix: 'sim',
      transport: this.transport,
      timing: 'default',
      startTimeout: 10_000,
      local: new LocalProcesses(runtime),
      codec: connectionCodec,
      events: {
        nameLost: (lost) => { if (isKeyAddress(lost)) runtime.kinds.placeLost(lost) },
        broadcast: () => 0,
        fatal: () => { this.crash() }
      },
      logger: silentLogger,
      clock: this.machine,
      timeOrigin: 0,
      random: world.random.next
    })
    runtime.clusterAccess.joining = true
    this.keyed = this.processes.keyed('k', {
      ...owner.options, start: (self: Process, key: string) => owner.body(self, key, this)
    })
  }

  start (): void {
    const { runtime, cluster } = this
    cluster.start().then((incarnation) => {
      runtime.pids.bumpIncarnation(incarnation)
      runtime.clusterAccess.joinCluster(cluster.remote, undefined, cluster.keys)
      this.isOpen = true
    }, () => { this.machine.dead = true })
  }

  get isAwake (): boolean {
    return this.isOpen && !this.machine.dead && this.machine.frozenUntil <= this.machine.world.now
  }

  /** Whether it ran again in this very millisecond: its timers may still have to run. */
  get justWoke (): boolean {
    return this.machine.frozenUntil === this.machine.world.now
  }

  /** Ends all processes, and leaves the cluster. */
  async leave (): Promise<void> {
    this.isOpen = false
    const { clusterAccess, shutdown } = this.runtime
    clusterAccess.announceClosing = () => { this.cluster.announceClosing() }
    clusterAccess.leaveCluster = () => this.cluster.close()
    await shutdown.close(2000)
    this.machine.dead = true
  }

  /** Stops at once, without a bye. */
  crash (): void {
    this.isOpen = false
    this.machine.dead = true
    this.transport.close().catch(() => {})
  }
}
