import { errorCodes, show } from '../../errors.js'
import { Batch } from '../batch.js'
import { asTarget, isTarget } from '../entity.js'
import { exitedBy } from '../explain/origin.js'
import { isExitReason, signalLinked } from '../exits/exit-signals.js'
import { isUserTopic } from '../message.js'
import type { MessageSpans, SpansSlot } from '../../shared/message-spans.js'
import type { Producer } from '../../shared/watermark.js'
import type { Answer } from '../calls.js'
import type { ClusterAccess } from './cluster-access.js'
import type { KeyAnswer } from './key-directory.js'
import type { Kinds } from '../keyed/kinds.js'
import type { Counters } from '../stats/counters.js'
import type { Target } from '../entity.js'
import type { Explainer } from '../explain/explainer.js'
import type { Findings } from '../explain/findings.js'
import type { ExitListener, Relations } from '../exits/relations.js'
import type { LocalNode, RemoteProblem } from './remote-nodes.js'
import type { ProcessTable } from '../registry/process-table.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** The parts of the runtime that other nodes use. */
export interface LocalProcessesHost extends SpansSlot {
  readonly processTable: ProcessTable
  readonly relations: Relations
  readonly counters: Counters
  readonly clusterAccess: ClusterAccess
  readonly explainer: Explainer
  readonly kinds: Kinds
}

/**
 * The process system of this node, as other nodes use it. It serves local PIDs only, and forwards
 * nothing to a third node. Arguments are checked as those of a user, but nothing throws.
 */
export class LocalProcesses implements LocalNode {
  readonly #processes: ProcessTable
  readonly #relations: Relations
  readonly #counters: Counters
  readonly #clusterAccess: ClusterAccess
  readonly #explainer: Explainer
  readonly #kinds: Kinds
  readonly #slot: SpansSlot

  constructor (host: LocalProcessesHost) {
    this.#processes = host.processTable
    this.#relations = host.relations
    this.#counters = host.counters
    this.#clusterAccess = host.clusterAccess
    this.#explainer = host.explainer
    this.#kinds = host.kinds
    this.#slot = host
  }

  get spans (): MessageSpans | undefined {
    return this.#slot.spans
  }

  deliver (
    to: Pid, topic: string, payload: unknown, from: Pid | undefined, call?: Answer
  ): boolean {
    const entity = this.#processes.getEntity(to)
    if (entity === undefined || !isUserTopic(topic)) {
      this.#counters.deadLetter('none')
      call?.reject(new errorCodes.FST_PROCESS_NOT_ALIVE(show(to)))
      return false
    }
    if (entity.deliver(topic, payload, from, call)) return true
    call?.reject(new errorCodes.FST_PROCESS_REFUSED(to, topic, 'it is full or stopping'))
    return false
  }

  deliverToMany (
    to: readonly Pid[],
    topic: string,
    payload: unknown,
    decodeAgain: () => unknown,
    from: Pid | undefined
  ): void {
    const counters = this.#counters
    const batch = new Batch()
    for (const pid of to) {
      const entity = this.#processes.getEntity(pid)
      if (entity === undefined || !isUserTopic(topic)) counters.deadLetter('none')
      else if (isTarget(entity)) entity.deliver(topic, decodeAgain(), from)
      else entity.deliver(topic, payload, from, undefined, batch)
    }
  }

  missed (pid: Pid, count: number): void {
    this.#processes.getEntity(pid)?.missed?.(count)
  }

  missedByAll (): void {
    for (const entity of [...this.#processes.entities]) entity.missed?.(1)
  }

  accept (
    to: Pid, topic: string, payload: unknown, from: Pid, bytes: number, call?: Answer
  ): boolean | undefined {
    const target = this.#target(to)
    if (target === undefined || !isUserTopic(topic)) {
      this.#counters.deadLetter('none')
      return false
    }
    return target.accept(topic, payload, from, bytes, call) ? target.congested : undefined
  }

  countRefused (count: number): void {
    this.#counters.messageRefused('stopping', count)
  }

  subscribeToDrain (to: Pid, producer: Producer): void {
    const target = this.#target(to)
    if (target?.congested === true) target.subscribeToDrain(producer)
    else producer.resume()
  }

  unsubscribeFromDrain (to: Pid, producer: Producer): void {
    this.#target(to)?.unsubscribeFromDrain(producer)
  }

  exit (to: Pid, reason: string, from?: Pid): boolean {
    const entity = this.#processes.getEntity(to)
    if (entity === undefined || !isExitReason(reason)) return false
    entity.end(reason === 'kill' ? 'killed' : reason, undefined, exitedBy(reason, from))
    return true
  }

  cancel (to: Pid, reason: string, from: Pid | undefined): boolean {
    return isExitReason(reason) && this.#processes.getEntity(to)?.cancel(from, reason) === true
  }

  monitor (target: Pid, listener: ExitListener): void {
    if (this.#processes.getEntity(target) === undefined) {
      listener.targetEnded({ pid: target, reason: 'noproc' })
    } else this.#relations.addMonitor(target, listener)
  }

  demonitor (target: Pid, listener: ExitListener): void {
    this.#relations.removeMonitor(target, listener)
  }

  addRemoteLink (local: Pid, remote: Pid): boolean {
    if (this.#processes.getEntity(local) === undefined) return false
    this.#relations.addLink(local, remote)
    return true
  }

  removeRemoteLink (local: Pid, remote: Pid): void {
    this.#relations.removeLink(local, remote)
  }

  remoteLinkEnded (local: Pid, exit: Exit): void {
    const entity = this.#processes.getEntity(local)
    if (entity === undefined) return
    if (this.#relations.removeLink(local, exit.pid)) signalLinked(entity, exit)
  }

  findingsOf (pid: Pid): Findings | undefined {
    return this.#explainer.findingsOf(pid)
  }

  answerKeyRequest (request: unknown, node: string, answer: KeyAnswer): void {
    this.#kinds.answer(request, node, answer)
  }

  bindProblem (target: Pid): RemoteProblem | undefined {
    if (this.#clusterAccess.refusesBinds) return 'its node is closing'
    const found = asTarget(this.#processes.getEntity(target))
    return found.ok ? undefined : found.problem
  }

  #target (to: Pid): Target | undefined {
    const entity = this.#processes.getEntity(to)
    return entity !== undefined && isTarget(entity) ? entity : undefined
  }
}
