import { checkSignal } from '../calls.js'
import { exitedBy } from '../explain/origin.js'
import { checkExitReason } from './exit-signals.js'
import type { CallHost, PendingOperation, PendingOwner } from '../calls.js'
import type { ClusterAccess } from '../remote/cluster-access.js'
import type { ProcessTable } from '../registry/process-table.js'
import type { Scheduler } from '../scheduler.js'
import type { ExitListener } from './relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** A process that waits for an exit. Its own end rejects the promise. */
interface ExitWaiter extends PendingOwner {
  /** @throws `FST_PROCESS_STOPPED` once it has ended */
  checkAlive (): void
}

/** The requests to end a process of any node, and to wait for its end. */
export class ExitRequests {
  readonly #processes: ProcessTable
  readonly #clusterAccess: ClusterAccess
  readonly #exitSignals: CallHost
  readonly #scheduler: Pick<Scheduler, 'pace'>

  constructor (
    processes: ProcessTable,
    clusterAccess: ClusterAccess,
    exitSignals: CallHost,
    scheduler: Pick<Scheduler, 'pace'>
  ) {
    this.#processes = processes
    this.#clusterAccess = clusterAccess
    this.#exitSignals = exitSignals
    this.#scheduler = scheduler
  }

  /**
   * @param from undefined for code outside a process
   * @throws `FST_PROCESS_INVALID_REASON`, `FST_PROCESS_INVALID_PID`
   */
  exit (to: string, reason: string = 'shutdown', from?: Pid): boolean {
    checkExitReason(reason)
    const entity = this.#processes.findEntity(to)
    if (entity === undefined) {
      return this.#clusterAccess.remoteNodesFor(to)?.exit(to as Pid, reason, from) ?? false
    }
    entity.end(reason === 'kill' ? 'killed' : reason, undefined, exitedBy(reason, from))
    return true
  }

  /** @throws `FST_PROCESS_INVALID_REASON`, `FST_PROCESS_INVALID_PID` */
  cancel (to: string, reason: string = 'shutdown', from?: Pid): boolean {
    checkExitReason(reason)
    const entity = this.#processes.findEntity(to)
    if (entity !== undefined) return entity.cancel(from, reason)
    return this.#clusterAccess.remoteNodesFor(to)?.cancel(to as Pid, reason, from) ?? false
  }

  /** Wrong arguments reject the promise. @param owner the process that waits */
  exited (to: string, signal: AbortSignal | undefined, owner?: ExitWaiter): Promise<Exit> {
    try {
      checkSignal(signal)
      signal?.throwIfAborted()
      owner?.checkAlive()
      const target = this.#processes.resolvePid(to)
      const wait = new ExitWait(this.#exitSignals, target, signal, owner)
      return wait.hasSettled ? this.#scheduler.pace(wait.promise) : wait.promise
    } catch (err) {
      return this.#scheduler.pace(Promise.reject(err))
    }
  }
}

/**
 * One pending `exited`. It settles once: with the exit of the target, by the abort of a signal, or
 * because the process that waits has ended.
 */
class ExitWait implements ExitListener, PendingOperation {
  readonly promise: Promise<Exit>
  hasSettled = false
  readonly #host: CallHost
  readonly #target: Pid
  readonly #signal: AbortSignal | undefined
  readonly #owner: PendingOwner | undefined
  #resolve!: (exit: Exit) => void
  #reject!: (error: unknown) => void

  constructor (
    host: CallHost, target: Pid, signal: AbortSignal | undefined, owner: PendingOwner | undefined
  ) {
    this.#host = host
    this.#target = target
    this.#signal = signal
    this.#owner = owner
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    owner?.addPending(this)
    signal?.addEventListener('abort', this.#aborted, { once: true })
    host.monitor(target, this)
  }

  targetEnded (exit: Exit): void {
    this.#release()
    this.#resolve(exit)
  }

  /** The waiting process has ended, and its code may be gone: the rejection counts as handled. */
  abandon (error: unknown): void {
    this.promise.catch(() => {})
    this.#rejectWith(error)
  }

  readonly #aborted = (): void => {
    this.#rejectWith(this.#signal!.reason)
  }

  #rejectWith (error: unknown): void {
    this.#release()
    this.#host.demonitor(this.#target, this)
    this.#reject(error)
  }

  #release (): void {
    this.hasSettled = true
    this.#signal?.removeEventListener('abort', this.#aborted)
    this.#owner?.removePending(this)
  }
}
