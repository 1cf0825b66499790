import t from 'tap'
import { simulate } from './seeds.js'
import { Simulation } from './simulation.js'

simulate(t, 'keeps all guarantees while nodes and the engine fail', {
  share: 1,
  seeds: 1000,
  total: { messages: 0, torn: 0, exits: 0, calls: 0, claims: 0, takeOvers: 0 },
  run: (seed) => new Simulation(seed).run(),
  hasTested: ({ messages }) => messages > 0
})
