import type { Cancellable, Clock } from '../shared/clock.js'
import type { ClusterAccess } from './remote/cluster-access.js'
import type { Drain } from './drain.js'
import type { ExitSignals } from './exits/exit-signals.js'
import type { ProcessTable } from './registry/process-table.js'
import type { Pid } from '../../types/pid.js'

/** The parts of the runtime that a shutdown uses. */
export interface ShutdownHost {
  readonly clock: Clock
  readonly processTable: ProcessTable
  readonly exitSignals: ExitSignals
  readonly clusterAccess: ClusterAccess
  readonly drain: Drain
  /** Supervisors that no other supervisor has started. */
  readonly supervisors: ReadonlySet<Pid>
}

/** The end of a process system. */
export class Shutdown {
  readonly #host: ShutdownHost
  #closed: Promise<void> | undefined

  constructor (host: ShutdownHost) {
    this.#host = host
  }

  get closing (): boolean {
    return this.#closed !== undefined
  }

  /** Ends all processes and connections, then leaves the cluster. Later calls join the first. */
  close (timeout: number): Promise<void> {
    // `closing` must be true before the first process stops: its abort listeners may call `spawn`.
    this.#closed ??= Promise.resolve().then(() => this.#close(timeout))
    return this.#closed
  }

  async #close (timeout: number): Promise<void> {
    const { clusterAccess, drain } = this.#host
    clusterAccess.refusesBinds = true
    drain.systemCloses()
    clusterAccess.announceClosing?.()
    await this.#endAll(timeout)
    await clusterAccess.leaveCluster?.()
  }

  /**
   * Ends all processes and connections, within `timeout` milliseconds:
   *
   * 1. Cancels the supervisors, which stop their children in reverse order.
   * 2. Once they have ended, or after half of the time, cancels all others, the youngest first.
   * 3. When the time is over, ends those that are still alive.
   */
  async #endAll (timeout: number): Promise<void> {
    const { clock, processTable, exitSignals, supervisors } = this.#host
    const half = startAlarm(clock, timeout / 2)
    const whole = startAlarm(clock, timeout)
    for (const pid of [...supervisors].reverse()) {
      processTable.getEntity(pid)?.cancel(undefined, 'shutdown')
    }
    await Promise.race([exitSignals.waitUntil(() => supervisors.size === 0), half.rung])
    half.stop()
    for (const entity of [...processTable.entities].reverse()) entity.cancel(undefined, 'shutdown')
    await Promise.race([exitSignals.waitUntil(() => processTable.size === 0), whole.rung])
    whole.stop()
    for (const entity of [...processTable.entities].reverse()) entity.end('shutdown')
  }
}

function startAlarm (clock: Clock, ms: number): { rung: Promise<void>, stop (): void } {
  let timer: Cancellable
  const rung = new Promise<void>((resolve) => { timer = clock.after(ms, resolve) })
  return { rung, stop: () => { timer.cancel() } }
}
