// The load generator: one thread, only 127.0.0.1, with limits of time and count. The first argument
// is the measurement as a JSON object. It prints its result as JSON. It fails with the first
// connection that fails, and with the first wrong answer.
import { measureFlood, type FloodSpec } from './flood.js'
import { measurePlain, type PlainSpec } from './plain.js'
import { measureIdle, measureStorm, type IdleSpec, type StormSpec } from './storm.js'
import { measureRooms, type RoomsSpec } from './rooms.js'
import { measureStall, type StallSpec } from './stall.js'

/** All measurements of the generator. */
export type LoadSpec = RoomsSpec | StormSpec | IdleSpec | StallSpec | FloodSpec | PlainSpec

function measure (spec: LoadSpec): Promise<object> {
  switch (spec.kind) {
    case 'rooms': return measureRooms(spec)
    case 'storm': return measureStorm(spec)
    case 'idle': return measureIdle(spec)
    case 'stall': return measureStall(spec)
    case 'flood': return measureFlood(spec)
    case 'plain': return measurePlain(spec)
  }
}

console.log(JSON.stringify(await measure(JSON.parse(process.argv[2]) as LoadSpec)))
process.exit()
