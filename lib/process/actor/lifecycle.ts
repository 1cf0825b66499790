import { setMaxListeners } from 'node:events'
import { toError } from '../../errors.js'
import { Mail } from '../message.js'
import { Monitors } from '../exits/monitors.js'
import { exitedBy, failed, returned, stopped } from '../explain/origin.js'
import { recordUnreadJoins } from '../exits/unread-joins.js'
import { LazyState } from './lazy-state.js'
import { Mailbox } from './mailbox.js'
import { StopReason } from './stop-reason.js'
import { ProcessTimers } from './timers.js'
import type { Clock } from '../../shared/clock.js'
import type { Mistakes } from './mistakes.js'
import type { PendingOperation, PendingOwner } from '../calls.js'
import type { Counters, EndedProcess } from '../stats/counters.js'
import type { Description } from '../entity.js'
import type { WatermarkLimits } from '../../shared/watermark.js'
import type { EndOrigin } from '../explain/origin.js'
import type { RememberedProcess } from '../explain/ends.js'
import type { FailureLog } from '../exits/failure-log.js'
import type { Clients } from '../exits/unread-joins.js'
import type { MonitorSignals, MonitorsOwner } from '../exits/monitors.js'
import type { Exit, SystemTopics } from '../../../types/messages.js'
import type { Monitor, Pid } from '../../../types/pid.js'

/** The parts of the runtime that the end of a process uses. */
export interface LifecycleHost {
  readonly clock: Clock
  readonly context: { run (task: () => void): void }
  readonly counters: Counters
  readonly exitSignals: MonitorSignals
  readonly failureLog: FailureLog
  readonly mistakes: Mistakes
  processEnded (
    process: EndedProcess & RememberedProcess, exit: Exit, origin: EndOrigin,
    afterwards?: () => void
  ): void
}

/** Spreads cost more than the rest of an exit, and most processes end without both. */
function exitOf (pid: Pid, reason: string, error: Error | undefined, value: unknown): Exit {
  if (error === undefined && value === undefined) return { pid, reason }
  return { pid, reason, ...error && { error }, ...value !== undefined && { value } }
}

// The states of a process. It only moves forward, so each event acts in the states before the one
// that it leads to.
export const running = 0
export const cancelled = 1
export const stopping = 2
export const ended = 3
export type ProcessState = typeof running | typeof cancelled | typeof stopping | typeof ended

/**
 * The state of a process, and everything that must be released at its end.
 *
 * A cell is the next state and the exit reason, or what happens in the same state.
 *
 * | event                | running            | cancelled          | stopping           | ended   |
 * | -------------------- | ------------------ | ------------------ | ------------------ | ------- |
 * | `cancel`             | cancelled (1)      | nothing            | nothing            | nothing |
 * | `self.stop` (3)      | stopping (2)       | stopping (2)       | nothing            | nothing |
 * | a handler throws     | stopping (2, 4)    | `serve` rejects    | `serve` rejects    | nothing |
 * | the body returns     | ended: `normal`    | ended: `shutdown`  | ended: stop reason | nothing |
 * | the body throws (5)  | ended: `error` (4) | ended: `shutdown`  | ended: `error` (4) | nothing |
 * | `exit`, a link fails | ended: its reason  | ended: its reason  | ended: its reason  | nothing |
 * | a message arrives    | queued             | refused            | refused            | refused |
 * | `receive`            | waits              | mail, then rejects | rejects            | rejects |
 * | `serve`              | waits              | mail, then returns | returns            | returns |
 *
 * 1. `@cancel` is the last mail, and the signal aborts.
 * 2. Receives reject, `serve` returns, the signal aborts, and mail that is left is not handled.
 * 3. It throws in every state. Its default reason is `normal`, or `shutdown` after a cancel.
 * 4. The exit reason is `error`, with the error, and the error is logged.
 * 5. An error that the stop has caused counts as a return.
 *
 * A field costs 8 bytes in every process. State that few processes need is in `LazyState` or
 * `StopReason`. Methods are `private`, not `#private`: a base class with `#private` methods costs
 * each object 8 bytes more, and time.
 */
