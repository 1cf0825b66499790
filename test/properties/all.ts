import { clientSessions } from './client/sessions.js'
import { batches } from './connections/batches.js'
import { calls } from './processes/calls.js'
import { connections } from './connections/connections.js'
import { drains } from './drain/drains.js'
import { explain } from './explain/explain.js'
import { fanOut } from './cluster/fan-out.js'
import { keys } from './processes/keys.js'
import { limited } from './limits/limits.js'
import { names } from './cluster/names.js'
import { park } from './park/park.js'
import { protocol } from './protocol/protocol.js'
import { resume } from './resume/resume.js'
import { relations } from './processes/relations.js'
import { supervisors } from './processes/supervisors.js'
import { visits } from './visits/visits.js'
import { wire } from './connections/wire.js'
import { warnings } from './shared/warnings.js'
import type { Suite } from './suite.js'

export const suites: readonly Suite[] = [
  relations,
  calls,
  supervisors,
  explain,
  keys,
  connections,
  resume,
  park,
  visits,
  protocol,
  limited,
  drains,
  wire,
  batches,
  names,
  fanOut,
  clientSessions,
  warnings
]
