// A process of the bench: the server, the cutter or the clients. The bench tells it by messages
// what to do, and it answers with `Answer`.
import { JitterCutter, type Cuts, type CutterOptions } from './cutter.js'
import { ours } from './ours.js'
import type { Side } from './sides.js'
import { socketIo } from './socket-io.js'
import { Tally, type Report } from './tally.js'
import { run, type Pace } from './traffic.js'

export type Part =
  | { part: 'server', side: SideName, pace: Pace }
  | { part: 'cutter', options: CutterOptions }
  | { part: 'clients', side: SideName, pace: Pace, port: number }

export type SideName = 'ours' | 'socket.io'
/** `begin`: the traffic or the cuts; `warn`, `end`: of the cutter; `report`: the result. */
export type Order = 'begin' | 'warn' | 'end' | 'report'

export type Answer =
  | { ready: number }
  /** All messages of this direction have come. */
  | { complete: true }
  | { report: Report, resets: number }
  | { cuts: Cuts }

const sides: Record<SideName, Side> = { ours, 'socket.io': socketIo }
const say = (answer: Answer): void => { process.send!(answer) }
const orders = (handlers: Partial<Record<Order, () => void>>): void => {
  process.on('message', (order: Order) => { handlers[order]!() })
}

/** Counts the messages of one direction, and says once that all have come. */
function count ({ clients, count }: Pace) {
  const tally = new Tally(clients, count)
  let isSaid = false
  const note = (id: number, text: string): void => {
    tally.note(id, Number(text))
    if (isSaid || !tally.isComplete) return
    isSaid = true
    say({ complete: true })
  }
  return { tally, note }
}

async function beServer (side: Side, pace: Pace): Promise<void> {
  const { tally, note } = count(pace)
  const server = await side.serve(note)
  orders({
    begin: () => { run(pace, (id, n) => { server.send(id, String(n)) }) },
    report: () => { say({ report: tally.report, resets: 0 }) }
  })
  say({ ready: server.port })
}

async function beCutter (options: CutterOptions): Promise<void> {
  const cutter = await JitterCutter.start(options)
  orders({
    begin: () => { cutter.begin() },
    warn: () => { cutter.warn() },
    end: () => { cutter.end() },
    report: () => { say({ cuts: cutter.cuts }) }
  })
  say({ ready: cutter.port })
}

function beClients (side: Side, pace: Pace, port: number): void {
  const { tally, note } = count(pace)
  const open = new Set<number>()
  let resets = 0
  const clients = Array.from({ length: pace.clients }, (_, id) => side.connect(port, id, {
    opened () {
      if (open.size < pace.clients && open.add(id).size === pace.clients) say({ ready: port })
    },
    received: (text) => { note(id, text) },
    reset: () => { resets++ }
  }))
  orders({
    begin: () => { run(pace, (id, n) => { clients[id].send(String(n)) }) },
    report: () => { say({ report: tally.report, resets }) }
  })
}

const task = JSON.parse(process.argv[2]) as Part
process.on('disconnect', () => { process.exit() })
if (task.part === 'server') await beServer(sides[task.side], task.pace)
else if (task.part === 'cutter') await beCutter(task.options)
else beClients(sides[task.side], task.pace, task.port)
