// The guarantees of a cluster, checked while and after nodes and the engine fail.
import { timings } from '../../../lib/cluster/timing.js'
import { Engine } from './engine.js'
import { homeOf } from './model.js'
import { Random, World } from './world.js'
import type { Ledger } from './model.js'
import type { SimulatedNode } from './simulated-node.js'
import type { ExitListener } from '../../../lib/process/exits/relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

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

export interface Pair {
  readonly sent: Sent[]
  /** How many of them were delivered or skipped. */
  next: number
}

export interface Monitored {
  readonly by: SimulatedNode
  readonly process: Pid
  readonly target: Pid
  readonly watcher: ExitListener
  fired: number
  takenBack: boolean
}

export interface Asked {
  readonly by: SimulatedNode
  settled: number
}

const timing = timings.default
/** Milliseconds until all writes with an unknown outcome are resolved. */
const cleanUp = timing.breakLease + 3 * timing.renew
/**
 * Names survive an engine that is down for this long. The outage may begin just before a renewal,
 * and the renewal may take its whole timeout.
 */
const survives = timing.down + timing.renew + timing.request
export const nameCount = 3

/** The records of a run, and the checks of each guarantee. `Simulation` plays the run. */
export class Guarantees implements Ledger {
  readonly world: World
  readonly engine: Engine
  readonly report: Report = { messages: 0, torn: 0, exits: 0, calls: 0, claims: 0, takeOvers: 0 }
  nodes: SimulatedNode[] = []
  readonly pairs = new Map<string, Pair>()
  readonly dead = new Set<Pid>()
  readonly monitors: Monitored[] = []
  readonly calls: Asked[] = []
  readonly broadcasts = new Set<string>()
  readonly fences = new Map<string, { readonly node: SimulatedNode, readonly fence: number }>()
  /** One run in four has many claims for one name, and long faults. */
  readonly contested: boolean
  readonly skewed: boolean
  readonly hardships: {
    readonly from: number
    readonly to: number
    readonly node: SimulatedNode | undefined
  }[] = []

  /** When the engine lost its data. */
  lostData: number | undefined
  firstFault: string | undefined

  constructor (seed: number) {
    this.world = new World(new Random(seed))
    this.contested = seed % 4 === 0
    this.skewed = seed % 8 < 4
    this.engine = new Engine(this.world)
  }

  /** In every other run clocks differ by up to 10 minutes. */
  skew (): number {
    return this.skewed ? this.world.random.upTo(1_200_000) - 600_000 : 0
  }

  /** Records that one node, or all of them, may be unable to renew their lease for `ms`. */
  hardship (ms: number, node?: SimulatedNode): void {
    this.hardships.push({ from: this.world.now, to: this.world.now + ms, node })
  }

  /** A name may be lost only after an outage or stall that also takes channels down. */
  nameLost (name: string, node: SimulatedNode): void {
    const { now } = this.world
    if (this.lostData !== undefined && now - this.lostData < 3 * timing.breakLease) return
    let covered = 0
    let end = now - survives
    for (const hardship of this.hardships) {
      if (hardship.node !== undefined && hardship.node !== node) continue
      const to = Math.min(hardship.to, now)
      covered += Math.max(0, to - Math.max(hardship.from, end))
      end = Math.max(end, to)
    }
    if (covered < timing.down) {
      this.fault(`${node.home} lost ${name} after ${covered} ms of hardship`)
    }
  }

  fault (text: string): void {
    this.firstFault ??= text
  }

  readonly check = (): void => {
    if (this.firstFault !== undefined) throw new Violation(this.firstFault)
    for (let i = 0; i < nameCount; i++) this.checkName(`name${i}`)
  }

