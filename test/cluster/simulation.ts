import { ClusterNode } from '../../lib/cluster/node.js'
import { connectionCodec } from '../../lib/connection/remote.js'
import { Engine, Machine, Random, SimulatedTransport, World } from './simulator.js'
import { homeOf, ModelHere } from './model.js'
import { timings } from '../../lib/cluster/timing.js'
import type { Names } from '../../lib/cluster/names/names.js'
import type { Caller } from '../../lib/cluster/remote/remote-calls.js'
import type { Ledger } from './model.js'
import type { ExitListener } from '../../lib/process/exits/relations.js'
import type { Target } from '../../lib/process/entity.js'
import type { Exit } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'
import type { Logger } from '../../types/options.js'

/** Counts of one run. */
export interface Report {
  messages: number
  torn: number
  exits: number
  calls: number
  claims: number
  takeOvers: number
}

/** Thrown when a guarantee of the cluster was broken. */
export class Violation extends Error {}

interface Sent {
  readonly id: number
  /** How often the sender's channel had been reset when it accepted the message. */
  readonly epoch: number
}

interface Pair {
  readonly sent: Sent[]
  /** How many of them were delivered or skipped. */
  next: number
}

interface Monitored {
  readonly by: SimulatedNode
  readonly process: Pid
  readonly target: Pid
  readonly watcher: ExitListener
  fired: number
  takenBack: boolean
}

interface Asked {
  readonly by: SimulatedNode
  settled: number
}

interface Bound {
  readonly by: SimulatedNode
  readonly client: Pid
  readonly target: Target
}

/** One incarnation of a node, with its machine, transport and processes. */
class SimulatedNode {
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

  constructor (simulation: Simulation, name: string, isFirst: boolean) {
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
    this.here.elsewhere = this.cluster.remote
  }

  #logger (simulation: Simulation): Logger {
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

  get names (): Names {
    return this.cluster.names as Names
  }
}

const timing = timings.default
/** Milliseconds until all writes with an unknown outcome are resolved. */
const cleanUp = timing.breakLease + 3 * timing.renew
/**
 * Names survive an engine that is down for this long. The outage may begin just before a renewal,
 * and the renewal may take its whole timeout.
 */
const survives = timing.down + timing.renew + timing.request
/** Milliseconds until a disconnected node notices that and is connected again. */
const reconnects = 2000
const nameCount = 3
const groupCount = 2

