import { setTimeout as sleep } from 'node:timers/promises'
import { gather, type CrowdSpec } from './crowd.js'
import { get } from './usage.js'

export interface StallSpec extends CrowdSpec { kind: 'stall', connections: number, seconds: number }

interface Report { stall: number, heartbeats: number }

/** The longest time for which the server's event loop stood still, in milliseconds, while it pinged. */
export async function measureStall (spec: StallSpec) {
  const { port, connections, seconds } = spec
  let pings = 0
  const crowd = await gather(spec, connections, () => {}, () => { pings++ })
  // A long turn makes everything due at once, as a burst of work in an application does.
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
