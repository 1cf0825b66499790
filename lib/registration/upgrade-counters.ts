import { commonFields, upgradeEvents } from '../shared/diagnostics.js'
import type { UpgradeRefusalReason } from '../../types/events.js'
import type { Pid } from '../../types/pid.js'
import type { UpgradeStats } from '../../types/stats.js'

/** The reasons of refusals by the codes of their errors. */
export const refusalReasons: ReadonlyMap<string, UpgradeRefusalReason> = new Map([
  ['FST_WS_RELAY_BAD_HANDSHAKE', 'handshake'],
  ['FST_WS_RELAY_ORIGIN_NOT_ALLOWED', 'origin'],
  ['FST_WS_RELAY_OVERLOADED', 'overloaded'],
  ['FST_PROCESS_TOO_MANY', 'overloaded'],
  ['FST_WS_RELAY_INVALID_CONFIG', 'config'],
  ['FST_WS_RELAY_TARGET_NOT_ALIVE', 'target'],
  ['FST_CLUSTER_NOT_READY', 'target'],
  ['FST_WS_RELAY_UPGRADE_TIMEOUT', 'timeout'],
  ['FST_WS_RELAY_CLOSING', 'closing'],
  ['FST_PROCESS_CLOSING', 'closing'],
  ['FST_WS_RELAY_UPGRADE_REQUIRED', 'protocol']
])

/**
 * The counters of the upgrades of one server since its start, and the events about what they count.
 * Each number changes in one method only, which publishes the event as well.
 */
export class UpgradeCounters {
  accepted = 0
  abandoned = 0
  readonly refusedBy: Record<UpgradeRefusalReason, number> = {
    application: 0,
    handshake: 0,
    protocol: 0,
    origin: 0,
    overloaded: 0,
    config: 0,
    target: 0,
    timeout: 0,
    closing: 0
  }

  readonly #node: string

  constructor (node: string) {
    this.#node = node
  }

  get stats (): UpgradeStats {
    const { accepted, abandoned, refusedBy: refused } = this
    return { accepted, abandoned, refused }
  }

  /** Called when the 101 was written. */
  upgradeAccepted (pid: Pid, target: Pid): void {
    this.accepted++
    if (!upgradeEvents.hasSubscribers) return
    upgradeEvents.publish({ type: 'accepted', ...commonFields(this.#node), pid, target })
  }

  /**
   * Called when an ordinary response starts.
   * @param code the code of the relay's error; undefined if the application has refused
   */
  upgradeRefused (code: string | undefined, status: number): void {
    const reason = code === undefined ? 'application' : refusalReasons.get(code)!
    this.refusedBy[reason]++
    if (!upgradeEvents.hasSubscribers) return
    upgradeEvents.publish({ type: 'refused', ...commonFields(this.#node), reason, status })
  }

  /** Called when the socket was closed before there was a response. */
  upgradeAbandoned (): void {
    this.abandoned++
    if (!upgradeEvents.hasSubscribers) return
    upgradeEvents.publish({ type: 'abandoned', ...commonFields(this.#node) })
  }
}
