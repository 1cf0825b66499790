import { register } from 'node:module'
import { KeySimulation } from '../simulation/key-simulation.js'
import { Simulation } from '../simulation/simulation.js'
import { mutants } from './list.js'

// Runs the simulation on each mutant until it is caught; a line of JSON for each.
const seeds = Number(process.argv[2])
const only = process.argv[3]

register(new URL('hooks.mjs', import.meta.url), { data: mutants })

for (const [i, { name, from = 1, isOfKeys }] of mutants.entries()) {
  if (only !== undefined && !name.includes(only)) continue
  const Right = isOfKeys ? KeySimulation : Simulation
  const Wrong = isOfKeys
    ? ((await import(`../simulation/key-simulation.js?mutant=${i}`)) as {
        KeySimulation: typeof KeySimulation
      }).KeySimulation
    : ((await import(`../simulation/simulation.js?mutant=${i}`)) as {
        Simulation: typeof Simulation
      }).Simulation
  let caught: string | undefined
  let seed = from - 1
  while (caught === undefined && seed < from + seeds) {
    seed++
    try {
      await new Wrong(seed).run()
    } catch (err) {
      caught = (err as Error).message
      // It is the mutant that was caught: the right core passes.
      await new Right(seed).run()
    }
  }
  process.stdout.write(`${JSON.stringify({ name, seed, seeds: seed - from + 1, caught })}\n`)
}
