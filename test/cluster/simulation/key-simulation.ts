// Keys that come and go on many nodes, under random faults of processes, nodes and the engine.
import { Engine } from './engine.js'
import { KeyNode } from './key-node.js'
import { Random, World } from './world.js'
import type { KeyNodeOwner } from './key-node.js'
import type { KeyedOptions } from '../../../types/keyed.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'

const keys = ['a', 'b', 'c']
const maxRestarts = 3
const period = 5000
/**
 * Milliseconds for which a key may be refused after a fault: the lease of a lost node is broken
 * after 14 s. A claim that began before waits for 8 s, and then the next one starts.
 */
const longestRefusal = 30_000

/** The number of events, to see that a run has tested something. */
export interface KeyReport { taken: number, started: number, places: number, refused: number }

interface Note { readonly sender: string, readonly number: number }

/** The processes of one key, as far as they have taken mail. */
interface KeyHistory {
  last: Pid | undefined
  /** Those that another one has followed. */
  readonly followed: Set<Pid>
  lastNode: string
}

/**
 * Properties:
 *
 * - at most one instance takes mail: once an instance has taken mail, all earlier ones never do;
 * - messages of a sender arrive in order, and each at most once;
 * - a request is refused only because of a fault, and for no longer than the table of faults says;
 * - each request settles;
 * - when all faults are over, all nodes reach the same process of each key;
 * - nothing is kept of dead keys.
 */
