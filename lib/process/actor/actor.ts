import { errorCodes } from '../../errors.js'
import { isSystemTopic, Mail } from '../message.js'
import { GroupUpdates } from '../registry/group-updates.js'
import { cancelled, Lifecycle, running, stopping } from './lifecycle.js'
import { appendReceive, findReceive, includesReceive, removeReceive } from './pending-receives.js'
import { asPromise, Service, unhandled } from './service.js'
import type { Answer } from '../calls.js'
import type { Description, Target } from '../entity.js'
import type { TopicFilter } from '../message.js'
import type { Runnable, Scheduler } from '../scheduler.js'
import type { LifecycleHost } from './lifecycle.js'
import type { SpansSlot } from '../../shared/message-spans.js'
import type { Producer, WatermarkLimits } from '../../shared/watermark.js'
import type { PendingReceive } from './pending-receives.js'
import type { FallbackHandler, HandlerTable } from './service.js'
import type { SystemTopics } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { ProcessInfo } from '../../../types/info.js'

/** Messages that a process may handle in one turn. The clock is read between turns only. */
const mailPerTurn = 16
/**
 * A turn ends after this many sends, because broadcasting is work, too. It is checked between
 * handlers: a single handler may send more.
 */
const sendsPerTurn = 256

/** The parts of the runtime that a process uses. */
export interface ActorHost extends LifecycleHost, Readonly<SpansSlot> {
  readonly scheduler: Scheduler
  /** Creates the `self` that the body gets. */
  createSelf (actor: Actor): unknown
}

/** The body of a process, and the options that it is started with. */
export interface ActorOptions {
  readonly kind: 'process' | 'supervisor'
  readonly label: string
  readonly body: (self: unknown, ...args: unknown[]) => unknown
  readonly args: readonly unknown[]
  readonly mailboxLimits: WatermarkLimits
  readonly trapLinks: boolean
}

/**
 * One process: it hands the mail in its mailbox to the pending `receive` calls of its body, or to
 * the handlers of `serve`. Its end is in `Lifecycle`; `Self` is the object that its body gets.
 */
export class Actor extends Lifecycle implements Target, Runnable {
  declare protected readonly host: ActorHost
  readonly kind: 'process' | 'supervisor'
  readonly label: string
  trapLinks: boolean
  queued = false
  /** In whole milliseconds: a fraction would need a heap number. */
  readonly spawnedAt: number
  /** Undefined once the body has started. */
  #startOptions: ActorOptions | undefined
  /** Messages that may still be handled in this turn. */
  #mailLeft = 0
  /** The head of the list of pending receives. */
  #firstReceive: PendingReceive | undefined
  #service: Service | undefined

  constructor (host: ActorHost, pid: Pid, options: ActorOptions) {
    super(host, pid, options.mailboxLimits)
    this.kind = options.kind
    this.label = options.label
    this.#startOptions = options
    this.trapLinks = options.trapLinks
    this.spawnedAt = Math.floor(host.clock.now())
  }

  // Mail in

  deliver (topic: string, payload: unknown, from: Pid | undefined, call?: Answer): boolean {
    const isStopping = this.refusesMail
    if (isStopping || this.mailbox.full) {
      this.host.counters.messageRefused(isStopping ? 'stopping' : 'full')
      return false
    }
    this.enqueueMail(new Mail(topic, payload, from, call))
    return true
  }

  accept (topic: string, payload: unknown, from: Pid, bytes: number, call?: Answer): boolean {
    if (this.refusesMail) return false
    this.enqueueMail(new Mail(topic, payload, from, call, bytes))
    return true
  }

  notify<K extends keyof SystemTopics> (topic: K, payload: SystemTopics[K]): void {
    if (this.refusesMail) return
    if (topic === '@group') {
      const update = payload as SystemTopics['@group']
      const groupUpdates = this.lazyState.groupUpdates ??= new GroupUpdates()
      if (this.mailbox.full && groupUpdates.mergeUpdate(update)) return
      groupUpdates.addUpdate(update)
    }
    this.enqueueMail(new Mail(topic, payload, undefined))
  }

  get congested (): boolean { return this.mailbox.congested }

  subscribeToDrain (producer: Producer): void {
    this.mailbox.subscribeToDrain(producer)
  }

  unsubscribeFromDrain (producer: Producer): void {
    this.mailbox.unsubscribeFromDrain(producer)
  }

