import type { PendingOperation } from '../calls.js'
import type { Monitors } from '../exits/monitors.js'
import type { GroupUpdates } from '../registry/group-updates.js'
import type { ProcessTimers } from './timers.js'
import type { Cluster } from '../../../types/cluster.js'
import type { Logger } from '../../../types/options.js'
import type { Groups } from '../../../types/registries.js'

/**
 * State that few processes need. A process that only waits for mail has none of it, and there may
 * be a million of those. Each field is set when it is first asked for.
 */
export class LazyState {
  controller: AbortController | undefined
  timers: ProcessTimers | undefined
  log: Logger | undefined
  monitors: Monitors | undefined
  pending: Set<PendingOperation> | undefined
  groupUpdates: GroupUpdates | undefined
  groups: Groups | undefined
  cluster: Cluster | undefined
  /** A receive was rejected because the process is stopping. */
  toldStopped = false

  /** Called when the process ends. The controller is kept: code may still ask for the signal. */
  release (owner: { readonly stopError: Error }): void {
    this.timers?.cancelAll()
    this.monitors?.releaseAll()
    this.monitors = this.groupUpdates = undefined
    const { pending } = this
    this.pending = undefined
    if (pending !== undefined) for (const each of pending) each.abandon(owner.stopError)
  }
}
