import { EndLog } from './end-log.js'
import { summaryOf } from './error-summary.js'
import type { Clock } from '../../shared/clock.js'
import type { EndRecord } from './end-log.js'
import type { EndOrigin } from './origin.js'
import type { ConnectionExit, Exit, LeaveCause } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** The parts of the runtime that the ends use. */
export interface EndsHost {
  readonly clock: Pick<Clock, 'now'>
  readonly clusterAccess: { readonly refusesBinds: boolean }
  readonly drain: { readonly hasStarted: boolean }
  readonly nameTable: { firstNameOf (pid: Pid): string | undefined }
}

/** A process or supervisor that has ended, as far as its end is remembered. */
export interface RememberedProcess {
  readonly kind: 'process' | 'supervisor'
  readonly label: string
  /** By the clock of the runtime. */
  readonly spawnedAt: number
}

/** A connection that has ended, as far as its end is remembered. */
export interface RememberedConnection {
  readonly kind: 'ws'
  readonly uptime: number
  readonly target: Pid
  readonly closeReason: {
    readonly cause: LeaveCause
    readonly code: number | undefined
    readonly clientReason: string | undefined
    readonly because?: Pid
    readonly by?: Pid
  }
  readonly away: number | undefined
}

/** The last ends of this node, for `explain`. Nothing is remembered with `keepEnds: 0`. */
export class Ends {
  readonly processes: EndLog
  readonly connections: EndLog
  readonly #host: EndsHost
  readonly #isOff: boolean

  /** @param keepEnds how many ends of processes, and how many of connections */
  constructor (host: EndsHost, keepEnds: number) {
    this.#host = host
    this.#isOff = keepEnds === 0
    this.processes = new EndLog(keepEnds)
    this.connections = new EndLog(keepEnds)
  }

  get #isClosing (): boolean {
    const { clusterAccess, drain } = this.#host
    return clusterAccess.refusesBinds || drain.hasStarted
  }

  /** Call it before the names of the process are released. */
  processEnded (process: RememberedProcess, exit: Exit, origin: EndOrigin): void {
    if (this.#isOff) return
    const { clock, nameTable } = this.#host
    const { pid, reason, error } = exit
    // Read once: it is a large part of what an end costs.
    const time = clock.now()
    this.processes.add({
      pid,
      kind: process.kind,
      label: process.label,
      name: nameTable.firstNameOf(pid),
      time,
      uptime: time - process.spawnedAt,
      reason,
      cause: origin.cause,
      because: origin.because,
      by: origin.by,
      error: error && summaryOf(error),
      closing: this.#isClosing,
      code: undefined,
      closeReason: undefined,
      target: undefined,
      away: undefined
    })
  }

  /** Call it before the names of the connection are released. */
  connectionEnded (connection: RememberedConnection, exit: Exit): void {
    if (this.#isOff) return
    const { clock, nameTable } = this.#host
    const { kind, target, closeReason } = connection
    const { cause, code, clientReason, by } = closeReason
    this.connections.add({
      pid: exit.pid,
      kind,
      label: kind,
      name: nameTable.firstNameOf(exit.pid),
      time: clock.now(),
      uptime: connection.uptime,
      reason: exit.reason,
      cause: cause as Exclude<LeaveCause, 'transfer'>,
      because: cause === 'target' ? target : closeReason.because,
      by,
      error: undefined,
      closing: this.#isClosing,
      code,
      // The client may have written anything.
      closeReason: cause === 'client' ? undefined : clientReason,
      target,
      away: (exit.value as ConnectionExit).away
    })
  }

  /** A supervisor has started `pid` in the place of `previous`. */
  childRestarted (previous: Pid, pid: Pid): void {
    this.processes.restarted(previous, pid, this.#host.clock.now())
  }

  find (pid: Pid): EndRecord | undefined {
    return this.processes.find(pid) ?? this.connections.find(pid)
  }

  get records (): EndRecord[] {
    return [...this.processes.records, ...this.connections.records]
  }
}
