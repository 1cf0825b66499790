import { register } from 'node:module'
import { Simulation as Right } from '../simulation/simulation.js'
import { mutants } from './list.js'

// Runs the simulation on each mutant until it is caught; a line of JSON for each.
const seeds = Number(process.argv[2])
const only = process.argv[3]

register(new URL('hooks.mjs', import.meta.url), { data: mutants })

for (const [i, { name, from = 1 }] of mutants.entries()) {
  if (only !== undefined && !name.includes(only)) continue
  const { Simulation } = (await import(
    `../simulation/simulation.js?mutant=${i}`
  )) as typeof import('../simulation/simulation.js')
  let caught: string | undefined
  let seed = from - 1
  while (caught === undefined && seed < from + seeds) {
    seed++
    try {
      await new Simulation(seed).run()
    } catch (err) {
      caught = (err as Error).message
      // It is the mutant that was caught: the right core passes.
      await new Right(seed).run()
    }
  }
  process.stdout.write(`${JSON.stringify({ name, seed, seeds: seed - from + 1, caught })}\n`)
}
