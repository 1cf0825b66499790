import { errorCodes, show } from '../../errors.js'
import type { ClusterAccess } from '../remote/cluster-access.js'
import type { Entity } from '../entity.js'
import type { ProcessTable } from '../registry/process-table.js'
import type { FailureLog } from './failure-log.js'
import type { ExitListener, Relations } from './relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Monitor, Pid } from '../../../types/pid.js'

/** Whether an exit reason leaves linked processes alive. */
export function isOrderly (reason: string): boolean {
  return reason === 'normal' || reason === 'shutdown'
}

/** Whether a user may pass this value as an exit reason. */
export function isExitReason (reason: unknown): reason is string {
  return typeof reason === 'string' && reason.length > 0 && reason.length <= 256
}

/** @throws `FST_PROCESS_INVALID_REASON` */
export function checkExitReason (reason: unknown): string {
  if (!isExitReason(reason)) throw new errorCodes.FST_PROCESS_INVALID_REASON(show(reason))
  return reason
}

/** Applies the exit of a linked process to `entity`. */
export function signalLinked (entity: Entity, { pid, reason, error }: Exit): void {
  if (isOrderly(reason)) return
  if (entity.trapLinks) entity.notify('@link_down', { pid, reason, ...error && { error } })
  else entity.linkFailed(reason, error, pid)
}

/**
 * Sends exit signals to the linked and monitoring processes of one that ended.
 *
 * An exit that is caused by a signal waits in a queue until the signals before it have been sent.
 * A chain of links of any length is therefore walked in a loop, without recursion.
 */
export class ExitSignals {
  readonly #processes: ProcessTable
  readonly #relations: Relations
  readonly #clusterAccess: ClusterAccess
  readonly #log: FailureLog
  readonly #exits: Exit[] = []
  #afterwards: (() => void)[] = []
  #conditionChecks: (() => void)[] = []
  #signalling = false
  #monitors = 0

  constructor (
    processes: ProcessTable, relations: Relations, clusterAccess: ClusterAccess, log: FailureLog
  ) {
    this.#processes = processes
    this.#relations = relations
    this.#clusterAccess = clusterAccess
    this.#log = log
  }

  nextMonitorId (): Monitor {
    return ++this.#monitors as Monitor
  }

  /** Calls the listener when `target` ends: at once when it is dead already. */
  monitor (target: Pid, listener: ExitListener): void {
    if (this.#processes.getEntity(target) !== undefined) {
      this.#relations.addMonitor(target, listener)
      return
    }
    const remote = this.#clusterAccess.remoteNodesFor(target)
    if (remote !== undefined) remote.monitor(target, listener)
    else listener.targetEnded({ pid: target, reason: this.#clusterAccess.absenceReason(target) })
  }

  demonitor (target: Pid, listener: ExitListener): void {
    if (this.#relations.removeMonitor(target, listener)) return
    this.#clusterAccess.remoteNodesFor(target)?.demonitor(target, listener)
  }

  /** Linking with a dead process acts as its exit. */
  link (one: Entity, other: Pid): void {
    if (one.pid === other) return
    const isLocal = this.#processes.getEntity(other) !== undefined
    const remote = isLocal ? undefined : this.#clusterAccess.remoteNodesFor(other)
    if (!isLocal && remote === undefined) {
      signalLinked(one, { pid: other, reason: this.#clusterAccess.absenceReason(other) })
      return
    }
    this.#relations.addLink(one.pid, other)
    remote?.link(one.pid, other)
  }

  unlink (one: Pid, other: Pid): void {
    if (!this.#relations.removeLink(one, other)) return
    this.#clusterAccess.remoteNodesFor(other)?.unlink(one, other)
  }

  /** @param afterwards runs when all signals have been sent, because it may call user code */
  signalExit (exit: Exit, afterwards?: () => void): void {
    if (afterwards !== undefined) this.#afterwards.push(afterwards)
    if (this.#signalling) {
      this.#exits.push(exit)
      return
    }
    this.#signalling = true
    this.#signalPeers(exit)
    for (let i = 0; i < this.#exits.length; i++) this.#signalPeers(this.#exits[i])
    // Setting `length` gives the array 17 slots again: most exits cause no others.
    if (this.#exits.length > 0) this.#exits.length = 0
    this.#signalling = false
    if (this.#afterwards.length > 0) this.#runAfterwards()
    if (this.#conditionChecks.length > 0) this.#checkConditions()
  }

  /** Resolves when `condition` holds. It is checked again after each exit. */
  async waitUntil (condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => { this.#conditionChecks.push(resolve) })
    }
  }

  #signalPeers (exit: Exit): void {
    for (const peer of this.#relations.takeLinks(exit.pid)) this.#signalLinked(exit, peer)
    for (const listener of this.#relations.takeMonitors(exit.pid)) {
      this.#signalListener(exit, listener)
    }
  }

  #signalLinked (exit: Exit, peer: Pid): void {
    try {
      const entity = this.#processes.getEntity(peer)
      if (entity !== undefined) signalLinked(entity, exit)
      else this.#clusterAccess.remoteNodesFor(peer)?.localLinkEnded(exit, peer)
    } catch (err) {
      this.#signalFailed(exit, err)
    }
  }

  #signalListener (exit: Exit, listener: ExitListener): void {
    try {
      listener.targetEnded(exit)
    } catch (err) {
      this.#signalFailed(exit, err)
    }
  }

  /** A receiver that throws must not keep the others from getting their signal. */
  #signalFailed (exit: Exit, err: unknown): void {
    this.#log.logFailure(exit.pid, err, 'could not deliver an exit signal')
  }

  #runAfterwards (): void {
    const tasks = this.#afterwards
    this.#afterwards = []
    for (const task of tasks) task()
  }

  #checkConditions (): void {
    const checks = this.#conditionChecks
    this.#conditionChecks = []
    for (const check of checks) check()
  }
}
