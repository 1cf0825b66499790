// The load generator: one thread, only 127.0.0.1, bounded in time and count. The measurement is a
// JSON object in the first argument, and so is what it prints. Fails at the first connection that
// does, and at the first answer that is not what was sent.
import { measureFlood, type FloodSpec } from './flood.js'
import { measureIdle, measureStorm, type IdleSpec, type StormSpec } from './storm.js'
import { measureRooms, type RoomsSpec } from './rooms.js'
import { measureStall, type StallSpec } from './stall.js'

/** Everything the generator can be asked for. */
export type LoadSpec = RoomsSpec | StormSpec | IdleSpec | StallSpec | FloodSpec

function measure (spec: LoadSpec): Promise<object> {
  switch (spec.kind) {
    case 'rooms': return measureRooms(spec)
    case 'storm': return measureStorm(spec)
    case 'idle': return measureIdle(spec)
    case 'stall': return measureStall(spec)
    case 'flood': return measureFlood(spec)
  }
}

console.log(JSON.stringify(await measure(JSON.parse(process.argv[2]) as LoadSpec)))
process.exit()
