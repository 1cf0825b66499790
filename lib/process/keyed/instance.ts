import { Actor } from '../actor/actor.js'
import { cancelled } from '../actor/lifecycle.js'
import { isOrderly } from '../exits/exit-signals.js'
import type { ActorHost, ActorOptions } from '../actor/actor.js'
import type { Answer } from '../calls.js'
import type { Clients, UnreadMail } from '../exits/unread-joins.js'
import type { EndOrigin } from '../explain/origin.js'
import type { PendingReceive } from '../actor/pending-receives.js'
import type { FallbackHandler, HandlerTable } from '../actor/service.js'
import type { Mail, TopicFilter } from '../message.js'
import type { Deadline, DeadlineTimer, Slot } from '../../shared/deadline-timer.js'
import type { KeyAnswer } from '../remote/key-directory.js'
import type { StartWaiter } from './start.js'
import type { Pid } from '../../../types/pid.js'

/** The reason of processes whose node has lost the name of their key: their code has not failed. */
export const nameLost = 'name_lost'

/** The key that an instance belongs to. */
export interface InstanceOwner {
  /** It accepts no mail any more: another instance may have the address. */
  mailRefused (instance: Instance, isFailure: boolean): void
  /** It takes no mail any more: another instance may take some. */
  inboxEnded (instance: Instance): void
  /** It is not alive any more. Called before its end is told: that may start another instance. */
  instanceEnds (): void
  instanceEnded (instance: Instance): void
}

/** How an instance lives. */
export interface InstanceTerms {
  readonly owner: InstanceOwner
  readonly deadlines: DeadlineTimer
  /** Milliseconds; 0: never. */
  readonly idle: number
}

/**
 * A process of a key.
 *
 * | state | meaning | leaves it |
 * | --- | --- | --- |
 * | held | its mailbox takes mail, and its body may not start yet | `release` |
 * | starting | its body runs, and has not asked for mail | `serve`, `receive`, `inbox` |
 * | started | it takes mail | the states of `Lifecycle` |
 *
 * It counts the connections that are bound to it by their `ws.join` and `ws.leave`: there is one
 * leave for each join, also of clients of other nodes.
 */
export class Instance extends Actor implements Deadline {
  slot: Slot | undefined
  isHeld = true
  hasStarted = false
  readonly startedAt: number
  readonly #terms: InstanceTerms
  #waiters: StartWaiter[] | undefined
  /** Other nodes that know it as the process of its key. Made when the first one asks. */
  #watchers: Map<string, KeyAnswer> | undefined
  #bound = 0
  #lastMailAt = 0

  constructor (host: ActorHost, pid: Pid, options: ActorOptions, terms: InstanceTerms) {
    super(host, pid, options)
    this.#terms = terms
    this.startedAt = host.clock.now()
  }

  /** Its body may start. */
  release (): void {
    this.isHeld = false
    this.host.scheduler.schedule(this)
  }

  // The start

  /** At once if it has started. */
  whenStarted (waiter: StartWaiter): void {
    if (this.hasStarted) waiter.started(this)
    else (this.#waiters ??= []).push(waiter)
  }

  override serve (handlers: HandlerTable, fallback: FallbackHandler): Promise<void> {
    const served = super.serve(handlers, fallback)
    this.#asksForMail()
    return served
  }

  override takeMailNow (filter: TopicFilter): Mail | undefined {
    this.#asksForMail()
    return super.takeMailNow(filter)
  }

  override addReceive (receive: PendingReceive): void {
    this.#asksForMail()
    super.addReceive(receive)
  }

  #asksForMail (): void {
    if (this.hasStarted || this.refusesMail) return
    this.hasStarted = true
    this.#waitForIdle()
    const waiters = this.#takeWaiters()
    for (const waiter of waiters) waiter.started(this)
  }

