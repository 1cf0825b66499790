import { errorCodes, show } from '../errors.js'
import { toMilliseconds } from '../shared/duration.js'
import { PendingCall, checkSignal } from './calls.js'
import { Instance } from './keyed/instance.js'
import { keyError } from './keyed/key-error.js'
import { KeyCall } from './keyed/key-mail.js'
import { Search } from './keyed/search.js'
import { checkTopic } from './message.js'
import type { Clock } from '../shared/clock.js'
import type { SpansSlot } from '../shared/message-spans.js'
import type { CallHost, PendingOwner } from './calls.js'
import type { Counters } from './stats/counters.js'
import type { KeyHolder } from './keyed/key.js'
import type { Kinds } from './keyed/kinds.js'
import type { ClusterAccess } from './remote/cluster-access.js'
import type { Batch } from './batch.js'
import type { ProcessTable } from './registry/process-table.js'
import type { Scheduler } from './scheduler.js'
import type { RemoteNodes } from './remote/remote-nodes.js'
import type { Pid } from '../../types/pid.js'
import type { CallOptions } from '../../types/options.js'
import type { RefusalReason } from '../../types/stats.js'

const defaultCallTimeout = 5000

/** The parts of the runtime that messages use. */
export interface MessengerHost extends Readonly<SpansSlot> {
  readonly clock: Clock
  readonly counters: Counters
  readonly exitSignals: CallHost
  readonly processTable: ProcessTable
  readonly clusterAccess: ClusterAccess
  readonly kinds: Kinds
  readonly scheduler: Pick<Scheduler, 'pace'>
}

/** The process that sends or calls. */
export interface SendingProcess extends PendingOwner {
  readonly pid: Pid
  readonly hasEnded: boolean
  /** Read only once it has ended. */
  readonly stopError: Error
}

/** Sends messages and calls to the processes of this node and of other nodes. */
export class Messenger {
  readonly #host: MessengerHost
  readonly #processes: ProcessTable
  readonly #clusterAccess: ClusterAccess
  readonly #exitSignals: CallHost
  readonly #kinds: Kinds
  readonly #counters: Counters
  readonly #clock: Clock
  readonly #slot: Readonly<SpansSlot>
  /**
   * For calls to other nodes. There the call frame itself monitors the callee. So the call monitors
   * nothing when it is made: `#callRemote` does after the frame was sent.
   */
  readonly #remoteCallHost: CallHost

