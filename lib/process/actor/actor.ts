import { setMaxListeners } from 'node:events'
import { errorCodes, toError } from '../../errors.js'
import { LazyState } from './lazy-state.js'
import { GroupUpdates } from '../registry/group-updates.js'
import { isSystemTopic, Mail } from '../message.js'
import { Mailbox } from './mailbox.js'
import { Monitors } from '../exits/monitors.js'
import { ProcessTimers } from './timers.js'
import { Self } from './self.js'
import { Service, unhandled } from './service.js'
import { StopReason } from './stop-reason.js'
import { recordUnreadJoins } from '../unread-joins.js'
import { removeReceive, appendReceive, includesReceive, findReceive } from './pending-receives.js'
import type { Answer } from '../calls.js'
import type { Description, Target } from '../entity.js'
import type { PendingOperation, PendingOwner } from '../exits/exit-wait.js'
import type { Producer, MailboxLimits } from './mailbox.js'
import type { Handlers, FallbackHandler } from './service.js'
import type { TopicFilter } from './receive.js'
import type { Runtime } from '../runtime.js'
import type { Runnable } from '../scheduler.js'
import type { PendingReceive } from './pending-receives.js'
import type { Cluster } from '../../../types/cluster.js'
import type { SystemTopics } from '../../../types/messages.js'
import type { Monitor, Pid } from '../../../types/pid.js'
import type { Groups, Logger, ProcessInfo } from '../../../types/processes.js'

/** Messages a process may handle in one turn. The clock is looked at between turns only. */
const mailPerTurn = 16
/** Messages it may send in one turn, but for what one handler sends: a broadcast is work as well. */
const sendsPerTurn = 256

/** What to run, and how it was asked for. */
export interface ActorOptions {
  readonly kind: 'process' | 'supervisor'
  readonly label: string
  readonly body: (self: unknown, ...args: unknown[]) => unknown
  readonly args: readonly unknown[]
  readonly mailboxLimits: MailboxLimits
  readonly trapLinks: boolean
}

/**
 * One process: its mailbox, who in there gets the mail (a waiting `receive`, or the handlers of
 * `serve`), and its end. What its body sees of it is `self.ts`. Each field costs every process 8
 * bytes: what only some need is in `extras.ts`, or in `Stopping`.
 */
export class Actor implements Target, Runnable, PendingOwner {
  readonly pid: Pid
  readonly kind: 'process' | 'supervisor'
  readonly mailbox: Mailbox
  trapLinks: boolean
  queued = false
  readonly runtime: Runtime
  readonly #label: string
  /** In whole milliseconds: a fraction takes memory of its own. */
  readonly #startedAt: number
  /** What it was started with; undefined once it runs. */
  #startOptions: ActorOptions | undefined
  #mailLeft = 0
  /** The first who waits for mail. */
  #firstReceive: PendingReceive | undefined
  #service: Service | undefined
  /** Told to stop by `cancel` (mail already there comes first), or from inside; or it has ended. */
  #exitState: 'cancel' | 'stop' | 'end' | undefined
  #stopReason: StopReason | undefined
  #lazyState: LazyState | undefined

  constructor (runtime: Runtime, pid: Pid, options: ActorOptions) {
    this.runtime = runtime
    this.pid = pid
    this.kind = options.kind
    this.#label = options.label
    this.#startOptions = options
    this.trapLinks = options.trapLinks
    this.mailbox = new Mailbox(options.mailboxLimits)
    this.#startedAt = Math.floor(performance.now())
  }

  // Mail in

  deliver (topic: string, payload: unknown, from: Pid | undefined, call?: Answer): boolean {
    if (this.stopping || this.mailbox.full) {
      this.runtime.counters.refused++
      return false
    }
    this.#enqueueMail(new Mail(topic, payload, from, call))
    return true
  }

  accept (topic: string, payload: unknown, from: Pid, bytes: number): void {
    if (this.stopping) this.runtime.counters.refused++
    else this.#enqueueMail(new Mail(topic, payload, from, undefined, bytes))
  }

  notify<K extends keyof SystemTopics> (topic: K, payload: SystemTopics[K]): void {
    if (this.stopping) return
    if (topic === '@group') {
      const news = payload as SystemTopics['@group']
      const groupNews = this.#lazy.groupUpdates ??= new GroupUpdates()
      if (this.mailbox.full && groupNews.mergeUpdate(news)) return
      groupNews.addUpdate(news)
    }
    this.#enqueueMail(new Mail(topic, payload, undefined))
  }

  get congested (): boolean {
    return this.mailbox.congested
  }

  subscribeToDrain (feeder: Producer): void {
    this.mailbox.subscribeToDrain(feeder)
  }

  unsubscribeFromDrain (feeder: Producer): void {
    this.mailbox.unsubscribeFromDrain(feeder)
  }

