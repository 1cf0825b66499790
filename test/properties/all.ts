import { calls } from './calls.js'
import { connections } from './connections.js'
import { fanOut } from './fan-out.js'
import { names } from './names.js'
import { relations } from './relations.js'
import { supervisors } from './supervisors.js'
import { wire } from './wire.js'
import type { Suite } from './suite.js'

export const suites: readonly Suite[] = [
  relations,
  calls,
  supervisors,
  connections,
  wire,
  names,
  fanOut
]
