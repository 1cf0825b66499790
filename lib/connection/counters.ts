import { commonFields, connectionEvents } from '../shared/diagnostics.js'
import { closeCodes } from './close-codes.js'
import type { CloseReason } from './close-codes.js'
import type { LeaveCause } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

/** A client chooses its close code. Above this many for one cause, they are counted as `other`. */
const maxCodes = 100

/** A close code; undefined for a close without one; `other` for those that are not told apart. */
export type CountedCode = number | undefined | 'other'

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
  readonly #closedBy = new Map<LeaveCause, Map<CountedCode, number>>()
  readonly #node: string

  constructor (node: string) {
    this.#node = node
  }

  /** Connections whose PID has not ended. */
  get open (): number {
    return this.opened - this.closed
  }

  /** Closed connections by cause and close code. */
  get closedBy (): Array<{ cause: LeaveCause, code: CountedCode, times: number }> {
    return Array.from(this.#closedBy, ([cause, codes]) => {
      return Array.from(codes, ([code, times]) => ({ cause, code, times }))
    }).flat()
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
