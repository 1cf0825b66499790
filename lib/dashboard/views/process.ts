import { supervisorOf } from '../../process/supervisor/tree.js'
import { explainAcrossNodes } from '../../process/explain/across-nodes.js'
import { connectionFields } from './entities.js'
import { cut, refer, summaryOf } from './rows.js'
import type { ConnectionDescription, Entity } from '../../process/entity.js'
import type { Runtime } from '../../process/runtime.js'
import type { EndDetails, PathStep, ProcessDetails } from '../frames.js'
import type { Watch } from '../requests.js'
import type { OpenView, ViewHost } from './view.js'

/** Entries of one list. */
const maxEntries = 100
/** Supervisors above one process. */
const maxPath = 20

/** @throws `FST_PROCESS_INVALID_PID` (in `next`) for what can be neither a PID nor a name */
export function openProcess ({ runtime }: ViewHost, { pid: to }: Watch): OpenView {
  return {
    async next () {
      const entity = runtime.processTable.findEntity(to)
      if (entity !== undefined) return { pid: to, info: detailsOf(runtime, entity) }
      const explanation = await explanationOf(runtime, to)
      return { pid: to, ...explanation && { explanation } }
    }
  }
}

function detailsOf (runtime: Runtime, entity: Entity): ProcessDetails {
  const { pid, kind } = entity
  const description = entity.describe()
  const { label, status, mailbox, uptime, monitors } = description
  const names = runtime.nameTable.namesOf(pid)
  const groups = runtime.groupTable.groupsOf(pid)
  const links = [...runtime.relations.linksOf(pid)]
  const first = <T>(list: readonly T[]): T[] => list.slice(0, maxEntries)
  const rest = (list: readonly unknown[]): number => Math.max(0, list.length - maxEntries)
  return {
    pid,
    kind,
    label: cut(label),
    status,
    mailbox,
    uptime,
    names: first(names).map(cut),
    groups: first(groups).map(cut),
    links: first(links).map((link) => refer(runtime, link)),
    monitors: first(monitors).map((monitor) => refer(runtime, monitor)),
    more: {
      names: rest(names), groups: rest(groups), links: rest(links), monitors: rest(monitors)
    },
    path: pathTo(runtime, entity),
    ...kind === 'ws' && {
      connection: connectionFields(runtime, description as ConnectionDescription)
    }
  }
}

function pathTo (runtime: Runtime, { pid }: Entity): PathStep[] {
  const path: PathStep[] = []
  let above = supervisorOf(runtime.relations, pid)
  while (above !== undefined && path.length < maxPath) {
    const { supervisor, plan: { id }, restarts } = above
    path.unshift({ ...refer(runtime, supervisor), child: cut(id), restarts })
    above = supervisorOf(runtime.relations, supervisor)
  }
  return path
}

async function explanationOf (runtime: Runtime, to: string): Promise<EndDetails | undefined> {
  const explanation = await explainAcrossNodes(runtime, to)
  if (explanation === undefined || explanation.state === 'alive') return undefined
  const { state, text, chain, together, restartedAs } = explanation
  return {
    state,
    text,
    chain: chain.map(summaryOf),
    together,
    ...restartedAs !== undefined && { restartedAs }
  }
}