export abstract class Lifecycle implements PendingOwner, MonitorsOwner, EndedProcess {
  readonly pid: Pid
  readonly mailbox: Mailbox
  protected readonly host: LifecycleHost
  protected state: ProcessState = running
  /** Undefined while the process runs. */
  protected stopReason: StopReason | undefined
  #lazyState: LazyState | undefined

  constructor (host: LifecycleHost, pid: Pid, mailboxLimits: WatermarkLimits) {
    this.host = host
    this.pid = pid
    this.mailbox = new Mailbox(mailboxLimits)
  }

  abstract readonly kind: EndedProcess['kind']
  abstract readonly label: string
  abstract readonly spawnedAt: number
  abstract readonly uptime: number
  abstract describe (): Description
  abstract notify<K extends keyof SystemTopics> (topic: K, payload: SystemTopics[K]): void
  protected abstract enqueueMail (mail: Mail): void
  /** Schedules a turn when the new exit state gives the process something to do. */
  protected abstract requestTurn (): void
  /** Settles all receives, and the running `serve` unless one of its handlers is busy. */
  protected abstract releaseWaiting (): void
  /** The process has ended: nothing of its body may start or go on waiting. */
  protected abstract releaseAll (): void

  /** From now on it accepts no mail. @param _reason what it ends with, as far as it is known */
  protected mailRefused (_reason: string): void {}

  /** Its body learns that there is no more mail, or none of the topics that it asked for. */
  protected inboxEnded (): void {}

  // State

  get hasEnded (): boolean {
    return this.state === ended
  }

  /** Cancelled, stopping or ended. */
  get refusesMail (): boolean {
    return this.state !== running
  }

  /** The reason of the signal and of rejected receives. Read it only once mail is refused. */
  get stopError (): Error {
    return this.stopReason!.errorFor(this.pid)
  }

  /** @throws `FST_PROCESS_STOPPED` once it has ended */
  checkAlive (): void {
    if (this.hasEnded) throw this.stopError
  }

  get signal (): AbortSignal {
    const { lazyState } = this
    if (lazyState.controller === undefined) {
      lazyState.controller = new AbortController()
      // Node warns of a leak from the 11th listener on. These listeners end with the process,
      // which may have many calls and fetches at once.
      setMaxListeners(0, lazyState.controller.signal)
      if (this.refusesMail) lazyState.controller.abort(this.stopError)
    }
    return lazyState.controller.signal
  }

  /** Abort listeners are code of the process: they run in its async context. */
  private abortSignal (controller = this.#lazyState?.controller): void {
    if (controller === undefined) return
    this.host.context.run(() => { controller.abort(this.stopError) })
  }

  // Events

  /**
   * The driver: nothing else changes the state. The event then acts.
   * @returns false in that state and later ones, where nothing happens
   */
  private advance (
    next: ProcessState, reason: string, failure?: Error, origin?: EndOrigin
  ): boolean {
    if (this.state >= next) return false
    const wasRunning = this.state === running
    this.state = next
    // An end keeps the earlier reason: the signal and rejected receives have it already.
    if (next === ended) this.stopReason ??= new StopReason(reason)
    else {
      this.stopReason = this.stopReason?.withReason(reason, failure, origin) ??
        new StopReason(reason, failure, origin)
    }
    if (wasRunning) this.mailRefused(reason)
    return true
  }

  cancel (
    from: Pid | undefined, reason: string, origin: EndOrigin = { cause: 'cancel', by: from }
  ): boolean {
    if (!this.advance(cancelled, reason, undefined, origin)) return true
    // The last message: nothing is accepted any more.
    this.enqueueMail(new Mail('@cancel', { from, reason } satisfies SystemTopics['@cancel'], from))
    this.requestTurn()
    this.abortSignal()
    return true
  }

  /** `self.stop`: throws in every case. */
  stop (reason: string | undefined, origin?: EndOrigin): never {
    const byDefault = this.state === cancelled ? 'shutdown' : 'normal'
    this.stopWaiting(reason ?? byDefault, undefined, origin)
    throw this.stopError
  }

  protected handlerFailed (thrown: unknown): void {
    if (this.state === running) this.stopWaiting('error', toError(thrown))
  }

