import { errorCodes } from '../../errors.js'
import { asTarget } from '../../process/entity.js'
import { isOrderly } from '../../process/exits/exit-signals.js'
import { takeUnreadMail } from '../../process/exits/unread-joins.js'
import { Instance } from '../../process/keyed/instance.js'
import { closeCodes } from '../close-codes.js'
import { requestTarget } from '../target/target-request.js'
import { defaultParkTime } from './policy.js'
import type { Answer } from '../../process/calls.js'
import type { Target } from '../../process/entity.js'
import type { Kinds } from '../../process/keyed/kinds.js'
import type { StartWaiter } from '../../process/keyed/start.js'
import type { NameWaiter } from '../../process/registry/names.js'
import type { Cancellable } from '../../shared/clock.js'
import type { Deadline, Slot } from '../../shared/deadline-timer.js'
import type { CloseReason } from '../close-codes.js'
import type { RelayServer } from '../relay-server.js'
import type { Exit, WsCheckedMessage, WsMessage } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { TargetBinding } from '../target/binding.js'
import type { TargetRequest } from '../target/target-request.js'
import type { ParkPolicy } from './policy.js'

/** A target, as far as its connection uses it. */
export type BoundTarget = Pick<
  Target, 'pid' | 'accept' | 'deliver' | 'congested' | 'subscribeToDrain' | 'unsubscribeFromDrain'
>

/** The connection that a parked target belongs to. */
export interface ParkedConnection {
  readonly pid: Pid
  /**
   * Called when the name has a process that can be a target.
   * @param rejoined whether a process before it has failed
   * @param binding present if it is a process of another node
   */
  rejoin (target: Target, rejoined: boolean, binding?: TargetBinding): void
  /** Called when the time is over, when nothing will start, or when too much is held. */
  closeFor (reason: CloseReason): void
}

/**
 * Messages that one connection holds at most. A socket is paused after one message, so only a
 * client that resumes its session on many sockets reaches it.
 */
export const maxHeldMessages = 64

/** Milliseconds until a connection asks again for the process of its key. */
const retryDelay = 250

/** A message that was read before the connection stopped reading. */
export interface HeldMessage {
  readonly payload: WsMessage | WsCheckedMessage
  readonly bytes: number
}

/**
 * Takes the place of a target that takes no more mail, until its name has a successor. It holds the
 * messages of the client that were read already: in most cases none, because the socket is paused.
 * With more than {@link maxHeldMessages}, or more bytes than one message may have, it gives up.
 *
 * | state | event | new state |
 * | --- | --- | --- |
 * | idle | the target refuses a message | holding |
 * | idle, holding | the target has failed | waiting |
 * | waiting | the name has a target, which asks for mail if it is a key's; a transfer | idle |
 * | waiting | the start of the process of a key has failed | waiting, for its next process |
 * | waiting | the key of the target is refused | idle |
 * | waiting | the time is over, or the connection ends for another reason | idle |
 * | holding | the target has ended in order; a transfer; the connection ends | idle |
 * | holding, waiting | too much is held | idle |
 */
export class ParkedTarget implements BoundTarget, Deadline, NameWaiter, StartWaiter {
  slot: Slot | undefined
  /** The target that takes no more mail. */
  pid!: Pid
  readonly congested = true
  readonly #connection: ParkedConnection
  readonly #relay: RelayServer
  readonly #maxBytes: number
  #state: 'idle' | 'holding' | 'waiting' = 'idle'
  #name = ''
  /** When the time is over; undefined once a successor took the `ws.join`. */
  #ends: number | undefined
  /** Whether any process with the name took a `ws.join` of this client. */
  #tookJoin = false
  #hasFailed = false
  #request: TargetRequest | undefined
  #retry: Cancellable | undefined
  /** Mail that a target had when it ended in order. The mailbox has limited it. */
  #unread: readonly HeldMessage[] = []
  #messages: HeldMessage[] = []
  #bytes = 0

  /** @param maxBytes of one message of the client */
  constructor (connection: ParkedConnection, relay: RelayServer, maxBytes: number) {
    this.#connection = connection
    this.#relay = relay
    this.#maxBytes = maxBytes
  }

  /** Whether it waits for a successor. */
  get isWaiting (): boolean {
    return this.#state === 'waiting'
  }

  /** The target still lives, but takes no more mail. */
  hold (target: Pid): void {
    this.pid = target
    this.#state = 'holding'
  }

  /**
   * The target has failed, or the client came too late for it. The time goes on from an earlier
   * wait if that target took no `ws.join`: processes that only fail cannot hold a connection for
   * ever.
   * @returns false if the connection was closed instead
   */
  wait ({ name, time }: ParkPolicy, exit: Exit, tookJoin: boolean): boolean {
    const { clock, kinds } = this.#relay.runtime
    const isFailure = !isOrderly(exit.reason)
    const parkTime = time ?? kinds.parkTime(name)
    if (tookJoin) {
      this.#tookJoin = true
      this.#ends = undefined
    }
    if (isFailure) this.#hasFailed = true
    this.#unread = takeUnreadMail(exit, this.#connection.pid) as readonly HeldMessage[]
    // A client that came too late waits also where clients of a failed process do not.
    this.#ends ??= clock.now() + (isFailure ? parkTime : parkTime || defaultParkTime)
    if (this.timeLeft <= 0) {
      this.due()
      return false
    }
    this.#name = name
    const demanded = this.#demandTarget()
    if (demanded?.ok === false) return false
    this.#state = 'waiting'
    this.#relay.deadlines.schedule(this, this.timeLeft)
    this.#seekDemanded(demanded)
    return true
  }

