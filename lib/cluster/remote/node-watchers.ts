import type { ClusterNode } from '../node.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Runtime } from '../../process/runtime.js'
import type { Pid } from '../../../types/pid.js'

/** Processes that called `cluster.watch`: each gets `@node` when a node comes up or goes down. */
export class NodeWatchers {
  readonly #runtime: Runtime
  readonly #node: ClusterNode
  readonly #watchers = new Map<Pid, ExitListener>()
  /** Set while there is at least one such process. */
  #unsubscribe: (() => void) | undefined

  constructor (runtime: Runtime, node: ClusterNode) {
    this.#runtime = runtime
    this.#node = node
  }

  /** Idempotent. */
  add (pid: Pid): void {
    if (this.#watchers.has(pid)) return
    const watcher: ExitListener = { targetEnded: () => { this.#delete(pid) } }
    this.#watchers.set(pid, watcher)
    this.#runtime.exitSignals.monitor(pid, watcher)
    this.#unsubscribe ??= this.#node.watchNodes((node, state) => {
      for (const each of [...this.#watchers.keys()]) {
        this.#runtime.processTable.getEntity(each)?.notify('@node', { node, state })
      }
    })
  }

  delete (pid: Pid): void {
    const watcher = this.#watchers.get(pid)
    if (watcher === undefined) return
    this.#runtime.exitSignals.demonitor(pid, watcher)
    this.#delete(pid)
  }

  #delete (pid: Pid): void {
    this.#watchers.delete(pid)
    if (this.#watchers.size > 0) return
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
  }
}
