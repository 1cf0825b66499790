import { errorCodes, show } from '../../errors.js'
import { isTopic } from '../message.js'
import type { Cancellable, Clock } from '../../shared/clock.js'
import type { Mail, TopicFilter } from '../message.js'
import type { PendingReceive } from './pending-receives.js'

/** The parts of a process that a receive uses. */
export interface ReceiveHost {
  /** The error of a receive that can get no more mail. Read it only while stopping. */
  readonly stopError: Error
  takeMailNow (filter: TopicFilter): Mail | undefined
  addReceive (receive: PendingReceive): void
  expireReceive (receive: PendingReceive): boolean
}

/**
 * @throws `FST_PROCESS_INVALID_TOPIC` for a topic that no message can have, because such a receive
 * would never settle
 */
export function toTopicFilter (topic: unknown): TopicFilter {
  if (topic === undefined) return undefined
  if (Array.isArray(topic)) {
    for (const each of topic) checkReceivableTopic(each)
    const topics = new Set<unknown>(topic)
    return (candidate) => topics.has(candidate)
  }
  checkReceivableTopic(topic)
  return (candidate) => candidate === topic
}

function checkReceivableTopic (topic: unknown): void {
  if (!isTopic(topic)) throw new errorCodes.FST_PROCESS_INVALID_TOPIC(show(topic))
}

/** A pending `receive` without a timeout. */
class ReceiveRequest implements PendingReceive {
  readonly filter: TopicFilter
  nextPending: PendingReceive | undefined
  readonly received: Promise<Mail | undefined>
  readonly #host: ReceiveHost
  #resolve!: (mail: Mail | undefined | Promise<never>) => void

  constructor (host: ReceiveHost, filter: TopicFilter) {
    this.#host = host
    this.filter = filter
    this.received = new Promise((resolve) => { this.#resolve = resolve })
  }

  fulfill (mail: Mail | undefined): void {
    this.#resolve(mail)
  }

  settleStopped (): void {
    // The body may not await this promise any more: that must be no unhandled rejection.
    this.received.catch(ignore)
    this.#resolve(Promise.reject(this.#host.stopError))
  }
}

/** A pending `receive` with a timeout. */
class TimedReceiveRequest extends ReceiveRequest {
  readonly #timer: Cancellable

  constructor (host: ReceiveHost, filter: TopicFilter, ms: number, clock: Clock) {
    super(host, filter)
    this.#timer = clock.after(ms, () => {
      if (host.expireReceive(this)) super.fulfill(undefined)
    })
  }

  override fulfill (mail: Mail): void {
    this.#timer.cancel()
    super.fulfill(mail)
  }

  override settleStopped (): void {
    this.#timer.cancel()
    super.settleStopped()
  }
}

function ignore (): void {}

/** @param ms the timeout; undefined for none */
export function receive (
  host: ReceiveHost, filter: TopicFilter, ms: number | undefined, clock: Clock
): Promise<Mail | undefined> {
  const mail = host.takeMailNow(filter)
  if (mail !== undefined) return Promise.resolve(mail)
  const request = ms === undefined
    ? new ReceiveRequest(host, filter)
    : new TimedReceiveRequest(host, filter, ms, clock)
  host.addReceive(request)
  return request.received
}

type Step = IteratorResult<Mail, undefined>

/**
 * The mailbox as an async iterable. Leaving the loop with `break` loses no message.
 *
 * A hand-written iterator costs a third of an async generator. It is also the pending receive of
 * its own next step.
 */
export class InboxIterator implements AsyncIterableIterator<Mail, undefined>, PendingReceive {
  nextPending: PendingReceive | undefined
  readonly #host: ReceiveHost
  #resolve: ((step: Step) => void) | undefined

  constructor (host: ReceiveHost) {
    this.#host = host
  }

  get filter (): undefined {
    return undefined
  }

  [Symbol.asyncIterator] (): this {
    return this
  }

  next (): Promise<Step> {
    const value = this.#host.takeMailNow(undefined)
    if (value !== undefined) return Promise.resolve({ done: false, value })
    // `next` was called again before the step before it settled: each step is a receive of its own.
    const pending = this.#resolve === undefined ? this : new InboxIterator(this.#host)
    return new Promise((resolve) => {
      pending.#resolve = resolve
      this.#host.addReceive(pending)
    })
  }

  return (): Promise<Step> {
    return Promise.resolve({ done: true, value: undefined })
  }

  fulfill (value: Mail): void {
    const resolve = this.#resolve!
    this.#resolve = undefined
    resolve({ done: false, value })
  }

  settleStopped (): void {
    const resolve = this.#resolve!
    this.#resolve = undefined
    resolve({ done: true, value: undefined })
  }
}