  /**
   * A connection that waits for a key starts its process, or is closed.
   * @returns undefined if the name has a process, or is not a key
   */
  #demandTarget (): ReturnType<Kinds['demand']> {
    const { kinds, nameTable } = this.#relay.runtime
    // A process may have got the name while the old one cleaned up.
    if (nameTable.lookup(this.#name) !== undefined) return undefined
    const demanded = kinds.demand(this.#name)
    if (demanded?.ok === false) this.nameRefused()
    return demanded
  }

  #seekDemanded (demanded: ReturnType<Kinds['demand']>): void {
    const { nameTable } = this.#relay.runtime
    nameTable.addWaiter(this.#name, this)
    if (nameTable.lookup(this.#name) !== undefined) this.nameRegistered()
    else if (demanded !== undefined) this.#requestTarget()
  }

  /** The process of a key may be on another node, and nothing is registered here then. */
  #requestTarget (): void {
    const { runtime } = this.#relay
    const request = this.#request = requestTarget(runtime, this.#name)
    request?.requestBinding((answer) => {
      this.#request = undefined
      if (answer.ok) this.#connection.rejoin(answer.value, this.#hasFailed, request.binding)
      else if (answer.problem === 'it has failed too often') this.nameRefused()
      else this.#retry = runtime.contextClock.after(retryDelay, () => { this.#requestTarget() })
    })
  }

  get timeLeft (): number {
    return this.#ends! - this.#relay.runtime.clock.now()
  }

  due (): void {
    const { targetFailed, targetMissedJoin } = closeCodes
    this.#connection.closeFor(this.#tookJoin ? targetFailed : targetMissedJoin)
  }

  /** The key of the target starts nothing more for a while. */
  nameRefused (): void {
    this.#connection.closeFor(closeCodes.targetFailed)
  }

  /** Not at once: the name is registered in the middle of the start of a process. */
  nameRegistered (): void {
    this.#relay.runtime.contextClock.soon(() => { this.#seekTarget() })
  }

  #seekTarget (): void {
    if (this.#state !== 'waiting') return
    const { processTable, nameTable } = this.#relay.runtime
    const entity = processTable.findEntity(this.#name)
    const found = asTarget(entity)
    const starting = entity instanceof Instance && !entity.hasStarted ? entity : undefined
    if (found.ok && starting === undefined) {
      this.#connection.rejoin(found.value, this.#hasFailed)
      return
    }
    nameTable.addWaiter(this.#name, this)
    if (starting !== undefined) starting.whenStarted(this)
    // It was ended before it could be found.
    else if (entity === undefined) this.startFailed()
  }

  // The process of a key, which may load its state for longer than the connection waits

  started (): void {
    this.#seekTarget()
  }

  /** Not at once: the process is in the middle of its end. */
  startFailed (): void {
    this.#relay.runtime.contextClock.soon(() => {
      if (this.#state !== 'waiting') return
      const demanded = this.#demandTarget()
      if (demanded?.ok !== false) this.#seekDemanded(demanded)
    })
  }

  /** Called when another target takes over, or the connection ends. @returns what it held */
  stop (): readonly HeldMessage[] {
    const { counters, deadlines, runtime } = this.#relay
    if (this.isWaiting) counters.parkEnded()
    this.#state = 'idle'
    deadlines.cancel(this)
    runtime.nameTable.removeWaiter(this.#name, this)
    this.#request?.release()
    this.#request = undefined
    this.#retry?.cancel()
    const messages = [...this.#unread, ...this.#messages]
    this.#unread = []
    this.#messages = []
    this.#bytes = 0
    return messages
  }

  // As the target of the connection

  /**
   * Holds messages of the client. The others are about a target that takes no more mail. A call is
   * not held: its caller learns that the target has ended.
   */
  accept (topic: string, payload: unknown, _from: Pid, bytes: number, call?: Answer): boolean {
    if (topic.startsWith('ws.') && topic !== 'ws.message') return true
    if (call !== undefined) {
      call.reject(new errorCodes.FST_PROCESS_NOT_ALIVE(this.pid))
      return true
    }
    const { counters, contextClock } = this.#relay.runtime
    if (this.#isFull) {
      counters.deadLetter('none')
      // Not at once: the transport is in the middle of a message.
      contextClock.soon(() => { this.#giveUp() })
    } else if (this.#state === 'idle') {
      // The connection is ending.
      counters.deadLetter('none')
    } else {
      this.#messages.push({ payload: payload as HeldMessage['payload'], bytes })
      this.#bytes += bytes
    }
    return true
  }

  get #isFull (): boolean {
    return this.#messages.length >= maxHeldMessages || this.#bytes > this.#maxBytes
  }

  /** The code leaves it open whether a process has seen anything of the client. */
  #giveUp (): void {
    if (this.#isFull) this.#connection.closeFor(closeCodes.targetFailed)
  }

  /** Heartbeats pause. */
  deliver (): boolean {
    return false
  }

  /** The connection resumes the transport by itself. */
  subscribeToDrain (): void {}

  unsubscribeFromDrain (): void {}
}
