import { openConnections, openProcesses } from './entities.js'
import { openEnds } from './ends.js'
import { openGroups } from './groups.js'
import { openNodes } from './nodes.js'
import { openOverview } from './overview.js'
import { openProcess } from './process.js'
import { openSupervisors } from './supervisors.js'
import { openTrace } from './trace.js'
import type { Watch } from '../requests.js'
import type { OpenView, ViewHost, Views } from './view.js'

const views: Views = {
  overview: openOverview,
  connections: openConnections,
  processes: openProcesses,
  process: openProcess,
  supervisors: openSupervisors,
  groups: openGroups,
  nodes: openNodes,
  ends: openEnds,
  trace: openTrace
}

/**
 * Opens a view of this node.
 * @throws `FST_PROCESS_NOT_ALIVE`, `FST_PROCESS_INVALID_PID`
 */
export function openView (host: ViewHost, watch: Watch): OpenView {
  return views[watch.view](host, watch)
}
