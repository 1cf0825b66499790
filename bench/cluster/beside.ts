// Compares nodes with Socket.IO and its Redis adapter: messages from one node to another, and a
// room of 10 000 sockets on three nodes. The nodes are OS processes on one core; the engine and the
// load generator use the other core.
import { setTimeout as sleep } from 'node:timers/promises'
import { startEngine } from '../../examples/cluster/engine.js'
import { get, Window } from '../load/usage.js'
import { moveToCore } from '../rig/machine.js'
import { table } from '../rig/markdown.js'
import { ServerUnderTest, type ServerKind } from '../rig/server.js'
import { ratios, show, showSpread, spread } from '../rig/statistics.js'

/** Microseconds of CPU time per unit, of all nodes and of the engine. */
interface Cost { nodes: number, engine: number, perSecond: number, p50?: number, p99?: number }

interface Kind {
  name: string
  engine: 'nats' | 'redis'
  server: (url: string, node: string) => ServerKind
}

const reference = 'Socket.IO, Redis adapter'
const kinds: readonly Kind[] = [
  {
    name: reference,
    engine: 'redis',
    server: (url) => ({
      name: reference,
      file: 'socket.io-redis.mjs',
      argument: url,
      protocol: 'socket.io'
    })
  },
  ...(['redis', 'nats'] as const).map((engine): Kind => ({
    name: `ours, ${engine === 'nats' ? 'NATS' : 'Redis'}`,
    engine,
    server: (url, node) => ({
      name: `ours, ${node}`,
      file: 'node.js',
      argument: `${engine} ${url} ${node}`,
      protocol: 'ws'
    })
  }))
]

type Engine = Awaited<ReturnType<typeof startEngine>>

/** An engine, and nodes that are all connected with each other. */
class Cluster {
  readonly engine: Engine
  readonly nodes: readonly ServerUnderTest[]

  private constructor (engine: Engine, nodes: readonly ServerUnderTest[]) {
    this.engine = engine
    this.nodes = nodes
  }

  static async start (kind: Kind, count: number): Promise<Cluster> {
    const engine = await startEngine(kind.engine)
    moveToCore(1, engine.pid!)
    const nodes = await Promise.all(
      Array.from({ length: count }, (_, n) =>
        ServerUnderTest.start(kind.server(engine.url, `n${n}`))
      )
    )
    const isComplete = async ({ port }: ServerUnderTest): Promise<boolean> =>
      (await get<{ nodes: number }>(port, '/nodes')).nodes === count - 1
    while (!(await Promise.all(nodes.map(isComplete))).every(Boolean)) await sleep(50)
    return new Cluster(engine, nodes)
  }

  /** The OS processes whose CPU time counts, the engine last. */
  get pids (): number[] {
    return [...this.nodes.map(({ pid }) => pid), this.engine.pid!]
  }

  async stop (): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
    this.engine.stop()
  }
}

interface Measurement { units: number, each: number[], perSecond: number }

function costOf ({ units, each, perSecond }: Measurement): Cost {
  const engine = each.at(-1)!
  const nodes = each.reduce((sum, cpu) => sum + cpu) - engine
  return { nodes: nodes / units, engine: engine / units, perSecond }
}

/** Sends messages of 200 bytes from one node to another, as fast as they are accepted. */
async function send ({ nodes: [a, b], pids }: Cluster): Promise<Cost> {
  const count = 50_000
  const { pid = '' } = await get<{ pid?: string }>(b.port, '/counter')
  const window = new Window(pids, a.port)
  await window.begin()
  await get(a.port, `/send?to=${encodeURIComponent(pid)}&count=${count}&size=200`)
  return costOf(await window.end(() => count))
}

function broadcast (depth: number) {
  return async ({ nodes, pids }: Cluster): Promise<Cost> => {
    const measured = await nodes[0].measure<Measurement & { p50: number, p99: number }>({
      kind: 'rooms',
      ports: nodes.map(({ port }) => port),
      pids,
      connections: 9999,
      rooms: 1,
      oneSpeaker: true,
      size: 200,
      depth,
      warmup: 2,
      seconds: 4,
      settle: 1000
    })
    return { ...costOf(measured), p50: measured.p50, p99: measured.p99 }
  }
}

const scenarios = [
  { title: 'From one node to another: messages of 200 B', unit: 'message', nodes: 2, run: send },
  {
    title: 'A room of 9 999 sockets on three nodes, 200 B, one message in flight',
    unit: 'delivery',
    nodes: 3,
    run: broadcast(1)
  },
  {
    title: 'A room of 9 999 sockets on three nodes, 200 B, 16 messages in flight',
    unit: 'delivery',
    nodes: 3,
    run: broadcast(16)
  }
]

/** Prints a table for each scenario. */
export async function compareClusters (rounds: number): Promise<void> {
  for (const { title, unit, nodes, run } of scenarios) {
    const costs: Cost[][] = kinds.map(() => [])
    const clusters: Cluster[] = []
    for (const kind of kinds) clusters.push(await Cluster.start(kind, nodes))
    // The first round is a warm-up.
    for (let round = 0; round <= rounds; round++) {
      for (const [n, cluster] of clusters.entries()) {
        const cost = await run(cluster)
        if (round > 0) costs[n].push(cost)
      }
    }
    await Promise.all(clusters.map((cluster) => cluster.stop()))

    const perCpuSecond = costs.map((of) => of.map(({ nodes, engine }) => 1e6 / (nodes + engine)))
    const milliseconds = (figures: Array<number | undefined>): string =>
      figures[0] === undefined ? '' : show(spread(figures as number[]).median / 1000)
    console.log(`### ${title}\n`)
    console.log(
      table(
        [
          '',
          `nodes' CPU, µs a ${unit}`,
          `engine's CPU, µs a ${unit}`,
          `${unit === 'delivery' ? 'deliveries' : 'messages'} per CPU second, of nodes and engine`,
          'to Socket.IO',
          'p50, ms',
          'p99, ms'
        ],
        kinds.map(({ name }, n) => [
          name,
          showSpread(spread(costs[n].map(({ nodes }) => nodes))),
          show(spread(costs[n].map(({ engine }) => engine)).median),
          show(spread(perCpuSecond[n]).median),
          showSpread(ratios(perCpuSecond[n], perCpuSecond[0])!),
          milliseconds(costs[n].map(({ p50 }) => p50)),
          milliseconds(costs[n].map(({ p99 }) => p99))
        ])
      )
    )
    console.log()
  }
}
