import { errorCodes, toError } from '../errors.js'
import { GroupNews } from './group-news.js'
import { isSystemTopic, Mail } from './message.js'
import { Mailbox } from './mailbox.js'
import { Monitors } from './monitors.js'
import { ProcessTimers } from './timers.js'
import { Service, unhandled } from './service.js'
import type { Answer, Call, CallOwner } from './calls.js'
import type { Description, Target } from './entity.js'
import type { Feeder } from './mailbox.js'
import type { Handlers, Otherwise } from './service.js'
import type { Waiter, Wanted } from './receive.js'
import type { Runtime } from './runtime.js'
import type { Runnable } from './scheduler.js'
import type { SystemTopics } from '../../types/messages.js'
import type { Monitor, Pid } from '../../types/pid.js'
import type { Logger, ProcessInfo } from '../../types/processes.js'

/** Messages a process may handle in one turn. The clock is looked at between turns only. */
const slice = 16
/** Messages it may send in one turn, but for what one handler sends: a broadcast is work as well. */
const mostSent = 256

/** What to run, and how it was asked for. */
export interface ActorOptions {
  readonly kind: 'process' | 'supervisor'
  readonly label: string
  readonly run: () => unknown
  readonly mailboxLimit: number
  readonly trapLinks: boolean
}

/**
 * One process: its mailbox, who in there gets the mail (a waiting `receive`, or the handlers of
 * `serve`), and its end. What its body sees of it is `self.ts`.
 */
export class Actor implements Target, Runnable, CallOwner {
  readonly pid: Pid
  readonly kind: 'process' | 'supervisor'
  readonly mailbox: Mailbox
  trapLinks: boolean
  queued = false
  ended = false
  readonly #runtime: Runtime
  readonly #label: string
  readonly #startedAt: number
  #run: (() => unknown) | undefined
  #slice = 0
  /** Who waits for mail, in order; each knows the next. */
  #waiter: Waiter | undefined
  #turnedAway = false
  #service: Service | undefined
  /** Told to stop: by `cancel` (mail already there comes first), or from inside. */
  #told: 'cancel' | 'stop' | undefined
  #stopReason: string | undefined
  #stopError: Error | undefined
  /** What a handler threw: it ends the process, whatever the body makes of it. */
  #failure: Error | undefined
  #controller: AbortController | undefined
  #timers: ProcessTimers | undefined
  #log: Logger | undefined
  #monitors: Monitors | undefined
  #calls: Set<Call> | undefined
  #groupNews: GroupNews | undefined

  constructor (runtime: Runtime, pid: Pid, options: ActorOptions) {
    this.#runtime = runtime
    this.pid = pid
    this.kind = options.kind
    this.#label = options.label
    this.#run = options.run
    this.trapLinks = options.trapLinks
    this.mailbox = new Mailbox(options.mailboxLimit, runtime.mailboxBytes)
    this.#startedAt = performance.now()
  }

  // Mail in

  deliver (topic: string, payload: unknown, from: Pid | undefined, call?: Answer): boolean {
    if (this.stopping || this.mailbox.full) {
      this.#runtime.counters.refused++
      return false
    }
    this.#push(new Mail(topic, payload, from, call))
    return true
  }

  accept (topic: string, payload: unknown, from: Pid, bytes: number): void {
    if (this.stopping) this.#runtime.counters.refused++
    else this.#push(new Mail(topic, payload, from, undefined, bytes))
  }

  notify<K extends keyof SystemTopics> (topic: K, payload: SystemTopics[K]): void {
    if (this.stopping) return
    if (topic === '@group') {
      const news = payload as SystemTopics['@group']
      this.#groupNews ??= new GroupNews()
      if (this.mailbox.full && this.#groupNews.merge(news)) return
      this.#groupNews.waits(news)
    }
    this.#push(new Mail(topic, payload, undefined))
  }

  get congested (): boolean {
    return this.mailbox.congested
  }

  wait (feeder: Feeder): void {
    this.mailbox.wait(feeder)
  }

  forget (feeder: Feeder): void {
    this.mailbox.forget(feeder)
  }

  #push (mail: Mail): void {
    this.#runtime.counters.sent++
    this.mailbox.push(mail)
    // A selective receive is not woken to look through its whole mailbox in vain.
    if (this.#service?.busy === false || this.#waiterFor(mail.topic) !== undefined) this.#runtime.scheduler.schedule(this)
  }

  // Mail out

  #take (wanted?: Wanted): Mail | undefined {
    const mail = this.mailbox.take(wanted)
    if (mail === undefined) return undefined
    this.#slice--
    this.#runtime.counters.delivered++
    if (mail.topic === '@group') this.#groupNews!.taken(mail.payload as SystemTopics['@group'])
    return mail
  }