  #enqueueMail (mail: Mail): void {
    this.runtime.counters.sent++
    this.mailbox.enqueueMail(mail)
    // A selective receive is not woken to look through its whole mailbox in vain.
    if (this.#service?.busy === false || findReceive(this.#firstReceive, mail.topic) !== undefined) this.runtime.scheduler.schedule(this)
  }

  // Mail out

  #dequeueMail (wanted?: TopicFilter): Mail | undefined {
    const mail = this.mailbox.dequeueMail(wanted)
    if (mail === undefined) return undefined
    this.#mailLeft--
    this.runtime.counters.delivered++
    if (mail.topic === '@group') this.#lazy.groupUpdates!.removeUpdate(mail.payload as SystemTopics['@group'])
    return mail
  }

  /** A message for code that asks right now: none when its turn is over, or others wait before it. */
  takeMailNow (wanted: TopicFilter): Mail | undefined {
    if (this.mailbox.length === 0 || this.#mailLeft <= 0 || this.#firstReceive !== undefined || this.#exitState === 'stop') return undefined
    return this.runtime.scheduler.mayContinue() ? this.#dequeueMail(wanted) : undefined
  }

  /** A body waits for mail: it gets it at a later turn. */
  addReceive (waiter: PendingReceive): void {
    if (this.#isReceiveOver(waiter)) {
      this.#settleStoppedReceive(waiter)
      return
    }
    this.#firstReceive = appendReceive(this.#firstReceive, waiter)
    this.#requestTurn()
  }

  /** Code that asks again and again in vain, in a loop that catches all, must let the event loop breathe. */
  #settleStoppedReceive (waiter: PendingReceive): void {
    if (this.#lazy.toldStopped) this.runtime.scheduler.afterYield(() => { waiter.settleStopped() })
    else waiter.settleStopped()
    this.#lazy.toldStopped = true
  }

  /** The time of a waiter is over: it gets what is there, and nothing otherwise. @returns whether it got nothing */
  expireReceive (waiter: PendingReceive): boolean {
    this.#fulfillReceives()
    if (!includesReceive(this.#firstReceive, waiter)) return false
    this.#firstReceive = removeReceive(this.#firstReceive, waiter)
    return true
  }

  /** Whether no message will ever come for this waiter. */
  #isReceiveOver (waiter: PendingReceive): boolean {
    return this.hasEnded || this.#exitState === 'stop' || (this.#exitState === 'cancel' && !this.mailbox.hasMail(waiter.filter))
  }

  serve (handlers: Handlers, otherwise: FallbackHandler): Promise<void> {
    if (this.#service !== undefined) throw new errorCodes.FST_PROCESS_ALREADY_SERVING(this.pid)
    const service = new Service(handlers, otherwise)
    this.#service = service
    if (this.hasEnded || this.#exitState === 'stop') this.#settleService()
    else this.#requestTurn()
    return service.finished
  }

  // Turns

  /** Asks for a turn if somebody waits for one. */
  #requestTurn (): void {
    if (this.#firstReceive === undefined && this.#service?.busy !== false) return
    if (this.mailbox.length > 0 || this.#exitState !== undefined) this.runtime.scheduler.schedule(this)
  }

  turn (): boolean {
    if (this.hasEnded) return false
    this.#mailLeft = mailPerTurn
    const start = this.#startOptions
    if (start !== undefined) {
      this.#startOptions = undefined
      return this.#startBody(start)
    }
    const attended = this.#fulfillReceives()
    const service = this.#service
    return service?.busy === false ? this.#serveMail(service) || attended : attended
  }

  #startBody ({ body, args }: ActorOptions): boolean {
    try {
      const result = body(new Self(this.runtime, this), ...args)
      const promise = asPromise(result)
      if (promise === undefined) this.#bodyReturned(result)
      else if (promise === this.#service?.finished) this.#service.isWholeBody = true
      else this.#endWith(promise)
      return promise !== undefined
    } catch (thrown) {
      this.#bodyFailed(thrown)
      return false
    }
  }

  /** Ends with a promise. Bound functions take less memory than closures, and wait as long as the process lives. */
  #endWith (promise: Promise<unknown>): void {
    promise.then(this.#bodyReturned.bind(this), this.#bodyFailed.bind(this))
  }

  /** Gives those who wait what is there for them. @returns whether anybody goes on */
  #fulfillReceives (): boolean {
    let goesOn = false
    for (let waiter = this.#firstReceive; waiter !== undefined; waiter = waiter.nextPending) {
      const mail = this.#dequeueMail(waiter.filter)
      if (mail === undefined && !this.#isReceiveOver(waiter)) continue
      this.#firstReceive = removeReceive(this.#firstReceive, waiter)
      if (mail === undefined) waiter.settleStopped()
      else waiter.fulfill(mail)
      goesOn = true
    }
    return goesOn
  }

  #serveMail (service: Service): boolean {
    const { counters } = this.runtime
    const sendsUpTo = counters.sent + sendsPerTurn
    let goesOn = false
    service.busy = true
    while (this.#mailLeft > 0 && counters.sent < sendsUpTo && this.#service === service && this.#exitState !== 'stop') {
      const mail = this.#dequeueMail()
      if (mail === undefined) break
      // A handler may have left a `receive` behind: it comes first for what it wants.
      const waiter = findReceive(this.#firstReceive, mail.topic)
      if (waiter !== undefined) {
        this.#firstReceive = removeReceive(this.#firstReceive, waiter)
        waiter.fulfill(mail)
        goesOn = true
        continue
      }
      const pending = this.#handle(service, mail)
      if (pending === undefined) continue
      pending.then(() => { this.#handled(service) }, (thrown) => { this.#handlerThrew(service, thrown) })
      return true
    }
    this.#handled(service)
    return goesOn
  }

  #handle (service: Service, mail: Mail): Promise<unknown> | undefined {
    try {
      const result = service.handleMail(mail)
      if (result !== unhandled) return asPromise(result)
    } catch (thrown) {
      this.#handlerThrew(service, thrown)
      return undefined
    }
    if (!isSystemTopic(mail.topic)) {
      this.runtime.counters.deadLetters++
      if (mail.isCall) mail.fail(new Error('no handler for this topic'))
    }
    return undefined
  }

  /** A handler is through: with a message, or with its turn. */
  #handled (service: Service): void {
    service.busy = false
    if (this.#service !== service) return
    if (this.#exitState === 'stop' || (this.#exitState === 'cancel' && this.mailbox.length === 0)) this.#settleService()
    else this.#requestTurn()
  }

  #handlerThrew (service: Service, thrown: unknown): void {
    if (this.#stopReason?.hasCaused(thrown, this.pid) === true) {
      // It gave up because of a `cancel`: the mail that is already there still comes first.
      this.#handled(service)
      return
    }
    if (this.#service === service) {
      this.#service = undefined
      if (service.isWholeBody) this.#endWith(service.finished)
    }
    service.fail(thrown)
    if (!this.stopping) this.#stopFromInside('error', toError(thrown))
  }

  #settleService (): void {
    const service = this.#service
    if (service === undefined) return
    this.#service = undefined
    if (service.isWholeBody) this.#endWith(service.finished)
    service.finish()
  }

  // The end

  get hasEnded (): boolean {
    return this.#exitState === 'end'
  }

  /** Told to stop, or ended: nothing more is accepted. */
  get stopping (): boolean {
    return this.#exitState !== undefined
  }

  /** The reason of the signal, and what a `receive` rejects with. Of a process that is stopping only. */
  get stopError (): Error {
    return this.#stopReason!.errorFor(this.pid)
  }

  get signal (): AbortSignal {
    const extra = this.#lazy
    if (extra.controller === undefined) {
      extra.controller = new AbortController()
      // Node warns of a leak from the 11th listener on. These end with the process, however many calls and fetches it has.
      setMaxListeners(0, extra.controller.signal)
      if (this.stopping) extra.controller.abort(this.stopError)
    }
    return extra.controller.signal
  }

  /** Its listeners are code of the process, whoever has stopped it. */
  #abortSignal (controller = this.#lazyState?.controller): void {
    if (controller !== undefined) this.runtime.context.run(() => { controller.abort(this.stopError) })
  }

  cancel (from: Pid | undefined, reason: string): boolean {
    if (this.stopping) return true
    // After this nothing is accepted: it is the last message.
    this.#enqueueMail(new Mail('@cancel', { from, reason }, from))
    this.#exitState = 'cancel'
    this.#stopReason = new StopReason(reason)
    this.#requestTurn()
    this.#abortSignal()
    return true
  }

  /** `self.stop`: throws in every case. */
  stop (reason: string | undefined): never {
    if (!this.hasEnded && this.#exitState !== 'stop') this.#stopFromInside(reason ?? (this.#exitState === 'cancel' ? 'shutdown' : 'normal'))
    throw this.stopError
  }

  /** Stops from inside: no more mail, whatever is there. */
  #stopFromInside (reason: string, failure?: Error): void {
    this.#exitState = 'stop'
    this.#stopReason = this.#stopReason?.withReason(reason, failure) ?? new StopReason(reason, failure)
    this.#settleReceives()
    if (this.#service?.busy !== true) this.#settleService()
    this.#abortSignal()
  }

  #settleReceives (): void {
    for (let waiter = this.#firstReceive; waiter !== undefined; waiter = waiter.nextPending) waiter.settleStopped()
    this.#firstReceive = undefined
  }

  #bodyReturned (value: unknown): void {
    const stopping = this.#stopReason
    if (stopping === undefined) this.end('normal', undefined, value)
    else if (this.#exitState === 'cancel') this.end('shutdown', undefined, value)
    else if (stopping.failure === undefined) this.end(stopping.reason, undefined, value)
    else this.#crash(stopping.failure)
  }

  #bodyFailed (thrown: unknown): void {
    if (this.#stopReason?.hasCaused(thrown, this.pid) !== true) {
      if (this.#exitState === 'cancel') {
        // It ends as it was asked to; what its clean-up threw is told beside that.
        this.end('shutdown', toError(thrown))
      } else this.#crash(toError(thrown))
    } else this.#bodyReturned(undefined)
  }

  #crash (error: Error): void {
    if (this.hasEnded) return
    this.runtime.logFailure(this.pid, error, 'a process has failed')
    this.end('error', error)
  }

  linkFailed (reason: string, error?: Error): void {
    this.end(reason, error)
  }

  end (reason: string, error?: Error, value?: unknown): void {
    if (this.hasEnded) return
    // What it was told before stays the reason of the signal.
    this.#stopReason ??= new StopReason(reason)
    this.#exitState = 'end'
    this.#startOptions = undefined
    const unreadJoins = this.mailbox.sendersOf('ws.join')
    this.runtime.counters.deadLetters += this.mailbox.clear()
    const extras = this.#lazyState
    extras?.release(this)
    this.#settleReceives()
    this.#settleService()
    const controller = extras?.controller
    const exit = { pid: this.pid, reason, ...error && { error }, ...value !== undefined && { value } }
    if (unreadJoins !== undefined) recordUnreadJoins(exit, unreadJoins)
    this.runtime.entityEnded(this, exit, controller && (() => { this.#abortSignal(controller) }))
  }

  // What it holds

  get #lazy (): LazyState {
    return (this.#lazyState ??= new LazyState())
  }

  get log (): Logger {
    return (this.#lazy.log ??= this.runtime.logger.child({ relayPid: this.pid, ...this.#label !== '' && { relayLabel: this.#label } }))
  }

  /** Its broadcasts are from itself. */
  get groups (): Groups {
    return (this.#lazy.groups ??= this.runtime.groupsFor(this))
  }

  /** As `groups`; undefined without a cluster, and until the system has joined. */
  get cluster (): Cluster | undefined {
    return (this.#lazy.cluster ??= this.runtime.clusterFor(this))
  }

  /** @throws `FST_PROCESS_STOPPED` once it has ended */
  checkAlive (): void {
    if (this.hasEnded) throw this.stopError
  }

  get timers (): ProcessTimers {
    return (this.#lazy.timers ??= new ProcessTimers())
  }

  /** Remembers what it waits for until that is over: it ends with the process. */
  addPending (pending: PendingOperation): void {
    const all = this.#lazy.pending ??= new Set()
    all.add(pending)
  }

  removePending (pending: PendingOperation): void {
    this.#lazyState?.pending?.delete(pending)
  }

  addMonitor (target: Pid): Monitor {
    const monitors = this.#lazy.monitors ??= new Monitors(this.runtime, this)
    return monitors.addMonitor(target)
  }

  removeMonitor (id: Monitor): void {
    if (this.#lazyState?.monitors?.removeMonitor(id) === true) return
    this.mailbox.removeMail((mail) => mail.topic === '@exit' && (mail.payload as SystemTopics['@exit']).monitor === id)
  }

  /** Takes back the news of a group that wait: what it is told of next comes after a new snapshot. */
  dropGroupUpdates (group: string): void {
    const isNews = (mail: Mail): boolean => mail.topic === '@group' && (mail.payload as SystemTopics['@group']).group === group
    for (let mail = this.mailbox.removeMail(isNews); mail !== undefined; mail = this.mailbox.removeMail(isNews)) {
      this.#lazy.groupUpdates!.removeUpdate(mail.payload as SystemTopics['@group'])
    }
  }

  describe (): Description {
    return {
      kind: this.kind,
      label: this.#label,
      status: this.#status(),
      mailbox: this.mailbox.length,
      monitors: this.#lazyState?.monitors?.targets ?? [],
      uptime: performance.now() - this.#startedAt
    }
  }

  #status (): ProcessInfo['status'] {
    if (this.#exitState !== undefined) return 'exiting'
    return this.#firstReceive !== undefined || this.#service?.busy === false ? 'waiting' : 'running'
  }
}

/** What code returned, if it goes on; anything with a `then` is awaited, as by `await`. */
function asPromise (result: unknown): Promise<unknown> | undefined {
  if (typeof result !== 'object' || result === null) return undefined
  if (result instanceof Promise) return result
  return typeof (result as { then?: unknown }).then === 'function' ? Promise.resolve(result) : undefined
}
