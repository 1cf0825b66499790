// What nodes cost each other and their engine: `npm run bench:cluster`, or with `-- --redis`. CPU time
// and not messages a second, which a busy machine would spoil. All nodes are in this OS process, each
// with a connection of its own; the engine is another process (its share is read from /proc: Linux).
import { execFileSync } from 'node:child_process'
import { once, EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { startEngine } from '../../examples/cluster/engine.js'
import { nats } from '../../lib/cluster/transports/nats.js'
import { redis } from '../../lib/cluster/transports/redis.js'
import { createProcesses, type Process, type ProcessSystem } from '../../lib/process/index.js'

const text = 'x'.repeat(200)
const rounds = 3
const kind = process.argv.includes('--redis') ? 'redis' : 'nats'
const engine = await startEngine(kind)
const tick = 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) // microseconds

/** CPU time so far, user and system, in microseconds. */
function spent () {
  const { user, system } = process.cpuUsage()
  const fields = readFileSync(`/proc/${engine.pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return { nodes: user + system, engine: (Number(fields[11]) + Number(fields[12])) * tick }
}

interface Cost { units: number, nodes: number, engine: number }

/** The CPU time of a task, which says how many units of work it did. */
async function cost (task: () => Promise<number>): Promise<Cost> {
  const before = spent()
  const units = await task()
  const after = spent()
  return { units, nodes: (after.nodes - before.nodes) / units, engine: (after.engine - before.engine) / units }
}

/** The median of some rounds, after one that does not count. */
async function measure (what: string, task: () => Promise<number>) {
  await task()
  const costs: Cost[] = []
  for (let n = 0; n < rounds; n++) costs.push(await cost(task))
  const median = (of: 'nodes' | 'engine') => costs.map((cost) => cost[of]).sort((a, b) => a - b)[rounds >> 1].toFixed(2)
  console.log(`| ${what} | ${costs[0].units} | ${median('nodes')} | ${median('engine')} |`)
}

let clusters = 0

/** Nodes that all see each other. */
async function startNodes (count: number): Promise<ProcessSystem[]> {
  const prefix = `bench${++clusters}`
  const systems = Array.from({ length: count }, (_, n) => createProcesses({
    node: `n${n}`, cluster: kind === 'nats' ? nats({ servers: engine.url, prefix }) : redis({ url: engine.url, prefix })
  }))
  await Promise.all(systems.map((system) => system.ready()))
  while (systems.some(({ cluster }) => cluster!.stats().up < count - 1)) await sleep(50)
  return systems
}

const closeAll = (systems: ProcessSystem[]) => Promise.all(systems.map((system) => system.close()))

/** A process that counts, and says when it has so many. */
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

console.log(`${kind}, Node ${process.version}, ${cpus()[0].model}, ${cpus().length} cores; microseconds of CPU time a unit, median of ${rounds} rounds\n`)
console.log('| unit | units a round | nodes, sender and receivers | engine |\n| --- | --- | --- | --- |')

for (const count of [20, 60]) {
  const systems = await startNodes(count)
  await measure(`a heartbeat at one receiver, of ${count} nodes`, async () => {
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
  await measure('a message of 200 bytes to a process of another node', async () => {
    const done = full()
    for (let sent = 0; sent < total; await new Promise(setImmediate)) {
      // What the window does not take now it takes in a moment.
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
  await Promise.all(systems.map((system, n) => system.cluster!.groups.join('room', counters[n].pid as never)))
  await measure(`a broadcast of 200 bytes to a group with members on ${count} nodes`, async () => {
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
