import { measureFresh, type ServerKind } from './rig/server.js'

/** The longest stall of the event loop in milliseconds, and the work done meanwhile. */
export interface Stall { stall: number, heartbeats: number, pings: number }

/** The measurements of both in each round. */
export interface Stalls { connections: number, seconds: number, ours: Stall[], intervals: Stall[] }

interface Latency { p50: number, p99: number }

/** Latency of HTTP in microseconds, during a flood and with an idle process. */
export interface Flood { messages: number, milliseconds: number, idle: Latency, flooded: Latency }

const heartbeats: ServerKind = { name: 'ours', file: 'heartbeats.js', protocol: 'ws' }
const intervals: ServerKind = {
  name: 'one setInterval per connection',
  file: 'intervals.mjs',
  protocol: 'ws'
}
const flood: ServerKind = { name: 'ours', file: 'flood.js', protocol: 'ws' }

export async function measureStalls (connections: number, rounds: number): Promise<Stalls> {
  const seconds = 2
  const spec = { kind: 'stall', connections, seconds, size: 20 } as const
  const stalls: Stalls = { connections, seconds, ours: [], intervals: [] }
  for (let round = 0; round < rounds; round++) {
    stalls.ours.push(await measureFresh<Stall>(heartbeats, spec))
    stalls.intervals.push(await measureFresh<Stall>(intervals, spec))
  }
  return stalls
}

export async function measureFloods (rounds: number): Promise<Flood[]> {
  const floods: Flood[] = []
  for (let round = 0; round < rounds; round++) {
    floods.push(
      await measureFresh<Flood>(flood, {
        kind: 'flood',
        messages: 1_000_000,
        clients: 10,
        seconds: 1
      })
    )
  }
  return floods
}
