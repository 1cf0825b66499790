import { errorCodes } from '../../errors.js'
import { Instance } from './instance.js'
import { Search } from './search.js'
import type { Answer, CallHost, PendingCall } from '../calls.js'
import type { Counters } from '../stats/counters.js'
import type { ExitListener } from '../exits/relations.js'
import type { ClusterAccess } from '../remote/cluster-access.js'
import type { Kinds } from './kinds.js'
import type { RemoteInstance } from './start.js'
import type { WaitingMail } from './search.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** The parts of the runtime that calls to keys use. */
export interface KeyCallHost {
  readonly counters: Counters
  readonly exitSignals: CallHost
  readonly clusterAccess: ClusterAccess
  readonly kinds: Kinds
}

/** The message of a call. */
export interface CallMessage {
  /** The address of the key. */
  readonly to: Pid
  readonly topic: string
  readonly payload: unknown
  readonly from: Pid | undefined
}

/** How often a call is sent to a later process of its key because one has refused it. */
const maxTries = 3

/**
 * A call to a key whose process is on another node, or not known yet. It is aimed at a process when
 * one is found. If that one has stopped meanwhile, and so has refused the call, the next process of
 * the key gets it.
 */
export class KeyCall implements WaitingMail, Answer, ExitListener {
  readonly #host: KeyCallHost
  readonly #call: PendingCall
  readonly #message: CallMessage
  #tries = 0
  #target: Pid | undefined

  constructor (host: KeyCallHost, call: PendingCall, message: CallMessage) {
    this.#host = host
    this.#call = call
    this.#message = message
  }

  /** Hands it to the process of the key, or to the search for it. */
  send (holder: Instance | RemoteInstance | Search): void {
    if (!(holder instanceof Search)) this.handTo(holder)
    else if (!holder.add(this)) this.#refused('too much waits for it')
  }

  handTo (process: Instance | RemoteInstance): void {
    if (this.#call.hasSettled) return
    const { topic, payload, from } = this.#message
    const { pid } = process
    this.#target = pid
    if (process instanceof Instance) {
      this.#call.aim(this.#host.exitSignals, pid, process)
      const isAccepted = process.deliver(topic, payload, from, this.#call)
      if (!isAccepted) this.#refused('it is full or stopping')
      return
    }
    const remote = this.#host.clusterAccess.remoteNodesFor(pid)!
    const demonitor = (): void => { remote.demonitor(pid, this) }
    this.#call.aim({ monitor () {}, demonitor }, pid, undefined)
    if (remote.send(pid, topic, payload, from, this)) this.#host.counters.messageSent()
    else {
      this.#host.counters.messageRefused('remote')
      this.#refused('its node cannot be reached, or the payload cannot be sent')
    }
  }

  drop (error: Error): void {
    this.#call.reject(error)
  }

  #refused (why: string): void {
    const { to, topic } = this.#message
    this.#call.reject(new errorCodes.FST_PROCESS_REFUSED(to, topic, why))
  }

  // The answer of another node

  reply (value: unknown): void {
    this.#call.reply(value)
  }

  fail (error: unknown): void {
    this.#call.fail(error)
  }

  /** The news that a process has stopped comes before its refusals, so the key knows it. */
  reject (error: unknown): void {
    const { kinds } = this.#host
    const { to } = this.#message
    const isStale = kinds.remoteOf(to)?.pid !== this.#target
    const next = isStale && ++this.#tries <= maxTries ? kinds.demand(to) : undefined
    if (next?.ok === true) this.send(next.value)
    else this.#call.reject(error)
  }

  targetEnded (exit: Exit): void {
    this.#call.targetEnded(exit)
  }
}
