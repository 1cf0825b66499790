// Nodes of a cluster that all define the kind `room`.
import { TestCluster } from '../nodes.js'
import { start } from '../../integration/connection/support.js'
import { connectTo } from '../../integration/connection/peer.js'
import { answer, handshake, until } from '../../helpers.js'
import type { Keyed, KeyedOptions } from '../../../types/keyed.js'
import type { AnyMessage, Loose } from '../../process/helpers.js'
import type { Peer } from '../../integration/connection/peer.js'
import type { Rig } from '../../integration/connection/support.js'
import type { Process, Processes, ProcessSystem } from '../../../types/processes.js'
import type { WsRelayOptions } from '../../../types/relay.js'
import type { RelayConfig } from '../../../types/relay.js'
import type { Test } from 'tap'
import type { Pid } from '../../../types/pid.js'

/** One process of a key, and what it has taken: `topic data`, or `topic+rejoined`. */
export interface Room {
  readonly pid: Pid
  readonly key: string
  readonly node: string
  readonly mail: string[]
  /** Of each message that it has taken. */
  readonly metadata: unknown[]
}

export type Body = (self: Process<Loose>, room: Room) => unknown

/** A node with processes alone. */
interface Worker {
  readonly processes: Processes
  readonly keyed: Keyed<Loose>
}

export class Town {
  /** All processes so far. */
  readonly rooms: Room[] = []
  readonly cluster: TestCluster
  readonly #t: Test
  readonly #options: KeyedOptions
  /** Called after the loop of each process, for its clean-up. */
  cleanUp: (self: Process<Loose>) => unknown = () => {}

  body: Body = async (self, room) => {
    await self.serve({}, (message: AnyMessage) => {
      const { topic } = message
      const { data, rejoined, metadata } = message.payload as {
        data?: string, rejoined?: true, metadata?: unknown
      } ?? {}
      room.metadata.push(metadata)
      room.mail.push(`${topic}${rejoined === true ? '+rejoined' : ''}${data ? ` ${data}` : ''}`)
      if (topic === 'stop' || data === 'stop') self.stop()
      if (topic === 'crash' || data === 'crash') throw new Error('boom')
      if (topic === 'ask') message.reply(room.node)
    })
    await this.cleanUp(self)
  }

  constructor (t: Test, options: KeyedOptions = {}) {
    this.cluster = new TestCluster(t)
    this.#t = t
    this.#options = options
  }

  #define (node: string, processes: Processes, options: KeyedOptions): Keyed<Loose> {
    return processes.keyed('room', {
      ...this.#options,
      ...options,
      start: async (self: Process<Loose>, key: string) => {
        const room = { pid: self.pid, key, node, mail: [], metadata: [] }
        this.rooms.push(room)
        await this.body(self, room)
      }
    })
  }

  async add (name: string, options: KeyedOptions = {}): Promise<Worker & {
    readonly processes: ProcessSystem
  }> {
    const processes = await this.cluster.node(name)
    return { processes, keyed: this.#define(name, processes, options) }
  }

  /** A node with a server. */
  async serve (name: string, options: WsRelayOptions = {}): Promise<Worker & { rig: Rig }> {
    const rig = await start(this.#t, { node: name, cluster: this.cluster.engine(), ...options })
    return { rig, processes: rig.processes, keyed: this.#define(name, rig.processes, {}) }
  }

  /** Resolves when a node sees others. */
  async sees (processes: Processes, count: number): Promise<void> {
    await until(() => {
      return processes.cluster!.nodes().filter(({ state }) => state === 'up').length === count
    })
  }

  /** Connects a client to a key, and resolves when its join was taken. */
  async visit (rig: Rig, to: Pid, config: Partial<RelayConfig> = {}): Promise<Peer> {
    const joins = (): number => {
      return this.rooms.flatMap(({ mail }) => mail).filter((line) => line === 'ws.join').length
    }
    const before = joins()
    const peer = await connectTo(this.#t, rig, { target_pid: to, ...config })
    await until(() => joins() > before)
    return peer
  }

  /** The mail of each process. */
  get mail (): string[] {
    return this.rooms.map(({ mail }) => mail.join())
  }
}

/** A town with the nodes `a` and `b`. */
export async function twoNodes (t: Test, options: KeyedOptions = {}) {
  const town = new Town(t, options)
  return { town, a: await town.add('a'), b: await town.add('b') }
}

/** Two nodes that know the process of the key `x`, which runs on `a`. */
export async function twoNodesWithX (t: Test, options: KeyedOptions = {}) {
  const nodes = await twoNodes(t, options)
  for (const { keyed } of [nodes.a, nodes.b]) await keyed.get('x')
  return nodes
}

/** A town with the server `a`, and the node `b`. */
export async function serverAndNode (
  t: Test, options: KeyedOptions = {}, server: WsRelayOptions = {}
) {
  const town = new Town(t, options)
  const a = await town.serve('a', server)
  const b = await town.add('b')
  for (const { processes } of [a, b]) await town.sees(processes, 1)
  return { town, a, b }
}

/** The head of the response to an upgrade with this target. */
export async function upgrade (t: Test, { port }: Rig, target: string): Promise<string> {
  const config = encodeURIComponent(JSON.stringify({ target_pid: target }))
  return await answer(t, port, handshake(`/?relay=${config}`))
}
