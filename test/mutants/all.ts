import { clientMutants } from './client.js'
import { clusterMutants } from './cluster.js'
import { drainMutants } from './drain.js'
import { parkMutants } from './park.js'
import { keyMutants } from './keys.js'
import { explainMutants } from './explain.js'
import { nativeMutants } from './native.js'
import { limitMutants } from './limits.js'
import { processMutants } from './process.js'
import { protocolMutants } from './protocol.js'
import { relayMutants } from './relay.js'
import { resumeMutants } from './resume.js'
import { warningMutants } from './warnings.js'
import type { Mutant } from './mutant.js'

export const mutants: readonly Mutant[] = [
  ...processMutants, ...keyMutants, ...relayMutants, ...resumeMutants, ...parkMutants,
  ...drainMutants, ...protocolMutants, ...limitMutants,
  ...clusterMutants, ...clientMutants,
  ...explainMutants, ...warningMutants, ...nativeMutants
]
