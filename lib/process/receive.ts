import { errorCodes, show } from '../errors.js'
import { isTopic } from './message.js'
import type { Actor } from './actor.js'
import type { Mail } from './message.js'

/** A test for the topics a `receive` asks for; undefined takes all. */
export type Wanted = ((topic: string) => boolean) | undefined

/** A body that waits for mail. */
export interface Waiter {
  readonly wanted: Wanted
  /** Who waits after it. */
  next: Waiter | undefined
  /** Hands it a message. */
  settle (mail: Mail): void
  /** There will be no more mail. */
  stop (): void
}

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

/** A `receive` that waits, for ever or for some milliseconds. */
class Receiving implements Waiter {
  readonly wanted: Wanted
  next: Waiter | undefined
  readonly received: Promise<Mail | undefined>
  readonly #actor: Actor
  #resolve!: (mail: Mail | undefined) => void
  #reject!: (reason: Error) => void
  #timer: NodeJS.Timeout | undefined

  constructor (actor: Actor, wanted: Wanted, ms: number | undefined) {
    this.#actor = actor
    this.wanted = wanted
    this.received = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (ms === undefined) return
    this.#timer = setTimeout(() => {
      if (actor.expire(this)) this.#resolve(undefined)
    }, ms)
  }

  settle (mail: Mail): void {
    clearTimeout(this.#timer)
    this.#resolve(mail)
  }

  stop (): void {
    clearTimeout(this.#timer)
    // A process that stops must not take the application down because nobody awaits this any more.
    this.received.catch(() => {})
    this.#reject(this.#actor.stopError)
  }
}

export function receive (actor: Actor, wanted: Wanted, ms: number | undefined): Promise<Mail | undefined> {
  const mail = actor.takeNow(wanted)
  if (mail !== undefined) return Promise.resolve(mail)
  const receiving = new Receiving(actor, wanted, ms)
  actor.enlist(receiving)
  return receiving.received
}

/** A loop over the inbox, one step of it: a hand-written iterator costs a third of a generator. */
class NextStep implements Waiter {
  readonly wanted: undefined
  next: Waiter | undefined
  readonly #resolve: (step: IteratorResult<Mail, undefined>) => void

  constructor (resolve: (step: IteratorResult<Mail, undefined>) => void) {
    this.#resolve = resolve
  }

  settle (value: Mail): void {
    this.#resolve({ done: false, value })
  }

  stop (): void {
    this.#resolve({ done: true, value: undefined })
  }
}

/** The mailbox as an async iterable; leaving it with `break` loses nothing. */
export class Inbox implements AsyncIterableIterator<Mail, undefined> {
  readonly #actor: Actor

  constructor (actor: Actor) {
    this.#actor = actor
  }

  [Symbol.asyncIterator] (): this {
    return this
  }

  next (): Promise<IteratorResult<Mail, undefined>> {
    const value = this.#actor.takeNow(undefined)
    if (value !== undefined) return Promise.resolve({ done: false, value })
    return new Promise((resolve) => { this.#actor.enlist(new NextStep(resolve)) })
  }

  return (): Promise<IteratorResult<Mail, undefined>> {
    return Promise.resolve({ done: true, value: undefined })
  }
}
