import { register } from 'node:module'
import { KeySimulation } from '../simulation/key-simulation.js'
import { Simulation } from '../simulation/simulation.js'
import { VisitSimulation } from '../simulation/visit-simulation.js'
import { mutants } from './list.js'

type Simulated = new (seed: number) => { run (): Promise<unknown> }

const simulations: Readonly<Record<'nodes' | 'keys' | 'visits', {
  readonly file: string, readonly name: string, readonly Right: Simulated
}>> = {
  nodes: { file: 'simulation', name: 'Simulation', Right: Simulation },
  keys: { file: 'key-simulation', name: 'KeySimulation', Right: KeySimulation },
  visits: { file: 'visit-simulation', name: 'VisitSimulation', Right: VisitSimulation }
}

// Runs the simulation on each mutant until it is caught; a line of JSON for each.
const seeds = Number(process.argv[2])
const only = process.argv[3]

register(new URL('hooks.mjs', import.meta.url), { data: mutants })

for (const [i, { name, from = 1, of = 'nodes' }] of mutants.entries()) {
  if (only !== undefined && !name.includes(only)) continue
  const { file, name: className, Right } = simulations[of]
  const mutated = await import(`../simulation/${file}.js?mutant=${i}`) as Record<string, Simulated>
  const Wrong = mutated[className]
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
