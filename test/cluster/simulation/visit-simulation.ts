// Clients of many nodes that visit processes with keys. These stop all the time, but none fails.
import { parseConfig } from '../../../lib/connection/config.js'
import { Connection } from '../../../lib/connection/connection.js'
import { RelayServer } from '../../../lib/connection/relay-server.js'
import { requestTarget } from '../../../lib/connection/target/target-request.js'
import { normalizeOptions } from '../../../lib/registration/options.js'
import { MemoryTransport } from '../../connection/transports/memory-transport.js'
import { Engine } from './engine.js'
import { KeyNode } from './key-node.js'
import { Calm, World } from './world.js'
import type { Target } from '../../../lib/process/entity.js'
import type { WsJoin, WsMessage } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'
import type { KeyNodeOwner } from './key-node.js'

const keys = ['a', 'b']
/** Clients of one node that are open at once. */
const mostClients = 4
const { server, route } = normalizeOptions({ pingInterval: 0, closeTimeout: 50 })

class SimulatedServer extends RelayServer {
  override connectionOpened (): void {}
}

/** A client of one node. */
interface Guest {
  readonly connection: Connection
  readonly transport: MemoryTransport
  /** Its first target. */
  readonly opensWith: Pid
  sent: number
  /** The number of its last message that a process has taken. */
  taken: number
  /** The process that has joined it last. */
  joinedBy: Pid | undefined
  hasLeft: boolean
}

/** The number of events, to see that a run has tested something. */
export interface VisitReport { guests: number, taken: number, ends: number, rejoins: number }

/**
 * Properties:
 *
 * - each client is joined by one process after the other, and each message follows the join;
 * - its messages are taken in order and without a gap, as long as it is there, although its process
 *   may end on another node, before it takes the join, and with messages under way;
 * - at the end each client that is there has a process that has taken all its messages.
 */
export class VisitSimulation implements KeyNodeOwner {
  readonly world: World
  readonly engine: Engine
  readonly options = { idle: 500 }
  readonly report: VisitReport = { guests: 0, taken: 0, ends: 0, rejoins: 0 }
  readonly #nodes: Array<{ readonly node: KeyNode, readonly relay: SimulatedServer }> = []
  readonly #guests = new Map<Pid, Guest>()
  #problem: string | undefined

  constructor (seed: number) {
    // With faults of the register a node may lose its lease, and so its processes with their mail.
    this.world = new World(new Calm(seed))
    this.engine = new Engine(this.world)
  }

  disturbed (): void {}

