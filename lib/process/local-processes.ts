import { errorCodes, show } from '../errors.js'
import { isReason, linkDown } from './exits/exit-signals.js'
import { isUserTopic } from './message.js'
import { asTarget, isTarget } from './target.js'
import type { Batch, Target } from './entity.js'
import type { LocalNode, RemoteProblem } from './remote-nodes.js'
import type { Answer } from './calls.js'
import type { Producer } from './actor/mailbox.js'
import type { Watcher } from './exits/relations.js'
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
    const entity = this.#runtime.living(to)
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
      const entity = this.#runtime.living(pid)
      if (entity === undefined || !isUserTopic(topic)) counters.deadLetters++
      else if (entity.kind === 'ws') entity.deliver(topic, payload, from, undefined, batch)
      else entity.deliver(topic, again(), from)
    }
  }

  missed (pid: Pid, count: number): void {
    this.#runtime.living(pid)?.missed?.(count)
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

  wait (to: Pid, feeder: Producer): void {
    const target = this.#target(to)
    if (target?.congested === true) target.wait(feeder)
    else feeder.resume()
  }

  forget (to: Pid, feeder: Producer): void {
    this.#target(to)?.forget(feeder)
  }

  exit (to: Pid, reason: string): boolean {
    const entity = this.#runtime.living(to)
    if (entity === undefined || !isReason(reason)) return false
    entity.end(reason === 'kill' ? 'killed' : reason)
    return true
  }

  cancel (to: Pid, reason: string, from: Pid | undefined): boolean {
    return isReason(reason) && this.#runtime.living(to)?.cancel(from, reason) === true
  }

  watch (target: Pid, watcher: Watcher): void {
    if (this.#runtime.living(target) === undefined) watcher.targetEnded({ pid: target, reason: 'noproc' })
    else this.#runtime.relations.watch(target, watcher)
  }

  unwatch (target: Pid, watcher: Watcher): void {
    this.#runtime.relations.unwatch(target, watcher)
  }

  linked (here: Pid, there: Pid): boolean {
    if (this.#runtime.living(here) === undefined) return false
    this.#runtime.relations.link(here, there)
    return true
  }

  unlinked (here: Pid, there: Pid): void {
    this.#runtime.relations.unlink(here, there)
  }

  linkedEnded (here: Pid, exit: Exit): void {
    const entity = this.#runtime.living(here)
    if (entity !== undefined && this.#runtime.relations.unlink(here, exit.pid)) linkDown(entity, exit)
  }

  bindProblem (target: Pid): RemoteProblem | undefined {
    if (this.#runtime.refusesBinds) return 'its node is closing'
    const found = asTarget(this.#runtime.living(target))
    return typeof found === 'string' ? found : undefined
  }

  #target (to: Pid): Target | undefined {
    const entity = this.#runtime.living(to)
    return entity !== undefined && isTarget(entity) ? entity : undefined
  }
}
