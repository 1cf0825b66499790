import type { PendingOperation } from '../exits/exit-wait.js'
import type { GroupUpdates } from '../registry/group-updates.js'
import type { Monitors } from '../exits/monitors.js'
import type { ProcessTimers } from './timers.js'
import type { Cluster } from '../../../types/cluster.js'
import type { Groups, Logger } from '../../../types/processes.js'

/**
 * What few processes ever have, each made when it is first asked for. A process that only waits for
 * mail holds none of it, and there may be a million of those.
 */
export class LazyState {
  controller: AbortController | undefined
  timers: ProcessTimers | undefined
  log: Logger | undefined
  monitors: Monitors | undefined
  /** What it waits for: calls, and the ends of others. */
  pending: Set<PendingOperation> | undefined
  groupUpdates: GroupUpdates | undefined
  groups: Groups | undefined
  cluster: Cluster | undefined
  /** It has asked for mail in vain since it was told to stop. */
  toldStopped = false

  /** At the end of their process: nothing of it goes on, and the signal may still be asked for. */
  release (owner: { readonly stopError: Error }): void {
    this.timers?.cancelAll()
    this.monitors?.releaseAll()
    this.monitors = this.groupUpdates = undefined
    const { pending } = this
    this.pending = undefined
    if (pending !== undefined) for (const each of pending) each.abandon(owner.stopError)
  }
}
