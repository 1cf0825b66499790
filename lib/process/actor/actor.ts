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
import { dismissed, enlisted, isWaiting, waiterFor } from './pending-receives.js'
import type { Answer } from '../calls.js'
import type { Description, Target } from '../entity.js'
import type { Pending, PendingOwner } from '../exits/exit-wait.js'
import type { Producer, MailboxLimits } from './mailbox.js'
import type { Handlers, Otherwise } from './service.js'
import type { Wanted } from './receive.js'
import type { Runtime } from '../runtime.js'
import type { Runnable } from '../scheduler.js'
import type { PendingReceive } from './pending-receives.js'
import type { Cluster } from '../../../types/cluster.js'
import type { SystemTopics } from '../../../types/messages.js'
import type { Monitor, Pid } from '../../../types/pid.js'
import type { Groups, Logger, ProcessInfo } from '../../../types/processes.js'

/** Messages a process may handle in one turn. The clock is looked at between turns only. */
const slice = 16
/** Messages it may send in one turn, but for what one handler sends: a broadcast is work as well. */
const mostSent = 256

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
  #start: ActorOptions | undefined
  #slice = 0
  /** The first who waits for mail. */
  #waiter: PendingReceive | undefined
  #service: Service | undefined
  /** Told to stop by `cancel` (mail already there comes first), or from inside; or it has ended. */
  #told: 'cancel' | 'stop' | 'end' | undefined
  #stopping: StopReason | undefined
  #extras: LazyState | undefined

  constructor (runtime: Runtime, pid: Pid, options: ActorOptions) {
    this.runtime = runtime
    this.pid = pid
    this.kind = options.kind
    this.#label = options.label
    this.#start = options
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
    this.#push(new Mail(topic, payload, from, call))
    return true
  }

  accept (topic: string, payload: unknown, from: Pid, bytes: number): void {
    if (this.stopping) this.runtime.counters.refused++
    else this.#push(new Mail(topic, payload, from, undefined, bytes))
  }

  notify<K extends keyof SystemTopics> (topic: K, payload: SystemTopics[K]): void {
    if (this.stopping) return
    if (topic === '@group') {
      const news = payload as SystemTopics['@group']
      const groupNews = this.#extra.groupNews ??= new GroupUpdates()
      if (this.mailbox.full && groupNews.merge(news)) return
      groupNews.waits(news)
    }
    this.#push(new Mail(topic, payload, undefined))
  }

  get congested (): boolean {
    return this.mailbox.congested
  }

  wait (feeder: Producer): void {
    this.mailbox.wait(feeder)
  }

  forget (feeder: Producer): void {
    this.mailbox.forget(feeder)
  }

  #push (mail: Mail): void {
    this.runtime.counters.sent++
    this.mailbox.push(mail)
    // A selective receive is not woken to look through its whole mailbox in vain.
    if (this.#service?.busy === false || waiterFor(this.#waiter, mail.topic) !== undefined) this.runtime.scheduler.schedule(this)
  }

  // Mail out

  #take (wanted?: Wanted): Mail | undefined {
    const mail = this.mailbox.take(wanted)
    if (mail === undefined) return undefined
    this.#slice--
    this.runtime.counters.delivered++
    if (mail.topic === '@group') this.#extra.groupNews!.taken(mail.payload as SystemTopics['@group'])
    return mail
  }

  /** A message for code that asks right now: none when its turn is over, or others wait before it. */
  takeNow (wanted: Wanted): Mail | undefined {
    if (this.mailbox.length === 0 || this.#slice <= 0 || this.#waiter !== undefined || this.#told === 'stop') return undefined
    return this.runtime.scheduler.mayGoOn() ? this.#take(wanted) : undefined
  }

  /** A body waits for mail: it gets it at a later turn. */
  enlist (waiter: PendingReceive): void {
    if (this.#isOver(waiter)) {
      this.#turnAway(waiter)
      return
    }
    this.#waiter = enlisted(this.#waiter, waiter)
    this.#wake()
  }

  /** Code that asks again and again in vain, in a loop that catches all, must let the event loop breathe. */
  #turnAway (waiter: PendingReceive): void {
    if (this.#extra.turnedAway) this.runtime.scheduler.afterBreath(() => { waiter.stop() })
    else waiter.stop()
    this.#extra.turnedAway = true
  }

  /** The time of a waiter is over: it gets what is there, and nothing otherwise. @returns whether it got nothing */
  expire (waiter: PendingReceive): boolean {
    this.#attend()
    if (!isWaiting(this.#waiter, waiter)) return false
    this.#waiter = dismissed(this.#waiter, waiter)
    return true
  }

  /** Whether no message will ever come for this waiter. */
  #isOver (waiter: PendingReceive): boolean {
    return this.ended || this.#told === 'stop' || (this.#told === 'cancel' && !this.mailbox.has(waiter.wanted))
  }

  serve (handlers: Handlers, otherwise: Otherwise): Promise<void> {
    if (this.#service !== undefined) throw new errorCodes.FST_PROCESS_ALREADY_SERVING(this.pid)
    const service = new Service(handlers, otherwise)
    this.#service = service
    if (this.ended || this.#told === 'stop') this.#settleService()
    else this.#wake()
    return service.over
  }

  // Turns

  /** Asks for a turn if somebody waits for one. */
  #wake (): void {
    if (this.#waiter === undefined && this.#service?.busy !== false) return
    if (this.mailbox.length > 0 || this.#told !== undefined) this.runtime.scheduler.schedule(this)
  }

  turn (): boolean {
    if (this.ended) return false
    this.#slice = slice
    const start = this.#start
    if (start !== undefined) {
      this.#start = undefined
      return this.#run(start)
    }
    const attended = this.#attend()
    const service = this.#service
    return service?.busy === false ? this.#handleMail(service) || attended : attended
  }

  #run ({ body, args }: ActorOptions): boolean {
    try {
      const result = body(new Self(this.runtime, this), ...args)
      const promise = asPromise(result)
      if (promise === undefined) this.#returned(result)
      else if (promise === this.#service?.over) this.#service.isBody = true
      else this.#follow(promise)
      return promise !== undefined
    } catch (thrown) {
      this.#failed(thrown)
      return false
    }
  }

  /** Ends with a promise. Bound functions take less memory than closures, and wait as long as the process lives. */
  #follow (promise: Promise<unknown>): void {
    promise.then(this.#returned.bind(this), this.#failed.bind(this))
  }

  /** Gives those who wait what is there for them. @returns whether anybody goes on */
  #attend (): boolean {
    let goesOn = false
    for (let waiter = this.#waiter; waiter !== undefined; waiter = waiter.behind) {
      const mail = this.#take(waiter.wanted)
      if (mail === undefined && !this.#isOver(waiter)) continue
      this.#waiter = dismissed(this.#waiter, waiter)
      if (mail === undefined) waiter.stop()
      else waiter.settle(mail)
      goesOn = true
    }
    return goesOn
  }

  #handleMail (service: Service): boolean {
    const { counters } = this.runtime
    const sendsUpTo = counters.sent + mostSent
    let goesOn = false
    service.busy = true
    while (this.#slice > 0 && counters.sent < sendsUpTo && this.#service === service && this.#told !== 'stop') {
      const mail = this.#take()
      if (mail === undefined) break
      // A handler may have left a `receive` behind: it comes first for what it wants.
      const waiter = waiterFor(this.#waiter, mail.topic)
      if (waiter !== undefined) {
        this.#waiter = dismissed(this.#waiter, waiter)
        waiter.settle(mail)
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
      const result = service.handle(mail)
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
    if (this.#told === 'stop' || (this.#told === 'cancel' && this.mailbox.length === 0)) this.#settleService()
    else this.#wake()
  }

  #handlerThrew (service: Service, thrown: unknown): void {
    if (this.#stopping?.hasCaused(thrown, this.pid) === true) {
      // It gave up because of a `cancel`: the mail that is already there still comes first.
      this.#handled(service)
      return
    }
    if (this.#service === service) {
      this.#service = undefined
      if (service.isBody) this.#follow(service.over)
    }
    service.fail(thrown)
    if (!this.stopping) this.#halt('error', toError(thrown))
  }

  #settleService (): void {
    const service = this.#service
    if (service === undefined) return
    this.#service = undefined
    if (service.isBody) this.#follow(service.over)
    service.settle()
  }

  // The end

  get ended (): boolean {
    return this.#told === 'end'
  }

  /** Told to stop, or ended: nothing more is accepted. */
  get stopping (): boolean {
    return this.#told !== undefined
  }

  /** The reason of the signal, and what a `receive` rejects with. Of a process that is stopping only. */
  get stopError (): Error {
    return this.#stopping!.errorFor(this.pid)
  }

  get signal (): AbortSignal {
    const extra = this.#extra
    if (extra.controller === undefined) {
      extra.controller = new AbortController()
      // Node warns of a leak from the 11th listener on. These end with the process, however many calls and fetches it has.
      setMaxListeners(0, extra.controller.signal)
      if (this.stopping) extra.controller.abort(this.stopError)
    }
    return extra.controller.signal
  }

  /** Its listeners are code of the process, whoever has stopped it. */
  #abort (controller = this.#extras?.controller): void {
    if (controller !== undefined) this.runtime.context.run(() => { controller.abort(this.stopError) })
  }

  cancel (from: Pid | undefined, reason: string): boolean {
    if (this.stopping) return true
    // After this nothing is accepted: it is the last message.
    this.#push(new Mail('@cancel', { from, reason }, from))
    this.#told = 'cancel'
    this.#stopping = new StopReason(reason)
    this.#wake()
    this.#abort()
    return true
  }

  /** `self.stop`: throws in every case. */
  stop (reason: string | undefined): never {
    if (!this.ended && this.#told !== 'stop') this.#halt(reason ?? (this.#told === 'cancel' ? 'shutdown' : 'normal'))
    throw this.stopError
  }

  /** Stops from inside: no more mail, whatever is there. */
  #halt (reason: string, failure?: Error): void {
    this.#told = 'stop'
    this.#stopping = this.#stopping?.changed(reason, failure) ?? new StopReason(reason, failure)
    this.#stopWaiting()
    if (this.#service?.busy !== true) this.#settleService()
    this.#abort()
  }

  #stopWaiting (): void {
    for (let waiter = this.#waiter; waiter !== undefined; waiter = waiter.behind) waiter.stop()
    this.#waiter = undefined
  }

  #returned (value: unknown): void {
    const stopping = this.#stopping
    if (stopping === undefined) this.end('normal', undefined, value)
    else if (this.#told === 'cancel') this.end('shutdown', undefined, value)
    else if (stopping.failure === undefined) this.end(stopping.reason, undefined, value)
    else this.#crashed(stopping.failure)
  }

  #failed (thrown: unknown): void {
    if (this.#stopping?.hasCaused(thrown, this.pid) !== true) {
      if (this.#told === 'cancel') {
        // It ends as it was asked to; what its clean-up threw is told beside that.
        this.end('shutdown', toError(thrown))
      } else this.#crashed(toError(thrown))
    } else this.#returned(undefined)
  }

  #crashed (error: Error): void {
    if (this.ended) return
    this.runtime.report(this.pid, error, 'a process has failed')
    this.end('error', error)
  }

  linkFailed (reason: string, error?: Error): void {
    this.end(reason, error)
  }

  end (reason: string, error?: Error, value?: unknown): void {
    if (this.ended) return
    // What it was told before stays the reason of the signal.
    this.#stopping ??= new StopReason(reason)
    this.#told = 'end'
    this.#start = undefined
    const unreadJoins = this.mailbox.sendersOf('ws.join')
    this.runtime.counters.deadLetters += this.mailbox.clear()
    const extras = this.#extras
    extras?.release(this)
    this.#stopWaiting()
    this.#settleService()
    const controller = extras?.controller
    const exit = { pid: this.pid, reason, ...error && { error }, ...value !== undefined && { value } }
    if (unreadJoins !== undefined) recordUnreadJoins(exit, unreadJoins)
    this.runtime.ended(this, exit, controller && (() => { this.#abort(controller) }))
  }

  // What it holds

  get #extra (): LazyState {
    return (this.#extras ??= new LazyState())
  }

  get log (): Logger {
    return (this.#extra.log ??= this.runtime.logger.child({ relayPid: this.pid, ...this.#label !== '' && { relayLabel: this.#label } }))
  }

  /** Its broadcasts are from itself. */
  get groups (): Groups {
    return (this.#extra.groups ??= this.runtime.groupsFor(this))
  }

  /** As `groups`; undefined without a cluster, and until the system has joined. */
  get cluster (): Cluster | undefined {
    return (this.#extra.cluster ??= this.runtime.clusterFor(this))
  }

  /** @throws `FST_PROCESS_STOPPED` once it has ended */
  checkAlive (): void {
    if (this.ended) throw this.stopError
  }

  get timers (): ProcessTimers {
    return (this.#extra.timers ??= new ProcessTimers())
  }

  /** Remembers what it waits for until that is over: it ends with the process. */
  keep (pending: Pending): void {
    const all = this.#extra.pending ??= new Set()
    all.add(pending)
  }

  forgetPending (pending: Pending): void {
    this.#extras?.pending?.delete(pending)
  }

  addMonitor (target: Pid): Monitor {
    const monitors = this.#extra.monitors ??= new Monitors(this.runtime, this)
    return monitors.add(target)
  }

  removeMonitor (id: Monitor): void {
    if (this.#extras?.monitors?.remove(id) === true) return
    this.mailbox.remove((mail) => mail.topic === '@exit' && (mail.payload as SystemTopics['@exit']).monitor === id)
  }

  /** Takes back the news of a group that wait: what it is told of next comes after a new snapshot. */
  dropGroupNews (group: string): void {
    const isNews = (mail: Mail): boolean => mail.topic === '@group' && (mail.payload as SystemTopics['@group']).group === group
    for (let mail = this.mailbox.remove(isNews); mail !== undefined; mail = this.mailbox.remove(isNews)) {
      this.#extra.groupNews!.taken(mail.payload as SystemTopics['@group'])
    }
  }

  describe (): Description {
    return {
      kind: this.kind,
      label: this.#label,
      status: this.#status(),
      mailbox: this.mailbox.length,
      monitors: this.#extras?.monitors?.targets ?? [],
      uptime: performance.now() - this.#startedAt
    }
  }

  #status (): ProcessInfo['status'] {
    if (this.#told !== undefined) return 'exiting'
    return this.#waiter !== undefined || this.#service?.busy === false ? 'waiting' : 'running'
  }
}

/** What code returned, if it goes on; anything with a `then` is awaited, as by `await`. */
function asPromise (result: unknown): Promise<unknown> | undefined {
  if (typeof result !== 'object' || result === null) return undefined
  if (result instanceof Promise) return result
  return typeof (result as { then?: unknown }).then === 'function' ? Promise.resolve(result) : undefined
}
