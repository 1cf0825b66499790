import { errorCodes, show } from '../../errors.js'
import { isTopic } from '../message.js'
import type { Actor } from './actor.js'
import type { Mail } from '../message.js'
import type { PendingReceive } from './pending-receives.js'

/** A test for the topics a `receive` asks for; undefined takes all. */
export type Wanted = ((topic: string) => boolean) | undefined

/** @throws `FST_PROCESS_INVALID_TOPIC` for one that no message can have: it would be waited for in vain */
export function wantedTopics (topic: unknown): Wanted {
  if (topic === undefined) return undefined
  if (Array.isArray(topic)) {
    for (const one of topic) checkWanted(one)
    const wanted = new Set<unknown>(topic)
    return (candidate) => wanted.has(candidate)
  }
  checkWanted(topic)
  return (candidate) => candidate === topic
}

function checkWanted (topic: unknown): void {
  if (!isTopic(topic)) throw new errorCodes.FST_PROCESS_INVALID_TOPIC(show(topic))
}

/** A `receive` that waits. */
class Receiving implements PendingReceive {
  readonly wanted: Wanted
  behind: PendingReceive | undefined
  readonly received: Promise<Mail | undefined>
  readonly #actor: Actor
  #resolve!: (mail: Mail | undefined | Promise<never>) => void

  constructor (actor: Actor, wanted: Wanted) {
    this.#actor = actor
    this.wanted = wanted
    this.received = new Promise((resolve) => { this.#resolve = resolve })
  }

  settle (mail: Mail | undefined): void {
    this.#resolve(mail)
  }

  stop (): void {
    // A process that stops must not take the application down because nobody awaits this any more.
    this.received.catch(ignore)
    this.#resolve(Promise.reject(this.#actor.stopError))
  }
}

/** A `receive` that waits for some milliseconds. */
class TimedReceiving extends Receiving {
  readonly #timer: NodeJS.Timeout

  constructor (actor: Actor, wanted: Wanted, ms: number) {
    super(actor, wanted)
    this.#timer = setTimeout(() => {
      if (actor.expire(this)) super.settle(undefined)
    }, ms)
  }

  override settle (mail: Mail): void {
    clearTimeout(this.#timer)
    super.settle(mail)
  }

  override stop (): void {
    clearTimeout(this.#timer)
    super.stop()
  }
}

function ignore (): void {}

export function receive (actor: Actor, wanted: Wanted, ms: number | undefined): Promise<Mail | undefined> {
  const mail = actor.takeNow(wanted)
  if (mail !== undefined) return Promise.resolve(mail)
  const receiving = ms === undefined ? new Receiving(actor, wanted) : new TimedReceiving(actor, wanted, ms)
  actor.enlist(receiving)
  return receiving.received
}

type Step = IteratorResult<Mail, undefined>

/**
 * The mailbox as an async iterable; leaving it with `break` loses nothing. A hand-written iterator
 * costs a third of a generator, and it is itself what waits for its next step.
 */
export class Inbox implements AsyncIterableIterator<Mail, undefined>, PendingReceive {
  behind: PendingReceive | undefined
  readonly #actor: Actor
  #resolve: ((step: Step) => void) | undefined

  constructor (actor: Actor) {
    this.#actor = actor
  }

  get wanted (): undefined {
    return undefined
  }

  [Symbol.asyncIterator] (): this {
    return this
  }

  next (): Promise<Step> {
    const value = this.#actor.takeNow(undefined)
    if (value !== undefined) return Promise.resolve({ done: false, value })
    // Of steps that are asked for at once each waits for itself.
    const waiter = this.#resolve === undefined ? this : new Inbox(this.#actor)
    return new Promise((resolve) => {
      waiter.#resolve = resolve
      this.#actor.enlist(waiter)
    })
  }

  return (): Promise<Step> {
    return Promise.resolve({ done: true, value: undefined })
  }

  settle (value: Mail): void {
    const resolve = this.#resolve!
    this.#resolve = undefined
    resolve({ done: false, value })
  }

  stop (): void {
    const resolve = this.#resolve!
    this.#resolve = undefined
    resolve({ done: true, value: undefined })
  }
}