/** Runs nodes, an engine and faults, and checks all guarantees after each step. */
export class Simulation implements Ledger {
  readonly world: World
  readonly engine: Engine
  readonly report: Report = { messages: 0, torn: 0, exits: 0, calls: 0, claims: 0, takeOvers: 0 }
  #nodes: SimulatedNode[] = []
  readonly #pairs = new Map<string, Pair>()
  readonly #everyone: Pid[] = []
  readonly #dead = new Set<Pid>()
  readonly #monitors: Monitored[] = []
  readonly #calls: Asked[] = []
  readonly #bound: Bound[] = []
  readonly #broadcasts = new Set<string>()
  readonly #fences = new Map<string, { readonly node: SimulatedNode, readonly fence: number }>()
  /** One run in four has many claims for one name, and long faults. */
  readonly #contested: boolean
  readonly #skewed: boolean
  readonly #hardships: {
    readonly from: number
    readonly to: number
    readonly node: SimulatedNode | undefined
  }[] = []

  /** When the engine lost its data. */
  #lostData: number | undefined
  #ids = 0
  #fault: string | undefined

  constructor (seed: number) {
    this.world = new World(new Random(seed))
    this.#contested = seed % 4 === 0
    this.#skewed = seed % 8 < 4
    this.engine = new Engine(this.world)
  }

  // Checks

  /** In every other run clocks differ by up to 10 minutes. */
  skew (): number {
    return this.#skewed ? this.world.random.upTo(1_200_000) - 600_000 : 0
  }

  /** Records that one node, or all of them, may be unable to renew their lease for `ms`. */
  hardship (ms: number, node?: SimulatedNode): void {
    this.#hardships.push({ from: this.world.now, to: this.world.now + ms, node })
  }

  /** A name may be lost only after an outage or stall that also takes channels down. */
  nameLost (name: string, node: SimulatedNode): void {
    const { now } = this.world
    if (this.#lostData !== undefined && now - this.#lostData < 3 * timing.breakLease) return
    let covered = 0
    let end = now - survives
    for (const hardship of this.#hardships) {
      if (hardship.node !== undefined && hardship.node !== node) continue
      const to = Math.min(hardship.to, now)
      covered += Math.max(0, to - Math.max(hardship.from, end))
      end = Math.max(end, to)
    }
    if (covered < timing.down) {
      this.fault(`${node.home} lost ${name} after ${covered} ms of hardship`)
    }
  }

  /** A node stops because of its name only if the register lost a later incarnation of it. */
  stopped (node: SimulatedNode, err: Error): void {
    if (this.#lostData === undefined) return this.fault(`${node.name} ended: ${err.message}`)
    node.crash()
    this.world.schedule(500, () => {
      this.#restart(node)
    })
  }

  fault (text: string): void {
    this.#fault ??= text
  }

  readonly #check = (): void => {
    if (this.#fault !== undefined) throw new Violation(this.#fault)
    for (let i = 0; i < nameCount; i++) this.#checkName(`name${i}`)
  }

  /** A name has at most one holder, and each new holder has a higher fence. */
  #checkName (name: string): void {
    let holder: SimulatedNode | undefined
    for (const node of this.#nodes) {
      if (!node.open) continue
      const held = node.names.holder(name)
      if (held === undefined) continue
      if (holder !== undefined) {
        throw new Violation(`${name} is held by ${holder.home} and by ${node.home}`)
      }
      holder = node
      const last = this.#fences.get(name)
      if (last !== undefined && held.fence < last.fence) {
        throw new Violation(`${name}: the fence ${held.fence} is below ${last.fence}`)
      }
      if (last !== undefined && last.node !== node) {
        if (held.fence === last.fence) {
          throw new Violation(`${name}: two holders had the fence ${held.fence}`)
        }
        this.report.takeOvers++
      }
      if (last?.node !== node || last.fence !== held.fence) {
        this.#fences.set(name, { node, fence: held.fence })
      }
    }
  }

  #epoch (from: SimulatedNode, to: Pid): number {
    return from.epochs.get(homeOf(to).split('.')[0]) ?? 0
  }

  #pair (from: Pid, to: Pid): Pair {
    const key = `${from}>${to}`
    let pair = this.#pairs.get(key)
    if (pair === undefined) this.#pairs.set(key, (pair = { sent: [], next: 0 }))
    return pair
  }

  /** Messages arrive in order and at most once, without gaps between two resets of a channel. */
  delivered (from: Pid, to: Pid, id: number): void {
    this.report.messages++
    const pair = this.#pair(from, to)
    const index = pair.sent.findIndex((sent) => sent.id === id)
    if (index === -1) return this.fault(`message ${id} from ${from} to ${to} was never sent`)
    if (index < pair.next) {
      return this.fault(`message ${id} from ${from} to ${to} came again, or after a later one`)
    }
    // A node that leaves releases its clients first: their pending frames are dropped, others not.
    const isLeaving = this.#nodes.some(({ home, leaving }) => leaving && home === homeOf(to))
    for (let i = pair.next; i < index; i++) {
      if (!isLeaving && pair.sent[i].epoch === pair.sent[index].epoch) {
        return this.fault(`message ${pair.sent[i].id} from ${from} to ${to} was left out`)
      }
    }
    pair.next = index + 1
  }

  broadcast (to: Pid, id: number): void {
    const key = `${id}>${to}`
    if (this.#broadcasts.has(key)) this.fault(`broadcast ${key} came twice`)
    this.#broadcasts.add(key)
  }

  #exited (monitored: Monitored, { pid, reason }: Exit): void {
    this.report.exits++
    if (pid !== monitored.target) this.fault(`the monitor of ${monitored.target} told of ${pid}`)
    if (monitored.takenBack) this.fault(`the monitor of ${pid} was taken back, and told`)
    if (++monitored.fired > 1) this.fault(`the monitor of ${pid} told twice`)
    if (reason === 'noconnection') return
    if (!this.#isDead(pid)) this.fault(`the monitor of ${pid} told '${reason}', and it is alive`)
    const home = this.#nodes.find((node) => node.home === homeOf(pid))
    const pair = this.#pairs.get(`${pid}>${monitored.process}`)
    if (home === undefined || pair === undefined || this.#isDead(monitored.process)) return
    const epoch = this.#epoch(home, monitored.process)
    if (pair.sent.slice(pair.next).some((sent) => sent.epoch === epoch)) {
      this.fault(`the end of ${pid} (${reason}) overtook what it had sent to ${monitored.process}`)
    }
  }

  #isDead (pid: Pid): boolean {
    if (this.#dead.has(pid)) return true
    const node = this.#nodes.find(({ home }) => home === homeOf(pid))
    const dead = node === undefined || !node.here.processes.has(pid)
    if (dead) this.#dead.add(pid)
    return dead
  }

  // Steps

  #step (): void {
    const { random } = this.world
    const { now } = this.world
    const open = this.#nodes.filter((node) => node.open && node.machine.frozenUntil <= now)
    if (open.length === 0) return
    const node = random.pick(open)
    const mine = node.here.alive()
    if (mine.length < 3) this.#everyone.push(node.here.spawn())
    const from = random.pick(mine)
    for (const pid of mine) if (!this.#everyone.includes(pid)) this.#everyone.push(pid)
    const others = this.#everyone.filter((pid) => homeOf(pid) !== node.home).slice(-12)
    if (from === undefined || others.length === 0) return
    const to = random.pick(others)
    const { remote: elsewhere } = node.cluster
    if (this.#contested && random.chance(0.4)) return this.#claim(node, from)
    const dice = random.upTo(100)
    if (dice < 35) for (let i = random.upTo(6); i >= 0; i--) this.#send(node, from, to)
    else if (dice < 45) this.#call(node, from, to)
    else if (dice < 57) this.#monitor(node, from, to)
    else if (dice < 61) this.#demonitor(node)
    else if (dice < 69) this.#link(node, from, to)
    else if (dice < 74) this.#unlink(node, from)
    else if (dice < 76) elsewhere.exit(to, 'asked')
    else if (dice < 79) node.here.end(from, 'ended')
    else if (dice < 86) this.#claim(node, from)
    else if (dice < 90) this.#group(node, from)
    else if (dice < 93) this.#bind(node, to)
    else this.#client()
  }

  #send (node: SimulatedNode, from: Pid, to: Pid): void {
    const { random } = this.world
    const id = ++this.#ids
    // Some messages are longer than a frame of the engine.
    const payload = random.chance(0.01) ? { id, long: Buffer.alloc(150_000) } : { id }
    const pair = this.#pair(from, to)
    const epoch = this.#epoch(node, to)
    if (node.cluster.remote.send(to, 'message', payload, from)) pair.sent.push({ id, epoch })
  }

  #call (node: SimulatedNode, from: Pid, to: Pid): void {
    this.report.calls++
    const id = ++this.#ids
    const asked: Asked = { by: node, settled: 0 }
    const settle = (): void => {
      if (++asked.settled > 1) this.fault('a call was settled twice')
      node.cluster.remote.demonitor(to, caller)
    }
    const caller: Caller = {
      reply: (value) => {
        if ((value as { answer: number }).answer !== id) {
          this.fault('a call got the answer of another')
        }
        settle()
      },
      fail: settle,
      reject: settle,
      targetEnded: settle
    }
    this.#calls.push(asked)
    node.cluster.remote.monitor(to, caller)
    if (asked.settled > 0) return
    if (
      !node.cluster.remote.send(
        to,
        this.world.random.chance(0.1) ? 'last' : 'question',
        { id },
        from,
        caller
      )
    ) { settle() }
  }

  #monitor (node: SimulatedNode, process: Pid, target: Pid): void {
    const watcher: ExitListener = {
      targetEnded: (exit) => {
        this.#exited(monitored, exit)
      }
    }
    const monitored: Monitored = { by: node, process, target, watcher, fired: 0, takenBack: false }
    this.#monitors.push(monitored)
    node.cluster.remote.monitor(target, watcher)
  }

  #demonitor (node: SimulatedNode): void {
    const monitored = this.#monitors.find(
      ({ by, fired, takenBack }) => by === node && fired === 0 && !takenBack
    )
    if (monitored === undefined) return
    monitored.takenBack = true
    node.cluster.remote.demonitor(monitored.target, monitored.watcher)
  }

  #link (node: SimulatedNode, here: Pid, there: Pid): void {
    const { links } = node.here.processes.get(here)!
    if (links.has(there)) return
    links.add(there)
    node.cluster.remote.link(here, there)
  }

  #unlink (node: SimulatedNode, here: Pid): void {
    const { links } = node.here.processes.get(here)!
    const [there] = links
    if (there === undefined) return
    links.delete(there)
    node.cluster.remote.unlink(here, there)
    // Bind again at once: pending frames still belong to the old binding.
    if (this.world.random.chance(0.3)) this.#link(node, here, there)
  }

  #claim (node: SimulatedNode, pid: Pid): void {
    const name = `name${this.#contested ? 0 : this.world.random.upTo(nameCount)}`
    if (this.world.random.chance(this.#contested ? 0.02 : 0.15)) {
      node.names.unregister(name).catch(() => {})
    } else {
      node.names.register(name, pid).then(
        () => {
          this.report.claims++
        },
        () => {}
      )
    }
  }

  #group (node: SimulatedNode, pid: Pid): void {
    const { random } = this.world
    const group = `group${random.upTo(groupCount)}`
    const dice = random.upTo(3)
    if (dice === 0) node.cluster.groups.join(group, pid).catch(() => {})
    else if (dice === 1) node.cluster.groups.leave(group, pid).catch(() => {})
    else node.cluster.groups.broadcast(group, 'news', { id: ++this.#ids }, { from: pid })
  }

  #bind (node: SimulatedNode, to: Pid): void {
    const client = node.here.spawn()
    const watcher: ExitListener = {
      targetEnded: () => {
        node.here.end(client, 'target')
      }
    }
    node.cluster.remote.bind(to, watcher).then(
      (answer) => {
        if (answer.ok) this.#bound.push({ by: node, client, target: answer.value })
        else node.here.end(client, 'unbound')
      },
      () => {
        this.fault('a bind was rejected')
      }
    )
  }

  #client (): void {
    const bound = this.#bound.filter(
      ({ by, client, target }) =>
        by.open &&
        by.here.processes.has(client) &&
        by.machine.frozenUntil <= this.world.now &&
        !target.refusesMail
    )
    if (bound.length === 0) return
    const { by, client, target } = this.world.random.pick(bound)
    const metadata = {}
    for (let i = 0; i < 5 && !target.refusesMail; i++) {
      const id = ++this.#ids
      this.#pair(client, target.pid).sent.push({ id, epoch: this.#epoch(by, target.pid) })
      target.accept(
        'ws.message',
        { client_pid: client, type: 'text', data: String(id), metadata },
        client,
        5
      )
    }
  }

  // Faults

  #trouble (): void {
    const { world, engine } = this
    const { random } = world
    const node = random.pick(this.#nodes)
    const short = 200 + random.upTo(6000)
    const long = 1000 + random.upTo(this.#contested ? 40_000 : 20_000)
    switch (random.upTo(9)) {
      case 0:
      case 1:
        return this.#outage(random.chance(0.7) ? short : long, random.chance(0.3))
      case 2: {
        const ms = random.chance(0.5) ? short : long
        this.hardship(ms + reconnects, node)
        node.transport.partitioned = true
        node.transport.cut()
        world.schedule(ms, () => {
          node.transport.partitioned = false
          node.transport.reconnect()
        })
        return
      }
      case 3:
      case 4: {
        const ms = random.chance(0.5) ? short : long
        this.hardship(ms, node)
        node.machine.frozenUntil = world.now + ms
        return
      }
      case 5:
        // The connection breaks, and is there again.
        this.hardship(reconnects, node)
        node.transport.cut()
        if (engine.up) node.transport.reconnect()
        return
      case 6:
        if (!engine.up) return
        this.hardship(3000 + reconnects)
        return engine.loseServer(random.upTo(3000))
      case 7:
        if (!node.open || node.machine.frozenUntil > world.now) return
        node.leave().then(
          () => {
            this.#restart(node)
          },
          (err: unknown) => {
            this.fault(`leaving failed: ${String(err)}`)
          }
        )
        return
      default:
        if (!node.open) return
        node.crash()
        world.schedule(random.upTo(4000), () => {
          this.#restart(node)
        })
    }
  }

  #outage (ms: number, loses: boolean): void {
    if (!this.engine.up) return
    this.hardship(ms + reconnects)
    if (loses) this.#lostData = this.world.now
    this.engine.stop(loses)
    this.world.schedule(ms, () => {
      this.engine.start()
    })
  }

  #restart (old: SimulatedNode): void {
    const node = new SimulatedNode(this, old.name, false)
    this.#nodes = this.#nodes.map((one) => (one === old ? node : one))
    node.start()
  }

  // The run

  async run (): Promise<Report> {
    const { world } = this
    const { random } = world
    const count = 2 + random.upTo(random.chance(0.3) ? 4 : 2)
    for (let i = 0; i < count; i++) {
      const node = new SimulatedNode(this, `n${i}`, true)
      this.#nodes.push(node)
      node.start()
    }
    await world.runUntil(world.now + 1500, this.#check)
    const end = world.now + (this.#contested ? 45_000 : 8000) + random.upTo(25_000)
    for (let at = 0; at < end - world.now; at += random.upTo(this.#contested ? 400 : 160)) {
      world.schedule(at, () => {
        this.#step()
      })
    }
    for (let at = random.upTo(6000); at < end - world.now; at += random.upTo(9000)) {
      world.schedule(at, () => {
        this.#trouble()
      })
    }
    await world.runUntil(end, this.#check)
    await this.#heal()
    this.#checkQuiet()
    await this.#checkGroups()
    await this.#endAll()
    return this.report
  }

  /** All faults are over, and some time has passed. */
  async #heal (): Promise<void> {
    const { world } = this
    await world.runUntil(world.now + (this.#contested ? 45_000 : 25_000), this.#check)
    for (const node of this.#nodes.filter(({ machine }) => machine.dead)) this.#restart(node)
    await world.runUntil(world.now + 12_000, this.#check)
  }

  #checkQuiet (): void {
    for (const node of this.#nodes) {
      const up = node.cluster.nodes().filter(({ state }) => state === 'up').length
      if (!node.open || up !== this.#nodes.length - 1) {
        throw new Violation(`${node.name} sees ${up} nodes, of ${this.#nodes.length - 1}`)
      }
      for (const [pid, { links }] of node.here.processes) {
        for (const there of links) this.#checkLink(pid, there)
      }
    }
    for (const [key, { sent, next }] of this.#pairs) {
      const [from, to] = key.split('>') as [Pid, Pid]
      const sender = this.#nodes.find(({ home }) => home === homeOf(from))
      if (sender === undefined || this.#isDead(to)) continue
      const epoch = this.#epoch(sender, to)
      const lost = sent.slice(next).find((message) => message.epoch === epoch)
      if (lost !== undefined) {
        throw new Violation(`message ${lost.id} from ${from} to ${to} was lost`)
      }
    }
    for (const { by, target, fired, takenBack } of this.#monitors) {
      if (!by.machine.dead && !takenBack && fired === 0 && this.#isDead(target)) {
        throw new Violation(`the monitor of ${target} was never told`)
      }
    }
  }

  #checkLink (pid: Pid, there: Pid): void {
    const node = this.#nodes.find(({ home }) => home === homeOf(there))
    if (node?.here.processes.get(there)?.links.has(pid) !== true) {
      throw new Violation(`${pid} is linked with ${there}, which is not with it`)
    }
  }

  /** Each node finds all members of a group. */
  async #checkGroups (): Promise<void> {
    const { world } = this
    for (const node of this.#nodes) {
      const pid = node.here.spawn()
      node.cluster.groups.join('all', pid).catch(() => {})
    }
    await world.runUntil(world.now + 1000, this.#check)
    const found = this.#nodes.map((node) => {
      let members = -1
      node.cluster.groups.members('all').then(
        (answer) => {
          members = answer.missing.length === 0 ? answer.members.length : -2
        },
        () => {}
      )
      return () => members
    })
    world.settled = true
    await world.runUntil(world.now + 1000, this.#check)
    await new Promise(setImmediate)
    for (const members of found) {
      if (members() !== this.#nodes.length) {
        throw new Violation(`${members()} members were found, of ${this.#nodes.length}`)
      }
    }
  }

  /** Ends all processes, and checks that no records and timers remain. */
  async #endAll (): Promise<void> {
    const { world } = this
    for (const node of this.#nodes) for (const pid of node.here.alive()) node.here.end(pid, 'ended')
    await world.runUntil(world.now + cleanUp, this.#check)
    for (const { by, target, fired, takenBack } of this.#monitors) {
      if (!by.machine.dead && !takenBack && fired !== 1) {
        throw new Violation(`the monitor of ${target} told ${fired} times`)
      }
    }
    for (const { by, settled } of this.#calls) {
      if (!by.machine.dead && settled !== 1) {
        throw new Violation(`a call was settled ${settled} times`)
      }
    }
    for (const { name, cluster } of this.#nodes) {
      if (cluster.size !== 0) throw new Violation(`${name} retains ${cluster.size} records`)
      if (cluster.stats().unacknowledged !== 0) {
        throw new Violation(`${name} retains ${cluster.stats().unacknowledged} frames`)
      }
      cluster.close().catch((err: unknown) => {
        this.fault(`closing failed: ${String(err)}`)
      })
    }
    await world.runUntil(world.now + 15_000, this.#check)
    await new Promise(setImmediate)
    for (const { name, machine } of this.#nodes) {
      if (machine.timers !== 0) throw new Violation(`${name} retains ${machine.timers} timers`)
    }
  }
}
