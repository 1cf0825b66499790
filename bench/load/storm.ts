import { Crowd, gather, type CrowdSpec } from './crowd.js'
import { Histogram } from './histogram.js'
import { get, Window } from './usage.js'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from './client.js'
import type { Usage } from '../servers/usage.js'

export interface StormSpec extends CrowdSpec { kind: 'storm', pid: number, connections: number }
export interface IdleSpec extends CrowdSpec { kind: 'idle', connections: number }

const unfinished = 128

/** Measures the server CPU from the first byte of a connection to its first answer. */
export async function measureStorm (spec: StormSpec) {
  const { connections } = spec
  const started: number[] = []
  const latencies = new Histogram()
  const index = new Map<Client, number>()
  let done = 0
  let finish!: () => void
  const all = new Promise<void>((resolve) => { finish = resolve })
  const add = (): void => {
    started.push(performance.now())
    crowd.add()
    index.set(crowd.clients.at(-1)!, started.length - 1)
  }
  const crowd = new Crowd(spec, (client) => {
    latencies.add((performance.now() - started[index.get(client)!]) * 1000)
    if (++done === connections) finish()
    else if (started.length < connections) add()
  }, (client) => { client.send(crowd.burst(1)) })
  const window = new Window([spec.pid], spec.port)
  await window.begin()
  while (started.length < Math.min(connections, unfinished)) add()
  await crowd.until(all, 60_000, 'the storm')
  const result = await window.end(() => connections)
  const [p50, p99] = [0.5, 0.99].map((share) => latencies.percentile(share))
  await crowd.close()
  return { ...result, p50, p99 }
}

/** Opens connections, and resolves when each has received one answer. */
async function touched (spec: CrowdSpec, connections: number): Promise<Crowd> {
  let done = 0
  let finish!: () => void
  const all = new Promise<void>((resolve) => { finish = resolve })
  const crowd = await gather(spec, connections, () => {
    if (++done === connections) finish()
  })
  for (const client of crowd.clients) client.send(crowd.burst(1))
  await crowd.until(all, 30_000, 'the first messages')
  for (const client of crowd.clients) client.acknowledge()
  return crowd
}

/** Measures the KiB of an open connection after a garbage collection. */
export async function measureIdle (spec: IdleSpec) {
  const { port, connections } = spec
  // Warms up code, pools and objects that are made once.
  await (await touched(spec, Math.min(500, connections))).close()
  await sleep(1000)
  const before = await get<Usage>(port, '/usage?gc')
  const crowd = await touched(spec, connections)
  await sleep(1000)
  const after = await get<Usage>(port, '/usage?gc')
  await crowd.close()
  const perConnection = (bytes: keyof Usage): number =>
    (after[bytes] - before[bytes]) / connections / 1024
  return { rss: perConnection('rss'), heap: perConnection('heapUsed') }
}
