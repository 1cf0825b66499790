// Random operations of nodes, and random faults of nodes and of the engine.
import { Guarantees, nameCount } from './guarantees.js'
import { homeOf } from './model.js'
import { SimulatedNode } from './simulated-node.js'
import type { Asked, Monitored, Report } from './guarantees.js'
import type { NodeOwner } from './simulated-node.js'
import type { Caller } from '../../../lib/cluster/remote/remote-calls.js'
import type { ExitListener } from '../../../lib/process/exits/relations.js'
import type { Target } from '../../../lib/process/entity.js'
import type { Pid } from '../../../types/pid.js'

interface Bound {
  readonly by: SimulatedNode
  readonly client: Pid
  readonly target: Target
}

const groupCount = 2
/** Milliseconds until a disconnected node notices that and is connected again. */
const reconnects = 2000

/** Runs nodes, an engine and faults, and checks all guarantees after each step. */
export class Simulation extends Guarantees implements NodeOwner {
  /** All processes of all nodes, dead ones too. */
  readonly #everyone: Pid[] = []
  readonly #bound: Bound[] = []
  #ids = 0

  /** A node stops because of its name only if the register lost a later incarnation of it. */
  stopped (node: SimulatedNode, err: Error): void {
    if (this.lostData === undefined) return this.fault(`${node.name} ended: ${err.message}`)
    node.crash()
    this.world.schedule(500, () => {
      this.#restart(node)
    })
  }

  // Steps

  #step (): void {
    const { random } = this.world
    const { now } = this.world
    const open = this.nodes.filter((node) => node.open && node.machine.frozenUntil <= now)
    if (open.length === 0) return
    const node = random.pick(open)
    const mine = node.here.alive()
    if (mine.length < 3) this.#everyone.push(node.here.spawn())
    const from = random.pick(mine)
    for (const pid of mine) if (!this.#everyone.includes(pid)) this.#everyone.push(pid)
    const others = this.#everyone.filter((pid) => homeOf(pid) !== node.home).slice(-12)
    if (from === undefined || others.length === 0) return
    const to = random.pick(others)
    const { remote } = node.cluster
    if (this.contested && random.chance(0.4)) return this.#claim(node, from)
    const dice = random.upTo(100)
    if (dice < 35) for (let i = random.upTo(6); i >= 0; i--) this.#send(node, from, to)
    else if (dice < 45) this.#call(node, from, to)
    else if (dice < 57) this.#monitor(node, from, to)
    else if (dice < 61) this.#demonitor(node)
    else if (dice < 69) this.#link(node, from, to)
    else if (dice < 74) this.#unlink(node, from)
    else if (dice < 76) remote.exit(to, 'asked')
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
    const pair = this.pair(from, to)
    const epoch = this.epoch(node, to)
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
    this.calls.push(asked)
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
        this.exited(monitored, exit)
      }
    }
    const monitored: Monitored = { by: node, process, target, watcher, fired: 0, takenBack: false }
    this.monitors.push(monitored)
    node.cluster.remote.monitor(target, watcher)
  }

  #demonitor (node: SimulatedNode): void {
    const monitored = this.monitors.find(
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
    const name = `name${this.contested ? 0 : this.world.random.upTo(nameCount)}`
    if (this.world.random.chance(this.contested ? 0.02 : 0.15)) {
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
      this.pair(client, target.pid).sent.push({ id, epoch: this.epoch(by, target.pid) })
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
    const node = random.pick(this.nodes)
    const short = 200 + random.upTo(6000)
    const long = 1000 + random.upTo(this.contested ? 40_000 : 20_000)
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
    if (loses) this.lostData = this.world.now
    this.engine.stop(loses)
    this.world.schedule(ms, () => {
      this.engine.start()
    })
  }

  #restart (old: SimulatedNode): void {
    const node = new SimulatedNode(this, old.name, false)
    this.nodes = this.nodes.map((one) => (one === old ? node : one))
    node.start()
  }

  // The run

  async run (): Promise<Report> {
    const { world } = this
    const { random } = world
    const count = 2 + random.upTo(random.chance(0.3) ? 4 : 2)
    for (let i = 0; i < count; i++) {
      const node = new SimulatedNode(this, `n${i}`, true)
      this.nodes.push(node)
      node.start()
    }
    await world.runUntil(world.now + 1500, this.check)
    const end = world.now + (this.contested ? 45_000 : 8000) + random.upTo(25_000)
    for (let at = 0; at < end - world.now; at += random.upTo(this.contested ? 400 : 160)) {
      world.schedule(at, () => {
        this.#step()
      })
    }
    for (let at = random.upTo(6000); at < end - world.now; at += random.upTo(9000)) {
      world.schedule(at, () => {
        this.#trouble()
      })
    }
    await world.runUntil(end, this.check)
    await this.#heal()
    this.checkQuiet()
    await this.checkGroups()
    await this.endAll()
    return this.report
  }

  /** All faults are over, and some time has passed. */
  async #heal (): Promise<void> {
    const { world } = this
    await world.runUntil(world.now + (this.contested ? 45_000 : 25_000), this.check)
    for (const node of this.nodes.filter(({ machine }) => machine.dead)) this.#restart(node)
    await world.runUntil(world.now + 12_000, this.check)
  }
}
