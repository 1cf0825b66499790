import type { ClusterNode } from '../node.js'
import type { ExitSignals } from '../../process/exits/exit-signals.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { ProcessTable } from '../../process/registry/process-table.js'
import type { Pid } from '../../../types/pid.js'

/** Processes that called `cluster.watch`: each gets `@node` when a node comes up or goes down. */
export class NodeWatchers {
  readonly #processTable: Pick<ProcessTable, 'getEntity'>
  readonly #exitSignals: Pick<ExitSignals, 'monitor' | 'demonitor'>
  readonly #node: Pick<ClusterNode, 'watchNodes'>
  readonly #watchers = new Map<Pid, ExitListener>()
  /** Set while there is at least one such process. */
  #unsubscribe: (() => void) | undefined

  constructor (
    processTable: Pick<ProcessTable, 'getEntity'>,
    exitSignals: Pick<ExitSignals, 'monitor' | 'demonitor'>,
    node: Pick<ClusterNode, 'watchNodes'>
  ) {
    this.#processTable = processTable
    this.#exitSignals = exitSignals
    this.#node = node
  }

  /** Idempotent. */
  add (pid: Pid): void {
    if (this.#watchers.has(pid)) return
    const watcher: ExitListener = { targetEnded: () => { this.#delete(pid) } }
    this.#watchers.set(pid, watcher)
    this.#exitSignals.monitor(pid, watcher)
    this.#unsubscribe ??= this.#node.watchNodes((node, state) => {
      for (const each of [...this.#watchers.keys()]) {
        this.#processTable.getEntity(each)?.notify('@node', { node, state })
      }
    })
  }

  delete (pid: Pid): void {
    const watcher = this.#watchers.get(pid)
    if (watcher === undefined) return
    this.#exitSignals.demonitor(pid, watcher)
    this.#delete(pid)
  }

  #delete (pid: Pid): void {
    this.#watchers.delete(pid)
    if (this.#watchers.size > 0) return
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
  }
}
