// `npm run bench:jitter`: how many messages arrive when clients are cut off again and again. Ours
// beside Socket.IO with connection state recovery, one after the other, in at most 5 minutes.
// Server, cutter and clients are processes of their own.
import { fork, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { compiledFolder, describeMachine, peersFolder } from '../rig/machine.js'
import { table } from '../rig/markdown.js'
import { installPeers } from '../rig/peers.js'
import type { Cuts } from './cutter.js'
import type { Answer, Order, Part, SideName } from './part.js'
import type { Report } from './tally.js'
import type { Pace } from './traffic.js'

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '1000' },
    messages: { type: 'string', default: '120' },
    seconds: { type: 'string', default: '80' },
    only: { type: 'string', default: 'ours,socket.io' }
  }
})
const pace: Pace = {
  clients: Number(values.clients),
  count: Number(values.messages),
  duration: Number(values.seconds) * 1000
}
/** Three failed handshakes wait up to 20.5 s, and a silent cut is found out after up to 45 s. */
const tail = 45_000
/** The last milliseconds of the traffic are without silent cuts, so that the tail is enough. */
const warned = Math.min(10_000, pace.duration / 2)
/** Time for a message that comes a second time. */
const grace = 1000
const connectTimeout = 15_000

interface Outcome { up: Report, down: Report, resets: number, cuts: Cuts, seconds: number }

const children = new Set<ChildProcess>()
process.on('exit', () => { for (const child of children) child.kill('SIGKILL') })
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

/** A process of the bench. */
class Worker {
  readonly #child: ChildProcess

  constructor (task: Part) {
    this.#child = fork(join(compiledFolder, 'jitter/part.js'), [JSON.stringify(task)])
    children.add(this.#child)
    this.#child.once('exit', (code) => {
      if (children.delete(this.#child)) throw new Error(`${task.part} ended with ${code}`)
    })
  }

  /** The answer that has this field. */
  async answer<A extends Answer> (field: string): Promise<A> {
    return await new Promise((resolve) => {
      const listener = (answer: Answer): void => {
        if (!(field in answer)) return
        this.#child.off('message', listener)
        resolve(answer as A)
      }
      this.#child.on('message', listener)
    })
  }

  order (order: Order): void {
    this.#child.send(order)
  }

  async report<A extends Answer> (field: string): Promise<A> {
    const answer = this.answer<A>(field)
    this.order('report')
    return await answer
  }

  stop (): void {
    children.delete(this.#child)
    this.#child.kill('SIGKILL')
  }
}

type Ready = { ready: number }
type Counted = { report: Report, resets: number }

async function measure (side: SideName): Promise<Outcome> {
  const begin = performance.now()
  const server = new Worker({ part: 'server', side, pace })
  const { ready: target } = await server.answer<Ready>('ready')
  const cutter = new Worker({
    part: 'cutter',
    options: { clients: pace.clients, target, pause: [10_000, 20_000], outage: [200, 5000] }
  })
  const { ready: port } = await cutter.answer<Ready>('ready')
  const clients = new Worker({ part: 'clients', side, pace, port })
  const workers = [server, cutter, clients]
  try {
    await Promise.race([
      clients.answer('ready'),
      sleep(connectTimeout, undefined, { ref: false }).then(() => {
        throw new Error(`${side}: not all clients could connect in ${connectTimeout / 1000} s`)
      })
    ])
    const complete = Promise.all([server.answer('complete'), clients.answer('complete')])
    for (const worker of workers) worker.order('begin')
    await sleep(pace.duration - warned)
    cutter.order('warn')
    await sleep(warned)
    cutter.order('end')
    await Promise.race([complete, sleep(tail)])
    await sleep(grace)
    const [up, down, { cuts }] = await Promise.all([
      server.report<Counted>('report'),
      clients.report<Counted>('report'),
      cutter.report<{ cuts: Cuts }>('cuts')
    ])
    const seconds = Math.round((performance.now() - begin) / 1000)
    return { up: up.report, down: down.report, resets: down.resets, cuts, seconds }
  } finally {
    for (const worker of workers) worker.stop()
  }
}

const names: Record<SideName, string> = {
  ours: 'ours', 'socket.io': 'Socket.IO with connection state recovery'
}
const directions = { up: 'to the server', down: 'to the clients' }

/** Rounded down, so that 100.00 means all. */
function percent ({ delivered, expected }: Report): string {
  return (Math.floor(delivered / expected * 10_000) / 100).toFixed(2)
}

function rowsOf (side: SideName, outcome: Outcome): string[][] {
  return (['up', 'down'] as const).map((direction) => {
    const { [direction]: report } = outcome
    return [
      `${names[side]}, ${directions[direction]}`, percent(report),
      String(report.expected - report.delivered), String(report.doubled), String(report.disordered)
    ]
  })
}

installPeers()
const { cpu, cores, memory, system, node, load, versions } = describeMachine()
const client = JSON.parse(readFileSync(
  join(peersFolder, 'node_modules/socket.io-client/package.json'), 'utf8'
)) as { version: string }
console.log(
  `${cpu}, ${cores} cores, ${memory}, ${system}, Node ${node}; load when it began: ` +
    `${load.toFixed(2)}.\nfastify-ws-relay ${versions['fastify-ws-relay']}, ` +
    `socket.io ${versions['socket.io']}, socket.io-client ${client.version}, ws ${versions.ws}.\n` +
    `${pace.clients} clients, ${pace.count} messages each way in ${values.seconds} s.\n`
)
const rows: string[][] = []
let isWhole = true
for (const side of Object.keys(names) as SideName[]) {
  if (!values.only.split(',').includes(side)) continue
  const outcome = await measure(side)
  rows.push(...rowsOf(side, outcome))
  const { cuts, resets, seconds, up, down } = outcome
  console.log(
    `${names[side]}: ${cuts.reset} cuts with an RST to both sides, ${cuts['half-open']} ` +
      `half-open at the server, ${cuts.silent} at both sides; ${resets} sessions lost; ` +
      `${seconds} s.`
  )
  if (side === 'ours') {
    isWhole = [up, down].every(({ expected, delivered, doubled, disordered }) =>
      delivered === expected && doubled + disordered === 0)
  }
}
console.log(`\n${table(['', 'delivered, %', 'lost', 'doubled', 'out of order'], rows)}`)
if (!isWhole) {
  console.error('Ours has lost, doubled or reordered messages')
  process.exitCode = 1
}
