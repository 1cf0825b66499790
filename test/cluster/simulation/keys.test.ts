// Processes with keys on many nodes.
import t from 'tap'
import { KeySimulation } from './key-simulation.js'
import { simulate } from './seeds.js'

simulate(t, 'lets at most one instance of a key take mail', {
  share: 50,
  seeds: 250,
  total: { taken: 0, started: 0, places: 0, refused: 0 },
  run: (seed) => new KeySimulation(seed).run(),
  hasTested: ({ taken, places }) => taken > 0 && places > 0
})
