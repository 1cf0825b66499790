import type { RemoteNodes } from '../remote-nodes.js'
import type { Entity } from '../entity.js'
import type { Relations } from './relations.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** What telling of an end needs of the system. */
export interface ExitSignalsHost {
  readonly relations: Relations
  living (pid: Pid): Entity | undefined
  /** The way to a PID of another node. */
  beyond (pid: string): RemoteNodes | undefined
  report (pid: Pid, err: unknown, text: string): void
}

/** Reasons that do not bring linked processes down. */
export function isOrderly (reason: string): boolean {
  return reason === 'normal' || reason === 'shutdown'
}

/** Whether somebody may give it as the reason of an end. */
export function isReason (reason: unknown): reason is string {
  return typeof reason === 'string' && reason.length > 0 && reason.length <= 256
}

/** What the end of a linked process does. */
export function linkDown (entity: Entity, { pid, reason, error }: Exit): void {
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
  #lookers: (() => void)[] = []
  #telling = false

  constructor (host: ExitSignalsHost) {
    this.#host = host
  }

  /** @param afterwards code of users: it runs when everybody has been told */
  add (exit: Exit, afterwards?: () => void): void {
    if (afterwards !== undefined) this.#afterwards.push(afterwards)
    if (this.#telling) {
      this.#exits.push(exit)
      return
    }
    this.#telling = true
    this.#tell(exit)
    for (let i = 0; i < this.#exits.length; i++) this.#tell(this.#exits[i])
    // An array that is emptied starts again with 17 slots: most ends bring nothing else down.
    if (this.#exits.length > 0) this.#exits.length = 0
    this.#telling = false
    if (this.#afterwards.length > 0) this.#runAfterwards()
    if (this.#lookers.length > 0) this.#look()
  }

  /** Resolves when a condition holds; it is looked at whenever something has ended. */
  async until (condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => { this.#lookers.push(resolve) })
  }

  #tell (exit: Exit): void {
    const { relations } = this.#host
    for (const peer of relations.takeLinks(exit.pid)) {
      const entity = this.#host.living(peer)
      if (entity !== undefined) this.#guard(exit, () => { linkDown(entity, exit) })
      else this.#guard(exit, () => { this.#host.beyond(peer)?.linkedEnded(exit, peer) })
    }
    for (const watcher of relations.takeWatchers(exit.pid)) this.#guard(exit, () => { watcher.targetEnded(exit) })
  }

  /** One that fails must not keep the others from being told. */
  #guard (exit: Exit, task: () => void): void {
    try {
      task()
    } catch (err) {
      this.#host.report(exit.pid, err, 'could not tell of the end of a process')
    }
  }

  #runAfterwards (): void {
    const tasks = this.#afterwards
    this.#afterwards = []
    for (const task of tasks) task()
  }

  #look (): void {
    const lookers = this.#lookers
    this.#lookers = []
    for (const look of lookers) look()
  }
}