  /** A name has at most one holder, and each new holder has a higher fence. */
  checkName (name: string): void {
    let holder: SimulatedNode | undefined
    for (const node of this.nodes) {
      if (!node.open) continue
      const held = node.names.holder(name)
      if (held === undefined) continue
      if (holder !== undefined) {
        throw new Violation(`${name} is held by ${holder.home} and by ${node.home}`)
      }
      holder = node
      const last = this.fences.get(name)
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
        this.fences.set(name, { node, fence: held.fence })
      }
    }
  }

  epoch (from: SimulatedNode, to: Pid): number {
    return from.epochs.get(homeOf(to).split('.')[0]) ?? 0
  }

  pair (from: Pid, to: Pid): Pair {
    const key = `${from}>${to}`
    let pair = this.pairs.get(key)
    if (pair === undefined) this.pairs.set(key, (pair = { sent: [], next: 0 }))
    return pair
  }

  /** Messages arrive in order and at most once, without gaps between two resets of a channel. */
  delivered (from: Pid, to: Pid, id: number): void {
    this.report.messages++
    const pair = this.pair(from, to)
    const index = pair.sent.findIndex((sent) => sent.id === id)
    if (index === -1) return this.fault(`message ${id} from ${from} to ${to} was never sent`)
    if (index < pair.next) {
      return this.fault(`message ${id} from ${from} to ${to} came again, or after a later one`)
    }
    // A node that leaves releases its clients first: their pending frames are dropped, others not.
    const isLeaving = this.nodes.some(({ home, leaving }) => leaving && home === homeOf(to))
    for (let i = pair.next; i < index; i++) {
      if (!isLeaving && pair.sent[i].epoch === pair.sent[index].epoch) {
        return this.fault(`message ${pair.sent[i].id} from ${from} to ${to} was left out`)
      }
    }
    pair.next = index + 1
  }

  broadcast (to: Pid, id: number): void {
    const key = `${id}>${to}`
    if (this.broadcasts.has(key)) this.fault(`broadcast ${key} came twice`)
    this.broadcasts.add(key)
  }

  exited (monitored: Monitored, { pid, reason }: Exit): void {
    this.report.exits++
    if (pid !== monitored.target) this.fault(`the monitor of ${monitored.target} told of ${pid}`)
    if (monitored.takenBack) this.fault(`the monitor of ${pid} was removed, and notified`)
    if (++monitored.fired > 1) this.fault(`the monitor of ${pid} notified twice`)
    if (reason === 'noconnection') return
    if (!this.isDead(pid)) this.fault(`the monitor of ${pid} told '${reason}', and it is alive`)
    const home = this.nodes.find((node) => node.home === homeOf(pid))
    const pair = this.pairs.get(`${pid}>${monitored.process}`)
    if (home === undefined || pair === undefined || this.isDead(monitored.process)) return
    const epoch = this.epoch(home, monitored.process)
    if (pair.sent.slice(pair.next).some((sent) => sent.epoch === epoch)) {
      this.fault(`the end of ${pid} (${reason}) overtook what it had sent to ${monitored.process}`)
    }
  }

  isDead (pid: Pid): boolean {
    if (this.dead.has(pid)) return true
    const node = this.nodes.find(({ home }) => home === homeOf(pid))
    const dead = node === undefined || !node.here.processes.has(pid)
    if (dead) this.dead.add(pid)
    return dead
  }

  checkQuiet (): void {
    for (const node of this.nodes) {
      const up = node.cluster.nodes().filter(({ state }) => state === 'up').length
      if (!node.open || up !== this.nodes.length - 1) {
        throw new Violation(`${node.name} sees ${up} nodes, of ${this.nodes.length - 1}`)
      }
      for (const [pid, { links }] of node.here.processes) {
        for (const there of links) this.checkLink(pid, there)
      }
    }
    for (const [key, { sent, next }] of this.pairs) {
      const [from, to] = key.split('>') as [Pid, Pid]
      const sender = this.nodes.find(({ home }) => home === homeOf(from))
      if (sender === undefined || this.isDead(to)) continue
      const epoch = this.epoch(sender, to)
      const lost = sent.slice(next).find((message) => message.epoch === epoch)
      if (lost !== undefined) {
        throw new Violation(`message ${lost.id} from ${from} to ${to} was lost`)
      }
    }
    for (const { by, target, fired, takenBack } of this.monitors) {
      if (!by.machine.dead && !takenBack && fired === 0 && this.isDead(target)) {
        throw new Violation(`the monitor of ${target} was never notified`)
      }
    }
  }

  checkLink (pid: Pid, there: Pid): void {
    const node = this.nodes.find(({ home }) => home === homeOf(there))
    if (node?.here.processes.get(there)?.links.has(pid) !== true) {
      throw new Violation(`${pid} is linked with ${there}, which is not with it`)
    }
  }

  /** Each node finds all members of a group. */
  async checkGroups (): Promise<void> {
    const { world } = this
    for (const node of this.nodes) {
      const pid = node.here.spawn()
      node.cluster.groups.join('all', pid).catch(() => {})
    }
    await world.runUntil(world.now + 1000, this.check)
    const found = this.nodes.map((node) => {
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
    await world.runUntil(world.now + 1000, this.check)
    await new Promise(setImmediate)
    for (const members of found) {
      if (members() !== this.nodes.length) {
        throw new Violation(`${members()} members were found, of ${this.nodes.length}`)
      }
    }
  }

  /** Ends all processes, and checks that no records and timers remain. */
  async endAll (): Promise<void> {
    const { world } = this
    for (const node of this.nodes) for (const pid of node.here.alive()) node.here.end(pid, 'ended')
    await world.runUntil(world.now + cleanUp, this.check)
    for (const { by, target, fired, takenBack } of this.monitors) {
      if (!by.machine.dead && !takenBack && fired !== 1) {
        throw new Violation(`the monitor of ${target} told ${fired} times`)
      }
    }
    for (const { by, settled } of this.calls) {
      if (!by.machine.dead && settled !== 1) {
        throw new Violation(`a call was settled ${settled} times`)
      }
    }
    for (const { name, cluster } of this.nodes) {
      if (cluster.size !== 0) throw new Violation(`${name} retains ${cluster.size} records`)
      if (cluster.stats().unacknowledged !== 0) {
        throw new Violation(`${name} retains ${cluster.stats().unacknowledged} frames`)
      }
      cluster.close().catch((err: unknown) => {
        this.fault(`closing failed: ${String(err)}`)
      })
    }
    await world.runUntil(world.now + 15_000, this.check)
    await new Promise(setImmediate)
    for (const { name, machine } of this.nodes) {
      if (machine.timers !== 0) throw new Violation(`${name} retains ${machine.timers} timers`)
    }
  }
}