  #takeWaiters (): StartWaiter[] {
    const waiters = this.#waiters ?? []
    this.#waiters = undefined
    return waiters
  }

  // Other nodes

  /** @param answer called when it takes no more mail. A later one of that node replaces it */
  watch (node: string, answer: KeyAnswer): void {
    if (this.refusesMail) answer.reply(undefined)
    else (this.#watchers ??= new Map()).set(node, answer)
  }

  // Idle

  override deliver (
    topic: string, payload: unknown, from: Pid | undefined, call?: Answer
  ): boolean {
    if (!super.deliver(topic, payload, from, call)) return false
    if (this.#bound === 0) this.#lastMailAt = this.host.clock.now()
    return true
  }

  override accept (
    topic: string, payload: unknown, from: Pid, bytes: number, call?: Answer
  ): boolean {
    if (!super.accept(topic, payload, from, bytes, call)) return false
    if (topic === 'ws.join') this.#bound++
    else if (topic === 'ws.leave' && --this.#bound === 0 && this.hasStarted) this.#waitForIdle()
    return true
  }

  #waitForIdle (): void {
    const { idle, deadlines } = this.#terms
    this.#lastMailAt = this.host.clock.now()
    if (idle > 0) deadlines.schedule(this, idle)
  }

  due (): void {
    if (this.#bound > 0) return
    const { idle, deadlines } = this.#terms
    const left = this.#lastMailAt + idle - this.host.clock.now()
    const isBusy = this.mailbox.length > 0 || !this.isWaiting
    if (left > 0 || isBusy) deadlines.schedule(this, left > 0 ? left : idle)
    else this.stopWaiting('normal')
  }

  // The end

  /** A body that has not started has nothing to clean up. */
  override cancel (from: Pid | undefined, reason: string, origin?: EndOrigin): boolean {
    if (!this.isHeld) return super.cancel(from, reason, origin)
    this.end('shutdown', undefined, origin ?? { cause: 'cancel', by: from })
    return true
  }

  protected override mailRefused (reason: string): void {
    this.#terms.deadlines.cancel(this)
    // Before anything that this node refuses from now on.
    for (const watcher of this.#watchers?.values() ?? []) watcher.reply(undefined)
    this.#watchers = undefined
    const hasFailed = this.state !== cancelled && !isOrderly(reason) && reason !== nameLost
    // A body that returns without asking for mail could never serve the request that started it.
    const hasNotStarted = this.hasEnded && reason === 'normal' && !this.hasStarted
    this.#terms.owner.mailRefused(this, hasFailed || hasNotStarted)
  }

  /** Mail that is left is of topics that the body has not asked for yet. */
  protected override inboxEnded (): void {
    if (this.state === cancelled && this.mailbox.length > 0) return
    this.#terms.owner.inboxEnded(this)
  }

  override end (reason: string, error?: Error, origin?: EndOrigin, value?: unknown): void {
    if (this.hasEnded) return
    this.#terms.owner.instanceEnds()
    super.end(reason, error, origin, value)
    for (const waiter of this.#takeWaiters()) waiter.startFailed(error)
    this.#terms.owner.instanceEnded(this)
  }

  /** Clients that came while an instance was ending in order are joined to the next one. */
  protected override takeUnreadJoins (reason: string): Clients | undefined {
    if (reason !== 'normal') return super.takeUnreadJoins(reason)
    const mails = this.mailbox.drain()
    const clients = new Map<Pid, UnreadMail[]>()
    let left = mails.length
    for (const { topic, payload, from, bytes, call } of mails) {
      // The caller learns that this process has ended.
      if (from === undefined || call !== undefined) continue
      if (topic === 'ws.join') clients.set(from, [])
      // This client has left already.
      else if (topic === 'ws.leave') clients.delete(from)
      else if (isOfClient(payload, from)) clients.get(from)?.push({ payload, bytes })
    }
    return {
      has: (client) => clients.has(client),
      takeMail: (client) => {
        const mail = clients.get(client)
        if (mail === undefined) return undefined
        clients.set(client, [])
        left -= mail.length
        return mail
      },
      // That of a client that has gone to another process is still here.
      dropMail: () => { this.host.counters.deadLetter('ended', left) }
    }
  }
}

/** Whether it is a message of a client, and not about its connection. */
function isOfClient (payload: unknown, client: Pid): boolean {
  if (typeof payload !== 'object' || payload === null) return false
  const { client_pid: pid, type } = payload as { client_pid?: unknown, type?: unknown }
  return pid === client && type !== undefined
}