  constructor (host: MessengerHost) {
    this.#host = host
    this.#processes = host.processTable
    this.#clusterAccess = host.clusterAccess
    this.#exitSignals = host.exitSignals
    this.#kinds = host.kinds
    this.#counters = host.counters
    this.#clock = host.clock
    this.#slot = host
    this.#remoteCallHost = {
      monitor () {},
      demonitor: (target, listener) => { host.exitSignals.demonitor(target, listener) }
    }
  }

  /**
   * @param sender undefined for code outside a process; a process that has ended cannot send
   * @returns whether the message was accepted
   */
  send (
    to: string, topic: string, payload: unknown, sender?: SendingProcess, batch?: Batch
  ): boolean {
    checkTopic(topic)
    if (sender?.hasEnded === true) return this.#refuse('ended')
    const from = sender?.pid
    const entity = this.#processes.findEntity(to)
    if (entity !== undefined) return entity.deliver(topic, payload, from, undefined, batch)
    const remote = this.#clusterAccess.remoteNodesFor(to)
    if (remote !== undefined) return this.#sendRemote(remote, to as Pid, topic, payload, from)
    const started = this.#kinds.demand(to)
    if (started?.ok === true) return this.#sendToKey(started.value, topic, payload, from)
    if (started !== undefined) return this.#refuse('stopping')
    this.#counters.deadLetter('none')
    return false
  }

  #sendToKey (
    holder: KeyHolder, topic: string, payload: unknown, from: Pid | undefined
  ): boolean {
    if (holder instanceof Instance) return holder.deliver(topic, payload, from)
    if (holder instanceof Search) {
      return holder.add({
        handTo: (process) => { this.#sendToKey(process, topic, payload, from) },
        drop: () => { this.#counters.deadLetter('none') }
      })
    }
    const remote = this.#clusterAccess.remoteNodesFor(holder.pid)!
    return this.#sendRemote(remote, holder.pid, topic, payload, from)
  }

  call (
    to: string, topic: string, payload: unknown, options?: CallOptions, caller?: SendingProcess
  ): Promise<unknown> {
    const { scheduler } = this.#host
    try {
      const { promise, hasSettled } = this.#call(to, topic, payload, options ?? {}, caller)
      return hasSettled ? scheduler.pace(promise) : promise
    } catch (err) {
      return scheduler.pace(Promise.reject(err))
    }
  }

  #call (
    to: string,
    topic: string,
    payload: unknown,
    options: CallOptions,
    caller: SendingProcess | undefined
  ): PendingCall {
    checkTopic(topic)
    const timeout = toMilliseconds(options.timeout ?? defaultCallTimeout)
    const signal = options.signal ?? undefined
    checkSignal(signal)
    signal?.throwIfAborted()
    if (caller?.hasEnded === true) throw caller.stopError
    const found = this.#processes.findEntity(to)
    const remote = found === undefined ? this.#clusterAccess.remoteNodesFor(to) : undefined
    const holder = found ?? (remote === undefined ? this.#demand(to) : undefined)
    const isAimed = holder === undefined || 'deliver' in holder
    const entity = isAimed ? holder : undefined
    const callHost = entity === undefined ? this.#remoteCallHost : this.#exitSignals
    const call = new PendingCall(callHost, this.#clock, {
      to: entity?.pid ?? to as Pid,
      topic,
      timeout,
      signal,
      owner: caller,
      traceparent: this.#slot.spans?.traceparent(caller?.pid),
      starting: entity instanceof Instance ? entity : undefined
    })
    caller?.addPending(call)
    const from = caller?.pid
    if (remote !== undefined) this.#callRemote(remote, call, to as Pid, topic, payload, from)
    else if (!isAimed) {
      new KeyCall(this.#host, call, { to: to as Pid, topic, payload, from }).send(holder)
    } else if (!entity!.deliver(topic, payload, from, call)) {
      call.reject(new errorCodes.FST_PROCESS_REFUSED(entity!.pid, topic, 'it is full or stopping'))
    }
    return call
  }

  /**
   * Asks the node of a PID about it, dead or alive. Rejects as `call` does.
   * @param topic of the system
   */
  request (remote: RemoteNodes, to: Pid, topic: string): Promise<unknown> {
    const call = new PendingCall(this.#remoteCallHost, this.#clock, {
      to,
      topic,
      timeout: defaultCallTimeout,
      signal: undefined,
      owner: undefined,
      traceparent: undefined,
      starting: undefined
    })
    this.#callRemote(remote, call, to, topic, undefined, undefined)
    return call.promise
  }

  /** @throws the reason why a key has no process */
  #demand (to: string): KeyHolder {
    const started = this.#kinds.demand(to)
    if (started === undefined) throw new errorCodes.FST_PROCESS_NOT_ALIVE(show(to))
    if (!started.ok) throw keyError(to, started.problem)
    return started.value
  }

  #callRemote (
    remote: RemoteNodes,
    call: PendingCall,
    to: Pid,
    topic: string,
    payload: unknown,
    from: Pid | undefined
  ): void {
    if (this.#sendRemote(remote, to, topic, payload, from, call)) {
      remote.monitor(to, call)
      return
    }
    const why = 'its node cannot be reached, or the payload cannot be sent'
    call.reject(new errorCodes.FST_PROCESS_REFUSED(to, topic, why))
  }

  #sendRemote (
    remote: RemoteNodes,
    to: Pid,
    topic: string,
    payload: unknown,
    from: Pid | undefined,
    call?: PendingCall
  ): boolean {
    if (!remote.send(to, topic, payload, from, call)) return this.#refuse('remote')
    this.#counters.messageSent()
    return true
  }

  #refuse (why: RefusalReason): false {
    this.#counters.messageRefused(why)
    return false
  }
}
