import { errorCodes, show } from '../../errors.js'
import { isTopic } from '../message.js'
import type { Actor } from './actor.js'
import type { Mail } from '../message.js'
import type { PendingReceive } from './pending-receives.js'

/** A test for the topics a `receive` asks for; undefined takes all. */
export type TopicFilter = ((topic: string) => boolean) | undefined

/** @throws `FST_PROCESS_INVALID_TOPIC` for one that no message can have: it would be waited for in vain */
export function toTopicFilter (topic: unknown): TopicFilter {
  if (topic === undefined) return undefined
  if (Array.isArray(topic)) {
    for (const one of topic) checkReceivableTopic(one)
    const wanted = new Set<unknown>(topic)
    return (candidate) => wanted.has(candidate)
  }
  checkReceivableTopic(topic)
  return (candidate) => candidate === topic
}

function checkReceivableTopic (topic: unknown): void {
  if (!isTopic(topic)) throw new errorCodes.FST_PROCESS_INVALID_TOPIC(show(topic))
}

/** A `receive` that waits. */
class ReceiveRequest implements PendingReceive {
  readonly filter: TopicFilter
  nextPending: PendingReceive | undefined
  readonly received: Promise<Mail | undefined>
  readonly #actor: Actor
  #resolve!: (mail: Mail | undefined | Promise<never>) => void

  constructor (actor: Actor, wanted: TopicFilter) {
    this.#actor = actor
    this.filter = wanted
    this.received = new Promise((resolve) => { this.#resolve = resolve })
  }

  fulfill (mail: Mail | undefined): void {
    this.#resolve(mail)
  }

  settleStopped (): void {
    // A process that stops must not take the application down because nobody awaits this any more.
    this.received.catch(ignore)
    this.#resolve(Promise.reject(this.#actor.stopError))
  }
}

/** A `receive` that waits for some milliseconds. */
class TimedReceiveRequest extends ReceiveRequest {
  readonly #timer: NodeJS.Timeout

  constructor (actor: Actor, wanted: TopicFilter, ms: number) {
    super(actor, wanted)
    this.#timer = setTimeout(() => {
      if (actor.expireReceive(this)) super.fulfill(undefined)
    }, ms)
  }

  override fulfill (mail: Mail): void {
    clearTimeout(this.#timer)
    super.fulfill(mail)
  }

  override settleStopped (): void {
    clearTimeout(this.#timer)
    super.settleStopped()
  }
}

function ignore (): void {}

export function receive (actor: Actor, wanted: TopicFilter, ms: number | undefined): Promise<Mail | undefined> {
  const mail = actor.takeMailNow(wanted)
  if (mail !== undefined) return Promise.resolve(mail)
  const receiving = ms === undefined ? new ReceiveRequest(actor, wanted) : new TimedReceiveRequest(actor, wanted, ms)
  actor.addReceive(receiving)
  return receiving.received
}

type Step = IteratorResult<Mail, undefined>

/**
 * The mailbox as an async iterable; leaving it with `break` loses nothing. A hand-written iterator
 * costs a third of a generator, and it is itself what waits for its next step.
 */
export class Inbox implements AsyncIterableIterator<Mail, undefined>, PendingReceive {
  nextPending: PendingReceive | undefined
  readonly #actor: Actor
  #resolve: ((step: Step) => void) | undefined

  constructor (actor: Actor) {
    this.#actor = actor
  }

  get filter (): undefined {
    return undefined
  }

  [Symbol.asyncIterator] (): this {
    return this
  }

  next (): Promise<Step> {
    const value = this.#actor.takeMailNow(undefined)
    if (value !== undefined) return Promise.resolve({ done: false, value })
    // Of steps that are asked for at once each waits for itself.
    const waiter = this.#resolve === undefined ? this : new Inbox(this.#actor)
    return new Promise((resolve) => {
      waiter.#resolve = resolve
      this.#actor.addReceive(waiter)
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