  protected override enqueueMail (mail: Mail): void {
    this.host.counters.messageSent()
    this.mailbox.enqueueMail(mail)
    // A receive of other topics is not woken: it would search the whole mailbox for nothing.
    const isWanted = this.#service?.busy === false ||
      findReceive(this.#firstReceive, mail.topic) !== undefined
    if (isWanted) this.host.scheduler.schedule(this)
  }

  // Mail out

  #dequeueMail (filter?: TopicFilter): Mail | undefined {
    const mail = this.mailbox.dequeueMail(filter)
    if (mail === undefined) return undefined
    this.#mailLeft--
    this.host.counters.messageDelivered()
    this.host.spans?.mailTaken(this, mail)
    if (mail.topic === '@group') {
      this.lazyState.groupUpdates!.removeUpdate(mail.payload as SystemTopics['@group'])
    }
    return mail
  }

  /**
   * A message for running code that asks for one. Undefined when there is none, when the turn is
   * over, or when other receives are pending.
   */
  takeMailNow (filter: TopicFilter): Mail | undefined {
    if (this.mailbox.length === 0 || this.#mailLeft <= 0) return undefined
    if (this.#firstReceive !== undefined || this.state === stopping) return undefined
    return this.host.scheduler.mayContinue() ? this.#dequeueMail(filter) : undefined
  }

  /** Adds a receive that gets its message in a later turn. */
  addReceive (receive: PendingReceive): void {
    if (this.#isReceiveOver(receive)) {
      this.#settleStoppedReceive(receive)
      return
    }
    this.host.spans?.mailAwaited(this)
    this.#firstReceive = appendReceive(this.#firstReceive, receive)
    this.requestTurn()
  }

  /** Yields first from the second time on: a loop that catches the error must not block others. */
  #settleStoppedReceive (receive: PendingReceive): void {
    const { lazyState } = this
    if (lazyState.toldStopped) this.host.scheduler.afterYield(() => { receive.settleStopped() })
    else receive.settleStopped()
    lazyState.toldStopped = true
    this.inboxEnded()
  }

  /**
   * A receive timed out. It still gets a matching message that is in the mailbox.
   * @returns true when it got none
   */
  expireReceive (receive: PendingReceive): boolean {
    this.#fulfillReceives()
    if (!includesReceive(this.#firstReceive, receive)) return false
    this.#firstReceive = removeReceive(this.#firstReceive, receive)
    return true
  }

  /** Whether the state rules out a message for this receive. */
  #isReceiveOver ({ filter }: PendingReceive): boolean {
    return this.state >= stopping || (this.state === cancelled && !this.mailbox.hasMail(filter))
  }

  serve (handlers: HandlerTable, fallback: FallbackHandler): Promise<void> {
    if (this.#service !== undefined) throw new errorCodes.FST_PROCESS_ALREADY_SERVING(this.pid)
    const service = new Service(handlers, fallback, this, this.host.mistakes)
    this.#service = service
    this.host.mistakes.serviceStarted(service)
    if (this.state >= stopping) this.#settleService()
    else this.requestTurn()
    return service.finished
  }

  // Turns

  protected override requestTurn (): void {
    if (this.#firstReceive === undefined && this.#service?.busy !== false) return
    if (this.mailbox.length > 0 || this.refusesMail) this.host.scheduler.schedule(this)
  }

  turn (): boolean {
    if (this.hasEnded) return false
    this.#mailLeft = mailPerTurn
    const start = this.#startOptions
    if (start !== undefined) {
      this.#startOptions = undefined
      return this.#startBody(start)
    }
    const fulfilled = this.#fulfillReceives()
    const service = this.#service
    return service?.busy === false ? this.#serveMail(service) || fulfilled : fulfilled
  }

  #startBody ({ body, args }: ActorOptions): boolean {
    try {
      const result = body(this.host.createSelf(this), ...args)
      const promise = asPromise(result)
      if (promise === undefined) this.bodyReturned(result)
      else if (promise === this.#service?.finished) this.#service.isWholeBody = true
      else this.#endWith(promise)
      return promise !== undefined
    } catch (thrown) {
      this.bodyFailed(thrown)
      return false
    }
  }

  /** Bound functions take less memory than closures, and these live as long as the process. */
  #endWith (promise: Promise<unknown>): void {
    promise.then(this.bodyReturned.bind(this), this.bodyFailed.bind(this))
  }

  /** @returns whether code of the process continues in a microtask */
  #fulfillReceives (): boolean {
    let continues = false
    for (let receive = this.#firstReceive; receive !== undefined; receive = receive.nextPending) {
      const mail = this.#dequeueMail(receive.filter)
      if (mail === undefined && !this.#isReceiveOver(receive)) continue
      this.#firstReceive = removeReceive(this.#firstReceive, receive)
      if (mail !== undefined) receive.fulfill(mail)
      else {
        receive.settleStopped()
        this.inboxEnded()
      }
      continues = true
    }
    return continues
  }

  /** @returns whether code of the process continues in a microtask */
  #serveMail (service: Service): boolean {
    const { counters } = this.host
    const sendsUpTo = counters.sent + sendsPerTurn
    let continues = false
    service.busy = true
    while (
      this.#mailLeft > 0 && counters.sent < sendsUpTo &&
      this.#service === service && this.state !== stopping
    ) {
      const mail = this.#dequeueMail()
      if (mail === undefined) break
      // A handler may have called `receive` without awaiting it: that one comes first.
      const receive = findReceive(this.#firstReceive, mail.topic)
      if (receive !== undefined) {
        this.#firstReceive = removeReceive(this.#firstReceive, receive)
        receive.fulfill(mail)
        continues = true
        continue
      }
      const pending = this.#handleMail(service, mail)
      if (pending === undefined) continue
      this.#awaitHandler(service, mail, pending)
      return true
    }
    this.#handlerReturned(service)
    return continues
  }

  /** A method of its own: closures in the loop would cost an allocation for each message. */
  #awaitHandler (service: Service, mail: Mail, pending: Promise<unknown>): void {
    pending.then(
      (value) => {
        if (value !== undefined) this.#checkReturned(mail)
        this.#handlerReturned(service)
      },
      (thrown) => { this.#handlerThrew(service, thrown) }
    )
  }

  #handleMail (service: Service, mail: Mail): Promise<unknown> | undefined {
    try {
      const { spans } = this.host
      const result = spans ? spans.handle(this, mail, service) : service.handleMail(mail)
      if (result === undefined) return undefined
      if (result !== unhandled) return asPromise(result) ?? this.#checkReturned(mail)
    } catch (thrown) {
      this.#handlerThrew(service, thrown)
      return undefined
    }
    if (!isSystemTopic(mail.topic)) {
      this.host.counters.deadLetter('unhandled')
      if (mail.call !== undefined) mail.fail(new Error('no handler for this topic'))
      else this.host.mistakes.messageUnhandled(this, mail.topic)
    }
    return undefined
  }

  /** A handler returned a value: for a call it may have meant to answer with it. */
  #checkReturned ({ topic, call }: Mail): undefined {
    if (call !== undefined) this.host.mistakes.answerReturned(this, topic, call)
  }

  /** The service can take its next message. */
  #handlerReturned (service: Service): void {
    service.busy = false
    if (this.#service !== service) return
    const { state } = this
    if (state === stopping || (state === cancelled && this.mailbox.length === 0)) {
      this.#settleService()
      this.inboxEnded()
    } else this.requestTurn()
  }

  #handlerThrew (service: Service, thrown: unknown): void {
    if (this.stopReason?.hasCaused(thrown, this.pid) === true) {
      // The handler gave up because of a cancel: mail that is already there is still handled.
      this.#handlerReturned(service)
      return
    }
    // The process has ended meanwhile: `serve` has returned, and nothing can take the error.
    if (this.#service !== service) return
    this.#service = undefined
    if (service.isWholeBody) this.#endWith(service.finished)
    service.fail(thrown)
    this.handlerFailed(thrown)
  }

  // The end

  protected override bodyReturned (value: unknown): void {
    if (this.#service !== undefined && this.state === running) {
      this.host.mistakes.bodyReturned(this, this.#service)
    }
    super.bodyReturned(value)
  }

  protected override releaseWaiting (): void {
    this.#settleReceives()
    if (this.#service?.busy === true) return
    this.#settleService()
    this.inboxEnded()
  }

  protected override releaseAll (): void {
    this.#startOptions = undefined
    this.#settleReceives()
    this.#settleService()
  }

  #settleReceives (): void {
    for (let receive = this.#firstReceive; receive !== undefined; receive = receive.nextPending) {
      receive.settleStopped()
    }
    this.#firstReceive = undefined
  }

  #settleService (): void {
    const service = this.#service
    if (service === undefined) return
    this.#service = undefined
    if (service.isWholeBody) this.#endWith(service.finished)
    service.finish()
  }

  // Description

  describe (): Description {
    return {
      kind: this.kind,
      label: this.label,
      status: this.#status(),
      mailbox: this.mailbox.length,
      monitors: this.monitored,
      uptime: this.uptime
    }
  }

  get uptime (): number {
    return this.host.clock.now() - this.spawnedAt
  }

  #status (): ProcessInfo['status'] {
    if (this.refusesMail) return 'exiting'
    return this.isWaiting ? 'waiting' : 'running'
  }

  /** Whether its body asks for mail. */
  protected get isWaiting (): boolean {
    return this.#firstReceive !== undefined || this.#service?.busy === false
  }
}
