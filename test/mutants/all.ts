import { clientMutants } from './client.js'
import { clusterMutants } from './cluster.js'
import { processMutants } from './process.js'
import { relayMutants } from './relay.js'
import type { Mutant } from './mutant.js'

export const mutants: readonly Mutant[] = [
  ...processMutants, ...relayMutants, ...clusterMutants, ...clientMutants
]
