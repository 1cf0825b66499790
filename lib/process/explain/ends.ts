import { EndLog, isShareable, unknownTime } from './end-log.js'
import { summaryOf } from './error-summary.js'
import type { Clock } from '../../shared/clock.js'
import type { EndRecord } from './end-log.js'
import type { EndOrigin } from './origin.js'
import type { ConnectionExit, Exit, LeaveCause } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** The parts of the runtime that the ends use. */
export interface EndsHost {
  readonly clock: Pick<Clock, 'now'>
  readonly scheduler: { awaitTime (listener: (now: number) => void): boolean }
  readonly clusterAccess: { readonly refusesBinds: boolean }
  readonly drain: { readonly hasStarted: boolean }
  readonly nameTable: { firstNameOf (pid: Pid): string | undefined }
}

/** A process or supervisor that has ended, as far as its end is remembered. */
export interface RememberedProcess {
  readonly kind: 'process' | 'supervisor'
  readonly label: string
  /** In whole milliseconds, by the clock of the runtime. */
  readonly spawnedAt: number
}

/** A connection that has ended, as far as its end is remembered. */
export interface RememberedConnection {
  readonly kind: 'ws'
  /** By the clock of the runtime. */
  readonly startedAt: number
  readonly target: Pid
  readonly closeReason: {
    readonly cause: LeaveCause
    readonly code: number | undefined
    readonly clientReason: string | undefined
    readonly because?: Pid
    readonly by?: Pid
  }
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

  /** Reading the clock is a large part of what an end costs: the ends of a turn share one time. */
  readonly #setTime = (now: number): void => {
    this.processes.setTime(Math.floor(now))
  }

  /** Reads the clock. All ends so far have a time then. */
  #readClock (): number {
    const { clock } = this.#host
    const now = Math.floor(clock.now())
    this.processes.setTime(now)
    return now
  }

  #isClosing (): boolean {
    const { clusterAccess, drain } = this.#host
    return clusterAccess.refusesBinds || drain.hasStarted
  }

  /** Call it before the names of the process are released. */
  processEnded (process: RememberedProcess, exit: Exit, origin: EndOrigin): void {
    if (this.#isOff) return
    const { processes } = this
    const record = processes.nextRecord
    record.pid = exit.pid
    record.kind = process.kind
    record.label = process.label
    record.name = this.#host.nameTable.firstNameOf(exit.pid)
    record.startedAt = process.spawnedAt
    record.reason = exit.reason
    record.cause = origin.cause
    record.because = origin.because
    record.by = origin.by
    record.error = exit.error && summaryOf(exit.error)
    record.closing = this.#isClosing()
    record.time = isShareable(record) || !this.#host.scheduler.awaitTime(this.#setTime)
      ? this.#readClock()
      : unknownTime
    processes.add(record)
  }

  /** Call it before the names of the connection are released. */
  connectionEnded (connection: RememberedConnection, exit: Exit): void {
    if (this.#isOff) return
    const { target, closeReason, closeReason: { cause } } = connection
    const { connections } = this
    const record = connections.nextRecord
    const time = this.#host.clock.now()
    const now = Math.floor(time)
    record.pid = exit.pid
    record.kind = record.label = connection.kind
    record.name = this.#host.nameTable.firstNameOf(exit.pid)
    record.time = now
    record.startedAt = Math.ceil(now - (time - connection.startedAt))
    record.reason = exit.reason
    record.cause = cause as Exclude<LeaveCause, 'transfer'>
    record.because = cause === 'target' ? target : closeReason.because
    record.by = closeReason.by
    record.closing = this.#isClosing()
    record.code = closeReason.code
    // The client may have written anything.
    record.closeReason = cause === 'client' ? undefined : closeReason.clientReason
    record.target = target
    record.away = (exit.value as ConnectionExit).away
    connections.add(record)
  }

  /** A supervisor or a key has started `pid` in the place of `previous`. */
  processRestarted (previous: Pid, pid: Pid): void {
    this.processes.restarted(previous, pid, this.#readClock())
  }

  find (pid: Pid): EndRecord | undefined {
    this.#readClock()
    return this.processes.find(pid) ?? this.connections.find(pid)
  }

  get records (): EndRecord[] {
    this.#readClock()
    return [...this.processes.records, ...this.connections.records]
  }
}
