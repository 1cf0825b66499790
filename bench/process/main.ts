// Runs one bench of this folder in its own process, so that no other one affects its compiled code:
//   node bench/dist/bench/process/main.js hop '{"rounds":3,"milliseconds":150}'
import { frames } from './frames.js'
import { hop } from './hop.js'
import { groups, names } from './registries.js'
import { relations } from './relations.js'
import { scheduler } from './scheduler.js'
import { sleeping } from './sleeping.js'
import { spawn } from './spawn.js'

const benches: Record<string, (options: never) => Promise<unknown>> = {
  hop, scheduler, frames, relations, names, groups, spawn, sleeping
}

console.log(JSON.stringify(await benches[process.argv[2]](JSON.parse(process.argv[3]) as never)))
process.exit()
