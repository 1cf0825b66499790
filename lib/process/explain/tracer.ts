import { errorCodes, show } from '../../errors.js'
import { commonFields } from '../../shared/diagnostics.js'
import { checkTrace } from '../options.js'
import { intercept } from './intercept.js'
import { TracedEntity } from './traced-entity.js'
import type { Messenger, SendingProcess } from '../messenger.js'
import type { PidFactory } from '../pid.js'
import type { ProcessTable } from '../registry/process-table.js'
import type { Traceable, TracedEntityHost } from './traced-entity.js'
import type { Pid } from '../../../types/pid.js'
import type { Trace, TraceEvent, TraceOptions } from '../../../types/trace.js'

/** The parts of the runtime that traces use. */
export interface TracerHost extends TracedEntityHost {
  readonly pids: PidFactory
  readonly processTable: ProcessTable
  readonly messenger: Messenger
}

/**
 * `processes.trace`. A trace replaces methods of the process that it shows, and those that send
 * while any trace runs. Without a trace there is no test for one anywhere.
 */
export class Tracer {
  readonly #host: TracerHost
  readonly #traced = new Map<Pid, TracedEntity>()
  /** Present while a trace runs. */
  #releaseMessenger: (() => void) | undefined

  constructor (host: TracerHost) {
    this.#host = host
  }

  /**
   * @throws `FST_PROCESS_NOT_ALIVE` unless it is a process of this node, `FST_PROCESS_INVALID_PID`,
   * `FST_PROCESS_INVALID_OPTIONS`
   */
  trace (to: string, options: TraceOptions, listener: (event: TraceEvent) => void): Trace {
    const terms = checkTrace(options, listener)
    const entity = this.#host.processTable.findEntity(to)
    if (entity === undefined) throw new errorCodes.FST_PROCESS_NOT_ALIVE(show(to))
    const traced = this.#traced.get(entity.pid) ?? this.#begin(entity as Traceable)
    return traced.addListener({ ...terms, listener })
  }

  #begin (entity: Traceable): TracedEntity {
    const { pid } = entity
    const traced = new TracedEntity(this.#host, entity, () => {
      this.#traced.delete(pid)
      if (this.#traced.size > 0) return
      this.#releaseMessenger!()
      this.#releaseMessenger = undefined
    })
    this.#traced.set(pid, traced)
    this.#releaseMessenger ??= this.#interceptMessenger()
    return traced
  }

  #interceptMessenger (): () => void {
    const { messenger } = this.#host
    const releaseSend = intercept(messenger, 'send', (send) => {
      return (to, topic, payload, sender, batch) => {
        const accepted = send(to, topic, payload, sender, batch)
        this.#sent(sender, to, topic, payload, accepted)
        return accepted
      }
    })
    const releaseCall = intercept(messenger, 'call', (call) => {
      return (to, topic, payload, options, caller) => {
        this.#sent(caller, to, topic, payload, undefined)
        return call(to, topic, payload, options, caller)
      }
    })
    return () => {
      releaseCall()
      releaseSend()
    }
  }

  #sent (
    sender: SendingProcess | undefined,
    to: string,
    topic: string,
    payload: unknown,
    accepted: boolean | undefined
  ): void {
    if (sender === undefined) return
    const { pid } = sender
    const { at } = commonFields(this.#host.pids.node)
    this.#traced.get(pid)?.publish({ type: 'sent', pid, at, to, topic, accepted, payload })
  }
}
