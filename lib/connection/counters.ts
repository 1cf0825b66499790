import { commonFields, connectionEvents } from '../shared/diagnostics.js'
import { closeCodes } from './close-codes.js'
import type { CloseReason } from './close-codes.js'
import type { Exit, LeaveCause, WsSuspend } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'
import type { ClosedConnections, ConnectionStats, ResumeOutcome } from '../../types/stats.js'

/** A client chooses its close code. Above this many for one cause, they are counted as `other`. */
const maxCodes = 100

/** The traffic of all sockets of a server. It is counted per read and write, not per message. */
export class Traffic {
  bytesIn = 0
  bytesOut = 0
  /** Gauge: sockets that are not read because a target is full, or gone and awaited. */
  paused = 0
}

/** The numbers of the sessions of a server. */
export interface SessionNumbers {
  /** Connections whose client is away. */
  readonly suspendedCount: number
  readonly unknownControls: number
}

/** A connection, as far as its events show it. */
export interface CountedConnection {
  readonly pid: Pid
  describe (): { readonly target: Pid, readonly uptime: number }
}

/**
 * The counters of the connections of one server since its start, and the events about what they
 * count. Each number changes in one method only, which publishes the event as well.
 */
export class ConnectionCounters {
  opened = 0
  transferred = 0
  closed = 0
  /** Messages of clients. */
  messagesIn = 0
  /** Those that their protocol has refused. */
  invalidMessages = 0
  /** How often a client was over its limit. */
  limited = 0
  /** Gauge: connections whose target has ended, and that wait for another one. */
  parked = 0
  readonly traffic = new Traffic()
  readonly resumes: Record<ResumeOutcome, number> = {
    resumed: 0,
    ended: 0,
    refused: 0,
    node: 0,
    gap: 0,
    expired: 0,
    full: 0
  }

  readonly #closedBy = new Map<LeaveCause, Map<ClosedConnections['code'], number>>()
  readonly #node: string

  constructor (node: string) {
    this.#node = node
  }

  /** Connections whose PID has not ended. */
  get open (): number {
    return this.opened - this.closed
  }

  /** Closed connections by cause and close code. */
  get closedBy (): ClosedConnections[] {
    return Array.from(this.#closedBy, ([cause, codes]) => {
      return Array.from(codes, ([code, times]) => {
        return { cause: cause as ClosedConnections['cause'], code, times }
      })
    }).flat()
  }

  stats (
    sessions: SessionNumbers, limits: ConnectionStats['limits']
  ): Omit<ConnectionStats, 'messagesOut' | 'nativeSender'> {
    const { suspendedCount: suspended, unknownControls } = sessions
    const {
      open, parked, opened, closed, transferred, limited, closedBy, messagesIn, resumes
    } = this
    const { paused, bytesIn, bytesOut } = this.traffic
    return {
      open,
      suspended,
      paused,
      parked,
      limits,
      opened,
      closed,
      transferred,
      limited,
      closedBy,
      messagesIn,
      bytesIn,
      bytesOut,
      resumes,
      unknownControls
    }
  }

  /** Called when a client is not read any more, or closed, because it is over its limit. */
  clientLimited (): void {
    this.limited++
  }

  /** Called once for each client that asked to continue a session. */
  resumeAnswered (outcome: ResumeOutcome): void {
    this.resumes[outcome]++
  }

  /** Called when the connection has its PID, and its target the `ws.join`. */
  connectionOpened (pid: Pid, target: Pid): void {
    this.opened++
    if (!connectionEvents.hasSubscribers) return
    connectionEvents.publish({ type: 'open', ...commonFields(this.#node), pid, target })
  }

  connectionTransferred (pid: Pid, from: Pid, target: Pid): void {
    this.transferred++
    if (!connectionEvents.hasSubscribers) return
    connectionEvents.publish({ type: 'transfer', ...commonFields(this.#node), pid, from, target })
  }

  /** @param exit of the target  @param name at which the connection waits for a successor */
  connectionParked (pid: Pid, { pid: target, reason }: Exit, name: string): void {
    this.parked++
    if (!connectionEvents.hasSubscribers) return
    connectionEvents.publish({
      type: 'park', ...commonFields(this.#node), pid, target, name, reason
    })
  }

  /** Called when a parked connection rejoins, is transferred or ends. */
  parkEnded (): void {
    this.parked--
  }

  connectionRejoined (pid: Pid, from: Pid, target: Pid): void {
    if (!connectionEvents.hasSubscribers) return
    connectionEvents.publish({ type: 'rejoin', ...commonFields(this.#node), pid, from, target })
  }

  /** Called when the socket is lost and the client may come back. */
  connectionSuspended (pid: Pid, target: Pid, cause: WsSuspend['cause']): void {
    if (!connectionEvents.hasSubscribers) return
    connectionEvents.publish({ type: 'suspend', ...commonFields(this.#node), pid, target, cause })
  }

  /** Called when the client is back on another socket. @param away milliseconds */
  connectionResumed (pid: Pid, target: Pid, away: number): void {
    if (!connectionEvents.hasSubscribers) return
    connectionEvents.publish({ type: 'resume', ...commonFields(this.#node), pid, target, away })
  }

  /** Called when the connection has left its target, before its exit signals are sent. */
  connectionClosed (connection: CountedConnection, closeReason: CloseReason): void {
    this.closed++
    this.#countClose(closeReason)
    if (!connectionEvents.hasSubscribers) return
    const { cause, code, leaveReason, clientReason } = closeReason
    const isByClient = cause === closeCodes.closedByClient.cause
    const { target, uptime } = connection.describe()
    const event = {
      type: 'close',
      ...commonFields(this.#node),
      pid: connection.pid,
      target,
      cause: cause as Exclude<LeaveCause, 'transfer'>,
      code,
      reason: isByClient ? closeCodes.closedByClient.leaveReason : leaveReason,
      uptime
    } as const
    // Not enumerable: untrusted text must not get into a log or a copy by accident.
    if (isByClient) Object.defineProperty(event, 'clientReason', { value: clientReason })
    connectionEvents.publish(event)
  }

  #countClose ({ cause, code }: CloseReason): void {
    let codes = this.#closedBy.get(cause)
    if (codes === undefined) this.#closedBy.set(cause, codes = new Map())
    const counted = codes.has(code) || codes.size < maxCodes ? code : 'other'
    codes.set(counted, (codes.get(counted) ?? 0) + 1)
  }
}
