import type { RemoteNodes } from '../remote-nodes.js'
import type { Entity } from '../entity.js'
import type { Relations } from './relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** What telling of an end needs of the system. */
export interface ExitSignalsHost {
  readonly relations: Relations
  getEntity (pid: Pid): Entity | undefined
  /** The way to a PID of another node. */
  remoteNodesFor (pid: string): RemoteNodes | undefined
  logFailure (pid: Pid, err: unknown, text: string): void
}

/** Reasons that do not bring linked processes down. */
export function isOrderly (reason: string): boolean {
  return reason === 'normal' || reason === 'shutdown'
}

/** Whether somebody may give it as the reason of an end. */
export function isExitReason (reason: unknown): reason is string {
  return typeof reason === 'string' && reason.length > 0 && reason.length <= 256
}

/** What the end of a linked process does. */
export function signalLinked (entity: Entity, { pid, reason, error }: Exit): void {
  if (isOrderly(reason)) return
  if (entity.trapLinks) entity.notify('@link_down', { pid, reason, ...error && { error } })
  else entity.linkFailed(reason, error)
}

/**
 * Tells of ends, one after the other: what one end brings down waits for its turn here, so that
 * chains of links are walked in a loop, however long they are.
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

  /** @param afterwards code of users: it runs when everybody has been told */
  signalExit (exit: Exit, afterwards?: () => void): void {
    if (afterwards !== undefined) this.#afterwards.push(afterwards)
    if (this.#signalling) {
      this.#exits.push(exit)
      return
    }
    this.#signalling = true
    this.#signalPeers(exit)
    for (let i = 0; i < this.#exits.length; i++) this.#signalPeers(this.#exits[i])
    // An array that is emptied starts again with 17 slots: most ends bring nothing else down.
    if (this.#exits.length > 0) this.#exits.length = 0
    this.#signalling = false
    if (this.#afterwards.length > 0) this.#runAfterwards()
    if (this.#conditionChecks.length > 0) this.#checkConditions()
  }

  /** Resolves when a condition holds; it is looked at whenever something has ended. */
  async waitUntil (condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => { this.#conditionChecks.push(resolve) })
  }

  #signalPeers (exit: Exit): void {
    const { relations } = this.#host
    for (const peer of relations.takeLinks(exit.pid)) {
      const entity = this.#host.getEntity(peer)
      if (entity !== undefined) this.#guard(exit, () => { signalLinked(entity, exit) })
      else this.#guard(exit, () => { this.#host.remoteNodesFor(peer)?.localLinkEnded(exit, peer) })
    }
    for (const watcher of relations.takeMonitors(exit.pid)) this.#guard(exit, () => { watcher.targetEnded(exit) })
  }

  /** One that fails must not keep the others from being told. */
  #guard (exit: Exit, task: () => void): void {
    try {
      task()
    } catch (err) {
      this.#host.logFailure(exit.pid, err, 'could not tell of the end of a process')
    }
  }

  #runAfterwards (): void {
    const tasks = this.#afterwards
    this.#afterwards = []
    for (const task of tasks) task()
  }

  #checkConditions (): void {
    const lookers = this.#conditionChecks
    this.#conditionChecks = []
    for (const look of lookers) look()
  }
}