export class KeySimulation implements KeyNodeOwner {
  readonly world: World
  readonly engine: Engine
  readonly options: KeyedOptions
  /** Whether instances live long, so that a fault finds them alive. */
  readonly #isCalm: boolean
  /** All faults are over. */
  #isEnding = false
  readonly report: KeyReport = { taken: 0, started: 0, places: 0, refused: 0 }
  #nodes: KeyNode[] = []
  readonly #histories = new Map(keys.map((key) => [key, {
    last: undefined, followed: new Set(), lastNode: ''
  } as KeyHistory]))

  readonly #lastNumbers = new Map<string, number>()
  #numbers = 0
  #faultAt: number
  #problem: string | undefined

  constructor (seed: number) {
    this.world = new World(new Random(seed))
    this.engine = new Engine(this.world)
    this.#faultAt = this.world.now
    this.#isCalm = this.world.random.chance(0.6)
    this.options = {
      maxRestarts,
      period,
      idle: this.world.random.pick([500, 3000, 0]),
      place: this.world.random.pick(['here', 'spread'])
    }
  }

  // The processes

  async body (self: Process, key: string, node: KeyNode): Promise<void> {
    this.report.started++
    const { random } = this.world
    // It loads its state.
    if (random.chance(0.3)) {
      await new Promise<void>((resolve) => {
        node.machine.after(random.upTo(400), resolve)
      })
    }
    if (!this.#isEnding && random.chance(0.03)) throw new Error('unloadable')
    await self.serve({
      note: (note: Note) => { this.#take(self, key, node, note) },
      ask: (note: Note, { reply }: { reply: (value: unknown) => void }) => {
        this.#take(self, key, node, note, true)
        reply(self.pid)
      },
      slow: async (note: Note) => {
        this.#take(self, key, node, note)
        await new Promise<void>((resolve) => { node.machine.after(random.upTo(300), resolve) })
      },
      stop: (note: Note) => {
        this.#take(self, key, node, note)
        self.stop()
      },
      crash: (note: Note) => {
        this.#take(self, key, node, note)
        throw new Error('boom')
      }
    } as never)
    // It cleans up.
    await new Promise<void>((resolve) => { node.machine.after(random.upTo(200), resolve) })
  }

  #take (
    { pid }: Process, key: string, node: KeyNode, { sender, number }: Note, isCall = false
  ): void {
    this.report.taken++
    const history = this.#histories.get(key)!
    if (history.last !== pid) {
      // A node that was frozen learns of the end of its lease in this millisecond.
      const isExcused = history.followed.has(pid) && node.justWoke
      if (history.followed.has(pid) && !isExcused) this.#fail(`${pid} takes mail of '${key}' again`)
      if (isExcused) return
      if (history.last !== undefined) history.followed.add(history.last)
      if (history.lastNode !== node.name) this.report.places++
      history.last = pid
      history.lastNode = node.name
    }
    // A call that one process has refused comes to the next one late.
    if (isCall) return
    const stream = `${sender} ${pid}`
    if (number <= (this.#lastNumbers.get(stream) ?? -1)) this.#fail('mail is out of order')
    this.#lastNumbers.set(stream, number)
  }

  #fail (text: string): void {
    this.#problem ??= `${text} at ${this.world.now - 1_700_000_000_000}`
  }

  // Steps

  #step (): void {
    const { random } = this.world
    const awake = this.#nodes.filter((node) => node.isAwake)
    if (awake.length === 0) return
    const node = random.pick(awake)
    const key = random.pick(keys)
    const address = node.keyed.key(key)
    const sender = `${node.name} ${node.runtime.pids.incarnation}`
    const note: Note = { sender, number: ++this.#numbers }
    const dice = random.upTo(this.#isCalm && random.chance(0.95) ? 80 : 100)
    if (dice < 40) node.processes.send(address, 'note', note)
    else if (dice < 50) node.processes.send(address, 'slow', note)
    else if (dice < 65) this.#ask(node, node.keyed.get(key))
    else if (dice < 80) {
      this.#ask(node, node.processes.call(address, 'ask', note, { timeout: 20_000 }))
    } else if (dice < 88) node.processes.send(address, 'stop', note)
    else if (dice < 92) node.processes.send(address, 'crash', note)
    else if (dice < 95) node.processes.cancel(address)
    else if (dice < 97) node.processes.exit(address, 'killed')
    else this.#settles(node, node.keyed.stop(key))
  }

  #settles (node: KeyNode, promise: Promise<unknown>): void {
    node.waiting++
    const settled = (): void => { node.waiting-- }
    promise.then(settled, settled)
  }

  #ask (node: KeyNode, promise: Promise<unknown>): void {
    this.#settles(node, promise)
    promise.catch((err: { code?: string, message: string }) => {
      this.report.refused++
      const { code } = err
      // The process has ended meanwhile, or the body has failed.
      const isEnd = code === 'FST_PROCESS_NOT_ALIVE' || code === 'FST_PROCESS_CALL_FAILED' ||
        code === 'FST_PROCESS_REFUSED' || err.message === 'unloadable'
      const isClosing = code === 'FST_PROCESS_CLOSING'
      const isRecent = this.world.now - this.#faultAt < longestRefusal
      if (isRecent || isEnd || isClosing || node.machine.dead) return
      this.#fail(`a request is refused without a reason: ${err.message}`)
    })
  }

  // Faults

  disturbed (): void {
    this.#fault(0)
  }

  /** @param ms how long it lasts */
  #fault (ms: number): void {
    this.#faultAt = Math.max(this.#faultAt, this.world.now + ms)
  }

  #trouble (): void {
    const { world, engine } = this
    const { random } = world
    const node = random.pick(this.#nodes)
    const ms = random.chance(0.5) ? 200 + random.upTo(6000) : 1000 + random.upTo(25_000)
    switch (random.upTo(7)) {
      case 0:
        if (!engine.up) return
        this.#fault(ms + 2000)
        engine.stop(random.chance(0.2))
        world.schedule(ms, () => { engine.start() })
        return
      case 1: {
        // The lease of a node that is cut off for so long is broken.
        const time = random.chance(0.5) ? ms : 18_000 + random.upTo(12_000)
        this.#fault(time + 2000)
        node.transport.partitioned = true
        node.transport.cut()
        world.schedule(time, () => {
          node.transport.partitioned = false
          node.transport.reconnect()
        })
        return
      }
      case 2:
        this.#fault(ms)
        node.machine.frozenUntil = world.now + ms
        return
      case 3:
        this.#fault(2000)
        node.transport.cut()
        if (engine.up) node.transport.reconnect()
        return
      case 4:
        if (!node.isAwake) return
        this.#fault(5000)
        node.leave().then(
          () => { this.#restart(node) },
          (err: Error) => { this.#fail(err.message) }
        )
        return
      default: {
        if (!node.isOpen) return
        const back = random.upTo(20_000)
        this.#fault(back)
        node.crash()
        world.schedule(back, () => { this.#restart(node) })
      }
    }
  }

  #restart (old: KeyNode): void {
    const node = new KeyNode(this, old.name)
    this.#nodes = this.#nodes.map((one) => one === old ? node : one)
    node.start()
  }

  // The run

  readonly #check = (): void => {
    // Promises are settled by any task of a process system.
    this.world.settled = true
    if (this.#problem !== undefined) throw new Error(this.#problem)
  }

  async run (): Promise<KeyReport> {
    const { world } = this
    const { random } = world
    for (const name of ['a', 'b', 'c'].slice(0, 2 + random.upTo(2))) {
      const node = new KeyNode(this, name)
      this.#nodes.push(node)
      node.start()
    }
    await world.runUntil(world.now + 20_000, this.#check)
    const length = 20_000 + random.upTo(60_000)
    for (let at = 0; at < length; at += random.upTo(120)) world.schedule(at, () => { this.#step() })
    for (let at = random.upTo(9000); at < length; at += random.upTo(15_000)) {
      world.schedule(at, () => { this.#trouble() })
    }
    await world.runUntil(world.now + length, this.#check)
    await world.runUntil(world.now + 30_000, this.#check)
    for (const node of this.#nodes.filter(({ machine }) => machine.dead)) this.#restart(node)
    await world.runUntil(world.now + 35_000, this.#check)
    this.#isEnding = true
    await this.#askAll()
    await this.#endAll()
    return this.report
  }

  /** All faults are over: all nodes reach each key. The register may still be slow. */
  async #askAll (): Promise<void> {
    const { world } = this
    for (const key of keys) {
      for (const node of this.#nodes) {
        const found = { isReached: false, why: '' }
        for (let i = 0; i < 15 && !found.isReached; i++) {
          node.keyed.get(key).then(
            () => { found.isReached = true },
            (err: Error) => { found.why = err.message }
          )
          const end = world.now + 9000
          while (world.now < end && !found.isReached) {
            await world.runUntil(world.now + 300, this.#check)
          }
        }
        if (!found.isReached) this.#fail(`${node.name} does not reach '${key}': ${found.why}`)
        this.#check()
      }
    }
  }

  async #endAll (): Promise<void> {
    const { world } = this
    for (let i = 0; i < 3; i++) {
      for (const node of this.#nodes) {
        for (const key of node.keyed.list()) this.#settles(node, node.keyed.stop(key))
      }
      await world.runUntil(world.now + 6000, this.#check)
    }
    await world.runUntil(world.now + 20_000, this.#check)
    for (const { name, runtime, cluster, waiting } of this.#nodes) {
      if (waiting !== 0) this.#fail(`${waiting} requests of ${name} never settle`)
      const kept = { keys: runtime.kinds.size, names: (cluster.names as { size?: number }).size }
      if (kept.keys !== 0) this.#fail(`${name} keeps ${kept.keys} keys`)
      if (kept.names !== 0) this.#fail(`${name} keeps ${kept.names} names`)
    }
    this.#check()
  }
}
