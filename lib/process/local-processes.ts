import { errorCodes, show } from '../errors.js'
import { isExitReason, signalLinked } from './exits/exit-signals.js'
import { isUserTopic } from './message.js'
import { asTarget, isTarget } from './target.js'
import type { Batch, Target } from './entity.js'
import type { LocalNode, RemoteProblem } from './remote-nodes.js'
import type { Answer } from './calls.js'
import type { Producer } from './actor/mailbox.js'
import type { ExitListener } from './exits/relations.js'
import type { Runtime } from './runtime.js'
import type { Exit } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

/**
 * A process system as other nodes see it. It answers for what lives here and passes nothing on to a
 * third node. What comes from outside is checked as a user's argument would be, but nothing throws.
 */
export class LocalProcesses implements LocalNode {
  readonly #runtime: Runtime

  constructor (runtime: Runtime) {
    this.#runtime = runtime
  }

  deliver (to: Pid, topic: string, payload: unknown, from: Pid | undefined, call?: Answer): boolean {
    const { counters } = this.#runtime
    const entity = this.#runtime.getEntity(to)
    if (entity === undefined || !isUserTopic(topic)) {
      counters.deadLetters++
      call?.reject(new errorCodes.FST_PROCESS_NOT_ALIVE(show(to)))
      return false
    }
    if (entity.deliver(topic, payload, from, call)) return true
    call?.reject(new errorCodes.FST_PROCESS_REFUSED(to, topic, 'it is full or stopping'))
    return false
  }

  deliverToMany (to: readonly Pid[], topic: string, payload: unknown, again: () => unknown, from: Pid | undefined): void {
    const { counters } = this.#runtime
    const batch: Batch = {}
    for (const pid of to) {
      const entity = this.#runtime.getEntity(pid)
      if (entity === undefined || !isUserTopic(topic)) counters.deadLetters++
      else if (entity.kind === 'ws') entity.deliver(topic, payload, from, undefined, batch)
      else entity.deliver(topic, again(), from)
    }
  }

  missed (pid: Pid, count: number): void {
    this.#runtime.getEntity(pid)?.missed?.(count)
  }

  missedByAll (): void {
    for (const entity of [...this.#runtime.entities]) entity.missed?.(1)
  }

  accept (to: Pid, topic: string, payload: unknown, from: Pid, bytes: number): boolean {
    const target = this.#target(to)
    if (target === undefined || !isUserTopic(topic)) {
      this.#runtime.counters.deadLetters++
      return false
    }
    target.accept(topic, payload, from, bytes)
    return target.congested
  }

  subscribeToDrain (to: Pid, feeder: Producer): void {
    const target = this.#target(to)
    if (target?.congested === true) target.subscribeToDrain(feeder)
    else feeder.resume()
  }

  unsubscribeFromDrain (to: Pid, feeder: Producer): void {
    this.#target(to)?.unsubscribeFromDrain(feeder)
  }

  exit (to: Pid, reason: string): boolean {
    const entity = this.#runtime.getEntity(to)
    if (entity === undefined || !isExitReason(reason)) return false
    entity.end(reason === 'kill' ? 'killed' : reason)
    return true
  }

  cancel (to: Pid, reason: string, from: Pid | undefined): boolean {
    return isExitReason(reason) && this.#runtime.getEntity(to)?.cancel(from, reason) === true
  }

  monitor (target: Pid, watcher: ExitListener): void {
    if (this.#runtime.getEntity(target) === undefined) watcher.targetEnded({ pid: target, reason: 'noproc' })
    else this.#runtime.relations.addMonitor(target, watcher)
  }

  demonitor (target: Pid, watcher: ExitListener): void {
    this.#runtime.relations.removeMonitor(target, watcher)
  }

  addRemoteLink (here: Pid, there: Pid): boolean {
    if (this.#runtime.getEntity(here) === undefined) return false
    this.#runtime.relations.addLink(here, there)
    return true
  }

  removeRemoteLink (here: Pid, there: Pid): void {
    this.#runtime.relations.removeLink(here, there)
  }

  remoteLinkEnded (here: Pid, exit: Exit): void {
    const entity = this.#runtime.getEntity(here)
    if (entity !== undefined && this.#runtime.relations.removeLink(here, exit.pid)) signalLinked(entity, exit)
  }

  bindProblem (target: Pid): RemoteProblem | undefined {
    if (this.#runtime.refusesBinds) return 'its node is closing'
    const found = asTarget(this.#runtime.getEntity(target))
    return typeof found === 'string' ? found : undefined
  }

  #target (to: Pid): Target | undefined {
    const entity = this.#runtime.getEntity(to)
    return entity !== undefined && isTarget(entity) ? entity : undefined
  }
}
