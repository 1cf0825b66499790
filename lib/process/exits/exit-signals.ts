import { errorCodes, show } from '../../errors.js'
import type { RemoteNodes } from '../remote-nodes.js'
import type { Entity } from '../entity.js'
import type { ExitListener, Relations } from './relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** The parts of the runtime that exit signals use. */
export interface ExitSignalsHost {
  readonly relations: Relations
  readonly pids: { isRemote (pid: string): boolean }
  getEntity (pid: Pid): Entity | undefined
  remoteNodesFor (pid: string): RemoteNodes | undefined
  logFailure (pid: Pid, err: unknown, text: string): void
}

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
  else entity.linkFailed(reason, error)
}

/**
 * Sends exit signals to the linked and monitoring processes of one that ended.
 *
 * An exit that is caused by a signal waits in a queue until the signals before it have been sent.
 * A chain of links of any length is therefore walked in a loop, without recursion.
 */
export class ExitSignals {
  readonly #host: ExitSignalsHost
  readonly #exits: Exit[] = []
  #afterwards: (() => void)[] = []
  #conditionChecks: (() => void)[] = []
  #signalling = false

  constructor (host: ExitSignalsHost) {
    this.#host = host
  }

  /** Calls the listener when `target` ends: at once when it is dead already. */
  monitor (target: Pid, listener: ExitListener): void {
    if (this.#host.getEntity(target) !== undefined) {
      this.#host.relations.addMonitor(target, listener)
      return
    }
    const remote = this.#host.remoteNodesFor(target)
    if (remote !== undefined) remote.monitor(target, listener)
    else listener.targetEnded({ pid: target, reason: this.#absenceReason(target) })
  }

  demonitor (target: Pid, listener: ExitListener): void {
    if (this.#host.relations.removeMonitor(target, listener)) return
    this.#host.remoteNodesFor(target)?.demonitor(target, listener)
  }

  /** Linking with a dead process acts as its exit. */
  link (one: Entity, other: Pid): void {
    if (one.pid === other) return
    const isLocal = this.#host.getEntity(other) !== undefined
    const remote = isLocal ? undefined : this.#host.remoteNodesFor(other)
    if (!isLocal && remote === undefined) {
      signalLinked(one, { pid: other, reason: this.#absenceReason(other) })
      return
    }
    this.#host.relations.addLink(one.pid, other)
    remote?.link(one.pid, other)
  }

  unlink (one: Pid, other: Pid): void {
    if (!this.#host.relations.removeLink(one, other)) return
    this.#host.remoteNodesFor(other)?.unlink(one, other)
  }

  #absenceReason (pid: Pid): Exit['reason'] {
    return this.#host.pids.isRemote(pid) ? 'noconnection' : 'noproc'
  }

  /** @param afterwards user code: runs when all signals have been sent */
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
    const { relations } = this.#host
    for (const peer of relations.takeLinks(exit.pid)) {
      const entity = this.#host.getEntity(peer)
      if (entity !== undefined) this.#guard(exit, () => { signalLinked(entity, exit) })
      else this.#guard(exit, () => { this.#host.remoteNodesFor(peer)?.localLinkEnded(exit, peer) })
    }
    for (const listener of relations.takeMonitors(exit.pid)) {
      this.#guard(exit, () => { listener.targetEnded(exit) })
    }
  }

  /** A receiver that throws must not keep the others from getting their signal. */
  #guard (exit: Exit, task: () => void): void {
    try {
      task()
    } catch (err) {
      this.#host.logFailure(exit.pid, err, 'could not deliver an exit signal')
    }
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
