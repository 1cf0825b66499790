// Measures the CPU time that nodes and their engine need per unit of work. Messages per second
// would depend on the load of the machine. All nodes are in this OS process, each with its own
// connection; the engine is another OS process.
import { once, EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { startEngine } from '../../examples/cluster/engine.js'
import { nats } from '../../lib/cluster/engines/nats.js'
import { redis } from '../../lib/cluster/engines/redis.js'
import { createProcesses, type Process, type ProcessSystem } from '../../lib/process/index.js'
import { Window } from '../load/usage.js'
import { table } from '../rig/markdown.js'
import { showSpread, spread } from '../rig/statistics.js'

const text = 'x'.repeat(200)

/** Microseconds of CPU time per unit. */
interface Cost { nodes: number, engine: number }

const closeAll = (systems: ProcessSystem[]) => Promise.all(systems.map((system) => system.close()))

/** Starts a process that counts messages and emits an event after `limit` of them. */
function counter (processes: ProcessSystem, limit: number) {
  const news = new EventEmitter()
  let count = 0
  const pid = processes.spawn(async (self: Process<{ x: string }>) => {
    await self.serve({
      x: () => {
        if (++count < limit) return
        count = 0
        news.emit('full')
      }
    })
  }, { mailboxLimit: 1_000_000 })
  return { pid: pid as string, full: () => once(news, 'full') }
}

/** Prints a table. */
export async function measureCosts (kind: 'nats' | 'redis', rounds: number): Promise<void> {
  const engine = await startEngine(kind)
  const rows: string[][] = []
  let clusters = 0

  /** Starts nodes that are all connected with each other. */
  async function startNodes (count: number): Promise<ProcessSystem[]> {
    const prefix = `bench${++clusters}`
    const systems = Array.from({ length: count }, (_, n) =>
      createProcesses({
        node: `n${n}`,
        cluster:
          kind === 'nats'
            ? nats({ servers: engine.url, prefix })
            : redis({ url: engine.url, prefix })
      })
    )
    await Promise.all(systems.map((system) => system.ready()))
    while (systems.some(({ cluster }) => cluster!.stats().up < count - 1)) await sleep(50)
    return systems
  }

  /** Measures the CPU time of a task that returns the number of its units of work. */
  async function cost (task: () => Promise<number>): Promise<Cost> {
    const window = new Window([process.pid, engine.pid!], 0)
    await window.begin()
    const count = await task()
    const { units, each: [nodes, ofEngine] } = await window.end(() => count)
    return { nodes: nodes / units, engine: ofEngine / units }
  }

  /** Runs a task in several rounds, after one warm-up round. */
  async function measure (what: string, task: () => Promise<number>): Promise<void> {
    await task()
    const costs: Cost[] = []
    for (let n = 0; n < rounds; n++) costs.push(await cost(task))
    rows.push([
      what,
      ...(['nodes', 'engine'] as const).map((of) =>
        showSpread(spread(costs.map((cost) => cost[of])))
      )
    ])
  }

  for (const count of [20, 60]) {
    const systems = await startNodes(count)
    await measure(`a heartbeat at one receiver, ${count} nodes`, async () => {
      const seen = () => systems.reduce((sum, { cluster }) => sum + cluster!.stats().batchesIn, 0)
      const before = seen()
      await sleep(5000)
      return seen() - before
    })
    await closeAll(systems)
  }

  {
    const [a, b] = await startNodes(2)
    const total = 100_000
    const { pid, full } = counter(b, total)
    await measure('a message of 200 bytes to another node, of many', async () => {
      const done = full()
      for (let sent = 0; sent < total; await new Promise(setImmediate)) {
        // A full window accepts more in the next turn.
        for (let n = 0; n < 1000 && sent < total && a.send(pid, 'x', text); n++) sent++
      }
      await done
      return total
    })
    await closeAll([a, b])
  }

  for (const count of [3, 10]) {
    const systems = await startNodes(count)
    const total = 20_000
    const counters = systems.map((system) => counter(system, total))
    await Promise.all(
      systems.map((system, n) => system.cluster!.groups.join('room', counters[n].pid as never))
    )
    await measure(`a broadcast of 200 bytes, members on ${count} nodes`, async () => {
      const done = Promise.all(counters.map(({ full }) => full()))
      const groups = systems[0].cluster!.groups
      for (let sent = 0; sent < total; await new Promise(setImmediate)) {
        for (let n = 0; n < 50 && sent < total && groups.broadcast('room', 'x', text); n++) sent++
      }
      await done
      return total
    })
    await closeAll(systems)
  }

  engine.stop()
  console.log(`### ${kind === 'nats' ? 'NATS' : 'Redis'}\n`)
  console.log(table(['unit', 'nodes, sender and receivers: µs of CPU', 'engine'], rows))
  console.log()
}