  protected stopWaiting (reason: string, failure?: Error, origin?: EndOrigin): void {
    if (!this.advance(stopping, reason, failure, origin)) return
    this.releaseWaiting()
    this.abortSignal()
  }

  protected bodyReturned (value: unknown): void {
    const { stopReason } = this
    if (stopReason === undefined) this.end('normal', undefined, returned, value)
    else if (this.state === cancelled) this.end('shutdown', undefined, stopReason.origin, value)
    else if (stopReason.failure !== undefined) this.crash(stopReason.failure)
    else this.end(stopReason.reason, undefined, stopReason.origin ?? stopped, value)
  }

  protected bodyFailed (thrown: unknown): void {
    const { stopReason } = this
    if (stopReason?.hasCaused(thrown, this.pid) === true) this.bodyReturned(undefined)
    // The clean-up after a cancel failed: the reason stays `shutdown`, with the error beside it.
    else if (this.state === cancelled) this.end('shutdown', toError(thrown), stopReason!.origin)
    else this.crash(toError(thrown))
  }

  private crash (error: Error): void {
    if (this.hasEnded) return
    this.host.failureLog.logFailure(this.pid, error, 'a process has failed')
    this.host.mistakes.processFailed(this.pid, this.describe().label, error)
    this.end('error', error, failed)
  }

  linkFailed (reason: string, error?: Error, because?: Pid): void {
    this.end(reason, error, { cause: 'link', because })
  }

  end (reason: string, error?: Error, origin = exitedBy(reason, undefined), value?: unknown): void {
    if (!this.advance(ended, reason)) return
    const unreadJoins = this.takeUnreadJoins(reason)
    this.host.counters.deadLetter('ended', this.mailbox.clear())
    const lazyState = this.#lazyState
    lazyState?.release(this)
    this.releaseAll()
    const controller = lazyState?.controller
    const exit = exitOf(this.pid, reason, error, value)
    if (unreadJoins !== undefined) recordUnreadJoins(exit, unreadJoins)
    const dropMail = unreadJoins?.dropMail
    const afterwards = dropMail === undefined && controller === undefined
      ? undefined
      : () => {
          dropMail?.()
          if (controller !== undefined) this.abortSignal(controller)
        }
    this.host.processEnded(this, exit, origin, afterwards)
  }

  /** Removes queued updates of a group: the next ones follow a new snapshot of its members. */
  dropGroupUpdates (group: string): void {
    const isUpdate = ({ topic, payload }: Mail): boolean => {
      return topic === '@group' && (payload as SystemTopics['@group']).group === group
    }
    for (;;) {
      const mail = this.mailbox.removeMail(isUpdate)
      if (mail === undefined) return
      this.lazyState.groupUpdates!.removeUpdate(mail.payload as SystemTopics['@group'])
    }
  }

  /** The clients whose `ws.join` nobody has taken; undefined if there are none. */
  protected takeUnreadJoins (_reason: string): Clients | undefined {
    return this.mailbox.sendersOf('ws.join')
  }

  // Released at the end

  /** Created when it is first needed. */
  get lazyState (): LazyState {
    return (this.#lazyState ??= new LazyState())
  }

  get timers (): ProcessTimers {
    return (this.lazyState.timers ??= new ProcessTimers(this.host.clock))
  }

  addPending (operation: PendingOperation): void {
    const pending = this.lazyState.pending ??= new Set()
    pending.add(operation)
  }

  removePending (operation: PendingOperation): void {
    this.#lazyState?.pending?.delete(operation)
  }

  addMonitor (target: Pid): Monitor {
    const monitors = this.lazyState.monitors ??= new Monitors(this.host.exitSignals, this)
    return monitors.addMonitor(target)
  }

  /** Takes an `@exit` that is still in the mailbox back, too. */
  removeMonitor (id: Monitor): void {
    if (this.#lazyState?.monitors?.removeMonitor(id) === true) return
    this.mailbox.removeMail(({ topic, payload }) => {
      return topic === '@exit' && (payload as SystemTopics['@exit']).monitor === id
    })
  }

  /** PIDs that it monitors. */
  protected get monitored (): Pid[] {
    return this.#lazyState?.monitors?.targets ?? []
  }
}
