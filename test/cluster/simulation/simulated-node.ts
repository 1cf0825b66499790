// A node of a simulated cluster, with its machine and its processes.
import { ClusterNode } from '../../../lib/cluster/node.js'
import { connectionCodec } from '../../../lib/connection/remote.js'
import { timings } from '../../../lib/cluster/timing.js'
import { SimulatedTransport } from './engine.js'
import { ModelHere } from './model.js'
import { Machine } from './world.js'
import type { Engine } from './engine.js'
import type { Ledger } from './model.js'
import type { World } from './world.js'
import type { NodeNames } from '../../../lib/cluster/names/names.js'
import type { Logger } from '../../../types/options.js'

const timing = timings.default

/** The simulation of a node. It records what the node does and what happens to it. */
export interface NodeOwner extends Ledger {
  readonly world: World
  readonly engine: Engine
  /** `torn`: how many channels were reset. */
  readonly report: { torn: number }
  /** Milliseconds by which the clock of a new node is wrong. */
  skew (): number
  /** Records that a node, or all of them, may be unable to renew their lease for `ms`. */
  hardship (ms: number, node?: SimulatedNode): void
  nameLost (name: string, node: SimulatedNode): void
  /** A node has stopped by itself. */
  stopped (node: SimulatedNode, err: Error): void
  /** A guarantee was broken. */
  fault (text: string): void
}

/** One incarnation of a node, with its machine, transport and processes. */
export class SimulatedNode {
  readonly name: string
  readonly machine: Machine
  readonly transport: SimulatedTransport
  readonly here: ModelHere
  readonly cluster: ClusterNode
  open = false
  leaving = false
  home = ''
  /** How often its channel to a node was reset. */
  readonly epochs = new Map<string, number>()

  constructor (simulation: NodeOwner, name: string, isFirst: boolean) {
    const { world, engine } = simulation
    this.name = name
    this.machine = new Machine(world, simulation.skew())
    this.transport = new SimulatedTransport(engine, this.machine)
    this.transport.disturbed = () => { simulation.hardship(timing.request + timing.renew, this) }
    this.here = new ModelHere(simulation)
    this.cluster = new ClusterNode({
      node: name,
      // The register raises this number if it knows a later incarnation.
      incarnation:
        isFirst && world.random.chance(0.2) ? 1_600_000_000_000 : Math.floor(this.machine.now()),
      prefix: 'sim',
      transport: this.transport,
      timing: 'default',
      startTimeout: 10_000,
      local: this.here,
      codec: connectionCodec,
      events: {
        nameLost: (lost) => {
          simulation.nameLost(lost, this)
        },
        broadcast: (members, topic, payload) => this.here.broadcast(members, payload),
        fatal: (err) => {
          simulation.stopped(this, err)
        }
      },
      logger: this.#logger(simulation),
      clock: this.machine,
      timeOrigin: 0,
      random: world.random.next
    })
    this.here.remoteNodes = this.cluster.remote
  }

  #logger (simulation: NodeOwner): Logger {
    const quiet = (): void => {}
    const warn = (data: unknown): void => {
      const { relayNode: node, why } = data as { relayNode?: string, why?: string }
      if (node === undefined || why === undefined) return
      simulation.report.torn++
      this.epochs.set(node, (this.epochs.get(node) ?? 0) + 1)
    }
    const error = (data: unknown): void => {
      const { err } = data as { err: Error }
      simulation.fault(`the core threw: ${err.stack ?? err.message}`)
    }
    const logger: Logger = {
      trace: quiet,
      debug: quiet,
      info: quiet,
      warn,
      error,
      fatal: quiet,
      child: () => logger
    }
    return logger
  }

  start (): void {
    this.cluster.start().then((incarnation) => {
      this.home = `${this.name}.${incarnation.toString(36)}`
      this.here.suffix = `@${this.home}`
      this.open = true
      for (let i = 0; i < 3; i++) this.here.spawn()
    }, () => { this.machine.dead = true })
  }

  /** Leaves the cluster regularly. */
  async leave (): Promise<void> {
    this.open = false
    this.leaving = true
    this.cluster.announceClosing()
    await this.cluster.close()
    this.machine.dead = true
  }

  /** Stops at once, without a bye. */
  crash (): void {
    this.open = false
    this.machine.dead = true
    this.transport.close().catch(() => {})
  }

  get names (): NodeNames {
    return this.cluster.names as NodeNames
  }
}
