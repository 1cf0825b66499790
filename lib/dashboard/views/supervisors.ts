import { contains, cut, fit } from './rows.js'
import type { SupervisedChild } from '../../process/supervisor/child.js'
import type { RunningSupervisor } from '../../process/supervisor/tree.js'
import type { Runtime } from '../../process/runtime.js'
import type { Pid } from '../../../types/pid.js'
import type { SupervisionRow } from '../frames.js'
import type { Watch } from '../requests.js'
import type { OpenView, ViewHost } from './view.js'

export function openSupervisors ({ runtime, sampler }: ViewHost, watch: Watch): OpenView {
  return {
    async next () {
      const tree = new TreeWalk(runtime, watch)
      await sampler.run(tree.steps())
      const { total, matched, rows } = tree
      return { total, matched, rows: fit(rows) }
    }
  }
}

/** Visits each supervisor and each child, those of a supervisor after itself. */
class TreeWalk {
  total = 0
  matched = 0
  readonly rows: SupervisionRow[] = []
  readonly #runtime: Runtime
  readonly #watch: Watch
  /** The supervisors above the present one that are in no row yet. */
  readonly #above: SupervisionRow[] = []

  constructor (runtime: Runtime, watch: Watch) {
    this.#runtime = runtime
    this.#watch = watch
  }

  * steps (): Generator<undefined> {
    const { supervisors, supervisorTable } = this.#runtime
    // Those that start meanwhile are left to the next answer: otherwise it might never end.
    let left = supervisors.size
    for (const pid of supervisors) {
      if (left-- === 0) return
      const supervisor = supervisorTable.get(pid)!
      yield * this.#visit(this.#rowOf(0, pid, supervisor), supervisor)
    }
  }

  * #visit (row: SupervisionRow, supervisor: RunningSupervisor | undefined): Generator<undefined> {
    this.#add(row)
    yield
    if (supervisor === undefined) return
    this.#above.push(row)
    const { runningChildren: children } = supervisor
    const { length } = children
    for (let i = 0; i < length; i++) {
      const child = children[i]
      const { pid } = child
      const below = pid === undefined ? undefined : this.#runtime.supervisorTable.get(pid)
      yield * this.#visit(this.#rowOf(row.depth + 1, pid, below, child), below)
    }
    this.#above.pop()
  }

  #add (row: SupervisionRow): void {
    const { filter, limit } = this.#watch
    this.total++
    if (!contains(filter, [row.id, row.label, row.name, row.pid])) return
    this.matched++
    if (this.rows.length >= limit) return
    // The way to it may be longer than the room that is left.
    const missing = this.#above.filter((above) => !this.rows.includes(above))
    this.rows.push(...[...missing, row].slice(0, limit - this.rows.length))
  }

  #rowOf (
    depth: number,
    pid: Pid | undefined,
    supervisor: RunningSupervisor | undefined,
    child?: SupervisedChild
  ): SupervisionRow {
    const { clock, nameTable, processTable } = this.#runtime
    const entity = pid === undefined ? undefined : processTable.getEntity(pid)
    const description = entity?.describe()
    const name = entity === undefined ? child?.plan.name : nameTable.firstNameOf(entity.pid)
    const { restarts = 0 } = child ?? {}
    return {
      depth,
      ...child !== undefined && { id: cut(child.plan.id) },
      ...description !== undefined && {
        pid, label: cut(description.label), uptime: description.uptime
      },
      ...name !== undefined && { name: cut(name) },
      kind: supervisor === undefined && typeof child?.plan.start === 'function'
        ? 'process'
        : 'supervisor',
      restarts,
      ...restarts > 0 && { restarted: clock.now() - child!.startedAt },
      ...supervisor !== undefined && { supervisor: stateOf(supervisor) }
    }
  }
}

function stateOf (
  { plan, runningChildren, restartsLeft }: RunningSupervisor
): SupervisionRow['supervisor'] {
  const { strategy, maxRestarts, period } = plan
  return { strategy, children: runningChildren.length, maxRestarts, period, left: restartsLeft }
}
