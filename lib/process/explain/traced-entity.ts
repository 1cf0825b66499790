import { commonFields } from '../../shared/diagnostics.js'
import { intercept } from './intercept.js'
import type { Clock } from '../../shared/clock.js'
import type { Mailbox } from '../actor/mailbox.js'
import type { Entity, Target } from '../entity.js'
import type { ExitSignals } from '../exits/exit-signals.js'
import type { FailureLog } from '../exits/failure-log.js'
import type { ExitListener } from '../exits/relations.js'
import type { Mail } from '../message.js'
import type { Exit } from '../../../types/messages.js'
import type { Trace, TraceEvent, TraceOptions } from '../../../types/trace.js'

/** A process, or a connection, with the methods that a trace replaces. */
export type Traceable = Entity &
  ((Pick<Target, 'accept'> & { readonly mailbox: Mailbox }) | TraceableConnection)

interface TraceableConnection {
  readonly mailbox?: undefined
  onMessage (message: Buffer | string, bytes: number): boolean
}

/** The parts of the runtime that a traced entity uses. */
export interface TracedEntityHost {
  readonly clock: Clock
  readonly pids: { readonly node: string }
  readonly exitSignals: ExitSignals
  readonly failureLog: FailureLog
}

/** One call of `trace`. */
interface TraceTerms extends Required<TraceOptions> {
  readonly listener: (event: TraceEvent) => void
}

type Unnamed<E> = E extends unknown ? Omit<E, 'pid' | 'at'> : never

/** A process or connection that is traced, with all its listeners. */
export class TracedEntity implements ExitListener {
  readonly #host: TracedEntityHost
  readonly #entity: Traceable
  readonly #stopped: () => void
  readonly #releases: (() => void)[]
  /** The listeners, with the number of events that each of them still gets. */
  readonly #listeners = new Map<TraceTerms, number>()
  readonly #arrivals = new WeakMap<Mail, number>()

  /** @param stopped called when there is no listener any more */
  constructor (host: TracedEntityHost, entity: Traceable, stopped: () => void) {
    this.#host = host
    this.#entity = entity
    this.#stopped = stopped
    this.#releases = entity.mailbox === undefined
      ? this.#interceptConnection(entity)
      : this.#interceptProcess(entity, entity.mailbox)
    host.exitSignals.monitor(entity.pid, this)
  }

  addListener (terms: TraceTerms): Trace {
    this.#listeners.set(terms, terms.max)
    return { stop: () => { this.#stop(terms) } }
  }

  #stop (terms: TraceTerms): void {
    if (!this.#listeners.delete(terms) || this.#listeners.size > 0) return
    this.#host.exitSignals.demonitor(this.#entity.pid, this)
    for (const release of this.#releases.reverse()) release()
    this.#stopped()
  }

  /** Passes an event to all listeners. It always has the payload: most must not see it. */
  publish (event: TraceEvent): void {
    const { payload, ...without } = { payload: undefined, ...event }
    for (const [terms, left] of this.#listeners) {
      this.#listeners.set(terms, left - 1)
      try {
        terms.listener((terms.payloads ? event : without) as TraceEvent)
      } catch (err) {
        this.#host.failureLog.logFailure(event.pid, err, 'a trace stops: its listener has failed')
        this.#stop(terms)
      }
      if (left === 1) this.#stop(terms)
    }
  }

  #publish (event: Unnamed<TraceEvent>): void {
    const { at } = commonFields(this.#host.pids.node)
    this.publish({ pid: this.#entity.pid, at, ...event } as TraceEvent)
  }

  targetEnded ({ reason, error }: Exit): void {
    this.#publish({ type: 'ended', reason, ...error && { error } })
    for (const terms of [...this.#listeners.keys()]) this.#stop(terms)
  }

  #interceptProcess (entity: Pick<Target, 'deliver' | 'accept'>, mailbox: Mailbox): (() => void)[] {
    return [
      intercept(entity, 'deliver', (deliver) => (topic, payload, from, call, batch) => {
        const accepted = deliver(topic, payload, from, call, batch)
        if (!accepted) this.#publish({ type: 'refused', topic, from, payload })
        return accepted
      }),
      intercept(entity, 'accept', (accept) => (topic, payload, from, bytes, call) => {
        const accepted = accept(topic, payload, from, bytes, call)
        if (!accepted) this.#publish({ type: 'refused', topic, from, payload })
        return accepted
      }),
      intercept(mailbox, 'enqueueMail', (enqueueMail) => (mail) => {
        enqueueMail(mail)
        this.#arrivals.set(mail, this.#host.clock.now())
        const { topic, from, payload } = mail
        this.#publish({ type: 'received', topic, from, mailbox: mailbox.length, payload })
      }),
      intercept(mailbox, 'dequeueMail', (dequeueMail) => (filter) => {
        const mail = dequeueMail(filter)
        if (mail !== undefined) this.#taken(mail)
        return mail
      })
    ]
  }

  #taken (mail: Mail): void {
    const { topic, from, payload } = mail
    const arrived = this.#arrivals.get(mail)
    const waited = arrived === undefined ? undefined : this.#host.clock.now() - arrived
    this.#publish({ type: 'taken', topic, from, waited, payload })
  }

  #interceptConnection (entity: Entity & TraceableConnection): (() => void)[] {
    return [
      intercept(entity, 'deliver', (deliver) => (topic, payload, from, call, batch) => {
        const accepted = deliver(topic, payload, from, call, batch)
        if (accepted) this.#publish({ type: 'received', topic, from, mailbox: 0, payload })
        else this.#publish({ type: 'refused', topic, from, payload })
        return accepted
      }),
      intercept(entity, 'onMessage', (onMessage) => (message, bytes) => {
        const payload = typeof message === 'string' ? Buffer.from(message) : message
        this.#publish({ type: 'client', bytes, binary: payload === message, payload })
        return onMessage(message, bytes)
      })
    ]
  }
}
