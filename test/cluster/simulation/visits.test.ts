// Clients of processes with keys on many nodes.
import t from 'tap'
import { simulate } from './seeds.js'
import { VisitSimulation } from './visit-simulation.js'

simulate(t, 'hands each message of a client to the process that joins it', {
  share: 50,
  seeds: 250,
  total: { guests: 0, taken: 0, ends: 0, rejoins: 0 },
  run: (seed) => new VisitSimulation(seed).run(),
  hasTested: ({ taken, rejoins }) => taken > 0 && rejoins > 0
})