  #fail (text: string): void {
    this.#problem ??= `${text} at ${this.world.now - 1_700_000_000_000}`
  }

  // The processes

  async body (self: Process, _key: string, node: KeyNode): Promise<void> {
    const { random } = this.world
    const pause = (ms: number): Promise<void> => new Promise((resolve) => {
      node.machine.after(random.upTo(ms), resolve)
    })
    if (random.upTo(10) < 3) await pause(100)
    await self.serve({
      'ws.join': ({ client_pid: pid }: WsJoin) => { this.#join(self.pid, pid) },
      'ws.message': (message: WsMessage) => { this.#take(self.pid, message) },
      'ws.leave': () => {},
      slow: () => pause(300),
      stop: () => { self.stop() }
    } as never)
    this.report.ends++
    if (random.upTo(2) === 0) await pause(200)
  }

  #join (process: Pid, client: Pid): void {
    const guest = this.#guests.get(client)!
    if (guest.joinedBy !== undefined) this.#fail(`${client} is joined a second time`)
    guest.joinedBy = process
  }

  #take (process: Pid, { client_pid: client, data }: WsMessage): void {
    this.report.taken++
    const guest = this.#guests.get(client)!
    const number = Number(data)
    if (guest.joinedBy !== process) this.#fail(`${process} takes a message before the join`)
    if (number !== ++guest.taken) this.#fail(`${client}: ${number} instead of ${guest.taken}`)
  }

  // Steps

  #step (): void {
    const { random } = this.world
    const one = random.pick(this.#nodes)
    const address = one.node.keyed.key(random.pick(keys))
    const guests = [...this.#guests.values()].filter(({ hasLeft, connection }) => {
      return !hasLeft && connection.isOpen
    })
    const dice = random.upTo(100)
    if (dice < 20) this.#connect(one, address)
    else if (dice < 70) {
      if (guests.length === 0) return
      const guest = random.pick(guests)
      const count = 1 + random.upTo(3)
      for (let i = 0; i < count; i++) guest.transport.send(String(++guest.sent))
    } else if (dice < 82) one.node.processes.send(address, 'slow')
    else if (dice < 97) one.node.processes.send(address, 'stop')
    else if (guests.length > 0) {
      const guest = random.pick(guests)
      guest.hasLeft = true
      guest.transport.leave(1000, '')
    }
  }

  #connect ({ node, relay }: { node: KeyNode, relay: SimulatedServer }, address: Pid): void {
    if (relay.connections.size >= mostClients) return
    const request = requestTarget(node.runtime, address)
    const open = (target: Target): void => {
      const parsed = parseConfig({ target_pid: address, metadata: { of: 'ada' } }, route)
      if (!parsed.ok) throw new Error(parsed.problem)
      const transport = new MemoryTransport(node.machine, server.closeTimeout)
      const connection = new Connection({
        relay,
        transport,
        settings: route,
        target,
        config: parsed.value,
        ...request?.binding !== undefined && { binding: request.binding }
      })
      this.report.guests++
      this.#guests.set(connection.pid, {
        connection,
        transport,
        opensWith: target.pid,
        sent: 0,
        taken: 0,
        joinedBy: undefined,
        hasLeft: false
      })
      connection.open()
    }
    if (request === undefined) open(node.runtime.processTable.findEntity(address) as Target)
    else request.requestBinding((answer) => { if (answer.ok) open(answer.value) })
  }

  // The run

  readonly #check = (): void => {
    // Promises are settled by any task of a process system.
    this.world.settled = true
    if (this.#problem !== undefined) throw new Error(this.#problem)
  }

  async run (): Promise<VisitReport> {
    const { world } = this
    for (const name of ['a', 'b', 'c']) {
      const node = new KeyNode(this, name)
      this.#nodes.push({ node, relay: new SimulatedServer(node.runtime, server) })
      node.start()
    }
    await world.runUntil(world.now + 20_000, this.#check)
    const length = 10_000
    for (let at = 0; at < length; at += world.random.upTo(40)) {
      world.schedule(at, () => { this.#step() })
    }
    await world.runUntil(world.now + length, this.#check)
    await world.runUntil(world.now + 20_000, this.#check)
    this.#checkQuiet()
    await this.#end()
    for (const { joinedBy, opensWith } of this.#guests.values()) {
      if (joinedBy !== undefined && joinedBy !== opensWith) this.report.rejoins++
    }
    return this.report
  }

  #checkQuiet (): void {
    for (const [pid, { connection, sent, taken, joinedBy }] of this.#guests) {
      if (!connection.isOpen) continue
      if (taken !== sent) this.#fail(`${sent - taken} messages of ${pid} have not arrived`)
      const { target } = connection.describe()
      if (target !== joinedBy) this.#fail(`${pid} is joined by ${joinedBy}, and not by ${target}`)
    }
    this.#check()
  }

  async #end (): Promise<void> {
    const { world } = this
    for (const { connection, transport } of this.#guests.values()) {
      if (connection.isOpen) transport.leave(1000, '')
    }
    await world.runUntil(world.now + 30_000, this.#check)
    for (const { node: { name, runtime, cluster }, relay } of this.#nodes) {
      const kept = { keys: runtime.kinds.size, connections: relay.connections.size }
      if (kept.keys !== 0) this.#fail(`${name} keeps ${kept.keys} keys`)
      if (kept.connections !== 0) this.#fail(`${name} keeps ${kept.connections} connections`)
      if (cluster.size !== 0) this.#fail(`${name} keeps ${cluster.size} records`)
    }
    this.#check()
  }
}
