import { setTimeout as sleep } from 'node:timers/promises'
import { gather, type CrowdSpec } from './crowd.js'
import { get } from './usage.js'

export interface StallSpec extends CrowdSpec { kind: 'stall', connections: number, seconds: number }

interface Report { stall: number, heartbeats: number }

/** Measures the longest stall of the server's event loop in milliseconds, while it sends pings. */
export async function measureStall (spec: StallSpec) {
  const { port, connections, seconds } = spec
  let pings = 0
  const crowd = await gather(spec, connections, () => {}, () => { pings++ })
  // A long task makes all timers due at once, like a burst of work in an application.
  await get(port, '/block')
  await crowd.until(sleep(1000), 10_000, 'the settling')
  await get(port, '/reset')
  pings = 0
  await crowd.until(sleep(seconds * 1000), 60_000, 'the measurement')
  const counted = pings
  const { stall, heartbeats } = await get<Report>(port, '/report')
  await crowd.close()
  return { stall, heartbeats, pings: counted }
}