  /** A message for code that asks right now: none when its turn is over, or others wait before it. */
  takeNow (wanted: Wanted): Mail | undefined {
    if (this.mailbox.length === 0 || this.#slice <= 0 || this.#waiter !== undefined || this.#told === 'stop') return undefined
    return this.#runtime.scheduler.mayGoOn() ? this.#take(wanted) : undefined
  }

  /** A body waits for mail: it gets it at a later turn. */
  enlist (waiter: Waiter): void {
    if (this.#isOver(waiter)) {
      this.#turnAway(waiter)
      return
    }
    if (this.#waiter === undefined) this.#waiter = waiter
    else {
      let last = this.#waiter
      while (last.next !== undefined) last = last.next
      last.next = waiter
    }
    this.#wake()
  }

  /** Code that asks again and again in vain, in a loop that catches all, must let the event loop breathe. */
  #turnAway (waiter: Waiter): void {
    if (this.#turnedAway) this.#runtime.scheduler.afterBreath(() => { waiter.stop() })
    else waiter.stop()
    this.#turnedAway = true
  }

  /** The time of a waiter is over: it gets what is there, and nothing otherwise. @returns whether it got nothing */
  expire (waiter: Waiter): boolean {
    this.#attend()
    return this.#dismiss(waiter)
  }

  #waiterFor (topic: string): Waiter | undefined {
    let waiter = this.#waiter
    while (waiter?.wanted !== undefined && !waiter.wanted(topic)) waiter = waiter.next
    return waiter
  }

  #dismiss (waiter: Waiter): boolean {
    if (this.#waiter === waiter) {
      this.#waiter = waiter.next
      return true
    }
    for (let other = this.#waiter; other !== undefined; other = other.next) {
      if (other.next !== waiter) continue
      other.next = waiter.next
      return true
    }
    return false
  }

  /** Whether no message will ever come for this waiter. */
  #isOver (waiter: Waiter): boolean {
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
    if (this.mailbox.length > 0 || this.#told !== undefined) this.#runtime.scheduler.schedule(this)
  }

  turn (): boolean {
    if (this.ended) return false
    this.#slice = slice
    const run = this.#run
    if (run !== undefined) {
      this.#run = undefined
      return this.#start(run)
    }
    const attended = this.#attend()
    const service = this.#service
    return service?.busy === false ? this.#handleMail(service) || attended : attended
  }

