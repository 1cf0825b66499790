import { runInProcess } from './rig/generator.js'
import { ServerUnderTest } from './rig/server.js'
import { spread } from './rig/statistics.js'
import { reference, servers } from './scenarios.js'
import type { Measurement } from './compare.js'
import type { Timed } from './process/timing.js'

export const places = [10, 100, 1000, 10_000]

/** Microseconds for one message at each of {@link places}. */
export interface Growth { name: string, microseconds: number[] }

const growing = [reference, 'ours, serve']
const times = { kind: 'rooms', size: 200, depth: 1, warmup: 0.2 } as const

/**
 * The medians of some rounds. Each round measures every place, so that all have the same
 * conditions.
 */
async function measureServer (name: string, rounds: number, seconds: number): Promise<Growth[]> {
  const server = await ServerUnderTest.start(servers.find((kind) => kind.name === name)!)
  const echoes: number[][] = places.map(() => [])
  const deliveries: number[][] = places.map(() => [])
  try {
    for (let round = 0; round < rounds; round++) {
      for (const [i, connections] of places.entries()) {
        echoes[i].push(
          (await server.measure<Measurement>({ ...times, seconds, connections })).cpuPerUnit!
        )
        deliveries[i].push(
          (
            await server.measure<Measurement>({
              ...times,
              seconds,
              connections,
              rooms: 1,
              oneSpeaker: true
            })
          ).cpuPerUnit!
        )
      }
    }
  } finally {
    await server.stop()
  }
  const middles = (figures: number[][]): number[] => figures.map((round) => spread(round).median)
  return [
    { name: `${name}: echo, by connections`, microseconds: middles(echoes) },
    { name: `${name}: fan-out, by members`, microseconds: middles(deliveries) }
  ]
}

export async function measureGrowth (rounds: number, seconds: number): Promise<Growth[]> {
  const grown: Growth[] = []
  for (const name of growing) grown.push(...await measureServer(name, rounds, seconds))
  const timed = await runInProcess<Timed[]>('scheduler', {
    rounds,
    milliseconds: 100,
    counts: places
  })
  const microseconds = timed
    .filter(({ baseline }) => baseline !== undefined)
    .map(({ nanoseconds }) => spread(nanoseconds).median / 1000)
  return [...grown, { name: 'ours: a message, by runnable processes', microseconds }]
}
