import { ClusterNode } from '../../lib/cluster/node.js'
import { connectionCodec } from '../../lib/connection/remote.js'
import { ModelHere } from './simulation/model.js'
import { Calm, Machine, World } from './simulation/world.js'
import { Engine, SimulatedTransport } from './simulation/engine.js'
import type { ClusterEvents } from '../../lib/cluster/node.js'
import type { BindResult } from '../../lib/process/remote/remote-nodes.js'
import type { Target } from '../../lib/process/entity.js'
import type { Exit } from '../../types/messages.js'
import type { ClusterMembers, ClusterName, ClusterTransport } from '../../types/cluster.js'
import type { Pid } from '../../types/pid.js'
import type { Logger } from '../../types/options.js'

/** One node of a cluster in simulated time, with everything that it received and reported. */
export interface TestNode {
  readonly cluster: ClusterNode
  readonly here: ModelHere
  readonly machine: Machine
  readonly transport: SimulatedTransport
  /** Messages that `deliver` and `accept` received. */
  readonly mail: {
    readonly to: Pid
    readonly topic: string
    readonly payload: unknown
    readonly from: Pid | undefined
  }[]
  readonly logged: { readonly level: string, readonly text: string, readonly data: unknown }[]
  readonly reported: unknown[]
}

/** A cluster in simulated time without random faults: the tests cause all faults. */
export class TestCluster {
  readonly world = new World(new Calm(1))
  readonly engine = new Engine(this.world)

  /** @param settled whether the register is old enough for names to be granted at once */
  constructor (settled = true) {
    if (settled) {
      this.engine.cas(
        'test.generation',
        Buffer.from(JSON.stringify({ id: 'first', settled: true, base: 1 })),
        0
      )
    }
  }

  /** @param changes methods and properties to replace on this node's transport */
  make (
    node: string,
    changes: Partial<ClusterTransport> = {},
    incarnation = Math.floor(this.world.now)
  ): TestNode {
    const machine = new Machine(this.world)
    const transport = Object.assign(new SimulatedTransport(this.engine, machine), changes)
    const mail: TestNode['mail'] = []
    const logged: TestNode['logged'] = []
    const reports: unknown[] = []
    const here = new ModelHere({
      delivered () {},
      broadcast () {},
      fault (text) {
        throw new Error(text)
      }
    })
    const events: ClusterEvents = {
      nameLost: (name, pid) => {
        reports.push({ lost: name, pid })
      },
      broadcast: (members, topic, payload, from) => {
        reports.push({ members, topic, payload, from })
        return members.length
      },
      fatal: (err) => {
        reports.push(err)
      }
    }
    const log = (level: string) => (data: unknown, text: string) => {
      logged.push({ level, text: `${text} ${String((data as { err?: Error }).err ?? '')}`, data })
    }
    const logger = Object.fromEntries(
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map((level) => [level, log(level)])
    ) as unknown as Logger
    const cluster = new ClusterNode({
      node,
      incarnation,
      prefix: 'test',
      transport,
      timing: 'default',
      startTimeout: 10_000,
      local: here,
      codec: connectionCodec,
      events,
      logger,
      clock: machine,
      timeOrigin: 0,
      random: this.world.random.next
    })
    here.remoteNodes = cluster.remote
    const { deliver, accept } = here
    here.deliver = (to, topic, payload, from, call) => {
      mail.push({ to, topic, payload, from })
      return topic.startsWith('model.')
        ? deliver.call(here, to, topic, payload, from, call)
        : here.processes.has(to)
    }
    here.accept = (to, topic, payload, from, bytes) => {
      mail.push({ to, topic, payload, from })
      return (
        topic === 'full' ||
        (topic === 'model' && accept.call(here, to, topic, payload, from, bytes))
      )
    }
    return { cluster, here, machine, transport, mail, logged, reported: reports }
  }

  /** Starts nodes, and waits until they see each other. */
  async start (...names: string[]): Promise<TestNode[]> {
    const nodes = names.map((name) => this.make(name))
    await Promise.all(
      nodes.map((node) =>
        this.settle(node.cluster.start()).then((incarnation) => {
          node.here.suffix = `@${node.cluster.node}.${incarnation.toString(36)}`
        })
      )
    )
    await this.run(2000)
    return nodes
  }

  /** Registers a process of a node under a name of the whole cluster. */
  async register (
    node: TestNode, name: string, pid = node.here.spawn()
  ): Promise<ClusterName> {
    return await this.settle(node.cluster.names.register(name, pid))
  }

  /** Asks one node who has a name. */
  async lookup (node: TestNode, name: string): Promise<ClusterName | undefined> {
    return await this.settle(node.cluster.names.lookup(name))
  }

  /** Adds a process of a node to the group `room`. @returns the process */
  async join (node: TestNode, pid = node.here.spawn()): Promise<Pid> {
    await this.settle(node.cluster.groups.join('room', pid))
    return pid
  }

  /** Asks one node for the members of the group `room` on all nodes. */
  async members (node: TestNode): Promise<ClusterMembers> {
    return await this.settle(node.cluster.groups.members('room'))
  }

  /** Restarts the engine without the data of its register. */
  loseData (): void {
    this.engine.stop(true)
    this.engine.start()
  }

  async run (ms: number): Promise<void> {
    this.world.settled = true
    await new Promise(setImmediate)
    await this.world.runUntil(this.world.now + ms, () => {})
    await new Promise(setImmediate)
  }

  /** Lets time pass until a promise has settled. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    const state = { settled: false }
    const settled = promise.finally(() => {
      state.settled = true
    })
    settled.catch(() => {})
    for (let i = 0; !state.settled && i < 2000; i++) await this.run(20)
    return await settled
  }
}

/** Ends a node at once, without a bye. */
export async function crash ({ machine, transport }: TestNode): Promise<void> {
  machine.dead = true
  await transport.close()
}

/** A watcher that records its exits. */
export function watcher (): { readonly exits: Exit[], targetEnded (exit: Exit): void } {
  const exits: Exit[] = []
  return { exits, targetEnded (exit) { exits.push(exit) } }
}

/** The target of a successful `bind`. */
export function targetOf (answer: BindResult): Target {
  if (!answer.ok) throw new Error(answer.problem)
  return answer.value
}