  #start (run: () => unknown): boolean {
    try {
      const result = run()
      const promise = asPromise(result)
      if (promise === undefined) this.#returned(result)
      else promise.then((value) => { this.#returned(value) }, (thrown) => { this.#failed(thrown) })
      return promise !== undefined
    } catch (thrown) {
      this.#failed(thrown)
      return false
    }
  }

  /** Gives those who wait what is there for them. @returns whether anybody goes on */
  #attend (): boolean {
    let goesOn = false
    for (let waiter = this.#waiter; waiter !== undefined; waiter = waiter.next) {
      const mail = this.#take(waiter.wanted)
      if (mail === undefined && !this.#isOver(waiter)) continue
      this.#dismiss(waiter)
      if (mail === undefined) waiter.stop()
      else waiter.settle(mail)
      goesOn = true
    }
    return goesOn
  }

  #handleMail (service: Service): boolean {
    const { counters } = this.#runtime
    const sendsUpTo = counters.sent + mostSent
    let goesOn = false
    service.busy = true
    while (this.#slice > 0 && counters.sent < sendsUpTo && this.#service === service && this.#told !== 'stop') {
      const mail = this.#take()
      if (mail === undefined) break
      // A handler may have left a `receive` behind: it comes first for what it wants.
      const waiter = this.#waiterFor(mail.topic)
      if (waiter !== undefined) {
        this.#dismiss(waiter)
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
      this.#runtime.counters.deadLetters++
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
    if (this.#told !== undefined && this.#isStopError(thrown)) {
      // It gave up because of a `cancel`: the mail that is already there still comes first.
      this.#handled(service)
      return
    }
    if (this.#service === service) this.#service = undefined
    service.fail(thrown)
    if (this.stopping) return
    this.#failure = toError(thrown)
    this.#halt('error')
  }

  #settleService (): void {
    this.#service?.settle()
    this.#service = undefined
  }

  // The end

  /** Told to stop, or ended: nothing more is accepted. */
  get stopping (): boolean {
    return this.#told !== undefined || this.ended
  }

  /** The reason of the signal, and what a `receive` rejects with. Of a process that is stopping only. */
  get stopError (): Error {
    this.#stopError ??= new errorCodes.FST_PROCESS_STOPPED(this.pid, this.#stopReason!)
    return this.#stopError
  }

  get signal (): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.stopping) this.#controller.abort(this.stopError)
    }
    return this.#controller.signal
  }

  cancel (from: Pid | undefined, reason: string): boolean {
    if (this.stopping) return true
    this.#stopReason = reason
    // After this nothing is accepted: it is the last message.
    this.#push(new Mail('@cancel', { from, reason }, from))
    this.#told = 'cancel'
    this.#wake()
    this.#controller?.abort(this.stopError)
    return true
  }

  /** `self.stop`: throws in every case. */
  stop (reason: string | undefined): never {
    if (!this.ended && this.#told !== 'stop') this.#halt(reason ?? (this.#told === 'cancel' ? 'shutdown' : 'normal'))
    throw this.stopError
  }

  /** Stops from inside: no more mail, whatever is there. */
  #halt (reason: string): void {
    this.#told = 'stop'
    this.#stopReason = reason
    this.#stopWaiting()
    if (this.#service?.busy !== true) this.#settleService()
    this.#controller?.abort(this.stopError)
  }

  #stopWaiting (): void {
    for (let waiter = this.#waiter; waiter !== undefined; waiter = waiter.next) waiter.stop()
    this.#waiter = undefined
  }

  #returned (value: unknown): void {
    if (this.#told === undefined) this.end('normal', undefined, value)
    else if (this.#told === 'cancel') this.end('shutdown', undefined, value)
    else if (this.#failure === undefined) this.end(this.#stopReason!, undefined, value)
    else this.#crashed(this.#failure)
  }

  #failed (thrown: unknown): void {
    if (this.#told === undefined || !this.#isStopError(thrown)) {
      if (this.#told === 'cancel') {
        // It ends as it was asked to; what its clean-up threw is told beside that.
        this.end('shutdown', toError(thrown))
      } else this.#crashed(toError(thrown))
    } else this.#returned(undefined)
  }

  #crashed (error: Error): void {
    if (this.ended) return
    this.#runtime.report(this.pid, error, 'a process has failed')
    this.end('error', error)
  }

  /** Thrown by `stop` or `receive`, or by what was given the signal. */
  #isStopError (thrown: unknown): boolean {
    if (thrown === this.stopError) return true
    try {
      const { name, cause } = toError(thrown)
      return name === 'AbortError' || cause === this.stopError
    } catch {
      // A getter of its own has thrown.
      return false
    }
  }

  linkFailed (reason: string, error?: Error): void {
    this.end(reason, error)
  }

  end (reason: string, error?: Error, value?: unknown): void {
    if (this.ended) return
    this.ended = true
    this.#stopReason ??= reason
    this.#runtime.counters.deadLetters += this.mailbox.clear()
    this.#timers?.cancelAll()
    this.#monitors?.releaseAll()
    this.#run = this.#monitors = this.#groupNews = undefined
    if (this.#calls !== undefined) this.#abandonCalls(this.#calls)
    this.#stopWaiting()
    this.#settleService()
    const controller = this.#controller
    const exit = { pid: this.pid, reason, ...error && { error }, ...value !== undefined && { value } }
    this.#runtime.ended(this, exit, controller && (() => { controller.abort(this.stopError) }))
  }

  #abandonCalls (calls: Set<Call>): void {
    this.#calls = undefined
    for (const call of calls) call.abandon(this.stopError)
  }

  // What it holds

  get log (): Logger {
    this.#log ??= this.#runtime.logger.child({ pid: this.pid })
    return this.#log
  }

  /** @throws `FST_PROCESS_STOPPED` once it has ended */
  checkAlive (): void {
    if (this.ended) throw this.stopError
  }

  get timers (): ProcessTimers {
    this.#timers ??= new ProcessTimers()
    return this.#timers
  }

  /** Remembers a call until it is over: it ends with the process. */
  keep (call: Call): void {
    this.#calls ??= new Set()
    this.#calls.add(call)
  }

  callOver (call: Call): void {
    this.#calls?.delete(call)
  }

  addMonitor (target: Pid): Monitor {
    this.#monitors ??= new Monitors(this.#runtime, this)
    return this.#monitors.add(target)
  }

  removeMonitor (id: Monitor): void {
    if (this.#monitors?.remove(id) === true) return
    this.mailbox.remove((mail) => mail.topic === '@exit' && (mail.payload as SystemTopics['@exit']).monitor === id)
  }

  /** Takes back the news of a group that wait: what it is told of next comes after a new snapshot. */
  dropGroupNews (group: string): void {
    const isNews = (mail: Mail): boolean => mail.topic === '@group' && (mail.payload as SystemTopics['@group']).group === group
    for (let mail = this.mailbox.remove(isNews); mail !== undefined; mail = this.mailbox.remove(isNews)) {
      this.#groupNews!.taken(mail.payload as SystemTopics['@group'])
    }
  }

  describe (): Description {
    return {
      kind: this.kind,
      label: this.#label,
      status: this.#status(),
      mailbox: this.mailbox.length,
      monitors: this.#monitors?.targets ?? [],
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
