import { checkTopic } from '../message.js'
import { InboxIterator, receive, toTopicFilter } from './receive.js'
import { checkAddress } from '../pid.js'
import { checkExitReason } from '../exits/exit-signals.js'
import { clusterFacade, groupsFacade } from '../registry/facades.js'
import { startSupervisor } from '../supervisor/supervisor.js'
import { longestDelay, toMilliseconds } from '../../shared/duration.js'
import type { Actor } from './actor.js'
import type { Mail } from '../message.js'
import type { ClusterAccess } from '../remote/cluster-access.js'
import type { ExitSignals } from '../exits/exit-signals.js'
import type { FacadesHost } from '../registry/facades.js'
import type { Scheduler } from '../scheduler.js'
import type { GivenSpec } from '../supervisor/spec.js'
import type { SupervisorHost } from '../supervisor/supervisor.js'
import type { Clock } from '../../shared/clock.js'
import type { Mismatch, Plain, Verified } from '../../shared/contract.js'
import type { Cluster } from '../../../types/cluster.js'
import type { Exit, Handlers, Message } from '../../../types/messages.js'
import type { Duration, Monitor, Pid } from '../../../types/pid.js'
import type { ProcessInfo } from '../../../types/info.js'
import type {
  CallOptions, Logger, ReceiveOptions, SpawnOptions, Timer
} from '../../../types/options.js'
import type { Process, ProcessBody, Supervisor } from '../../../types/processes.js'
import type { Groups, Names } from '../../../types/registries.js'

/** Any topics, with any payloads: the implementation does not know those of a process. */
type Topics = Record<string, unknown>
type AnyMessage = Message<Topics>
type Untyped = Process<Topics>

/** Fails to compile where `Self` and the public `Process` differ. */
export type SelfIsProcess = Verified<Mismatch<Untyped, Self>>

/** The parts of the runtime that `self` uses. */
export interface SelfHost extends FacadesHost, SupervisorHost {
  readonly clock: Clock
  readonly names: Names
  readonly pids: { readonly node: string }
  readonly logger: Logger
  readonly exitSignals: ExitSignals
  readonly clusterAccess: ClusterAccess
  readonly scheduler: Scheduler
  info (to: string): ProcessInfo | undefined
}

/** `self`: a process as its own body sees it. The typed surface, with the docs, is `Process`. */
export class Self implements Plain<Untyped> {
  readonly #runtime: SelfHost
  readonly #actor: Actor

  constructor (runtime: SelfHost, actor: Actor) {
    this.#runtime = runtime
    this.#actor = actor
  }

  get pid (): Pid { return this.#actor.pid }
  get signal (): AbortSignal { return this.#actor.signal }
  get trapLinks (): boolean { return this.#actor.trapLinks }
  set trapLinks (trap: boolean) { this.#actor.trapLinks = Boolean(trap) }
  get inbox (): AsyncIterable<Mail> { return new InboxIterator(this.#actor) }
  get names (): Names { return this.#runtime.names }
  get node (): string { return this.#runtime.pids.node }

  get log (): Logger {
    const { lazyState, pid, label } = this.#actor
    return (lazyState.log ??= this.#runtime.logger.child({
      relayPid: pid, ...label !== '' && { relayLabel: label }
    }))
  }

  /** The sender of its broadcasts is this process. */
  get groups (): Groups {
    const { lazyState } = this.#actor
    return (lazyState.groups ??= groupsFacade(this.#runtime, this.#actor))
  }

  /** Undefined without a cluster, and until the node has joined it. */
  get cluster (): Cluster | undefined {
    const { lazyState } = this.#actor
    const { cluster } = this.#runtime.clusterAccess
    return (lazyState.cluster ??= cluster && clusterFacade(cluster, this.#actor))
  }

  receive (options?: ReceiveOptions): Promise<Mail | undefined> {
    try {
      const ms = options?.timeout === undefined ? undefined : toMilliseconds(options.timeout)
      return receive(this.#actor, toTopicFilter(options?.topic), ms, this.#runtime.clock)
    } catch (err) {
      return this.#runtime.scheduler.pace(Promise.reject(err))
    }
  }

  serve (handlers: Handlers<Topics>, otherwise?: (message: AnyMessage) => unknown): Promise<void> {
    return this.#actor.serve(handlers, otherwise)
  }

  send (to: string, topic: string, payload?: unknown): boolean {
    return this.#runtime.messenger.send(to, topic, payload, this.#actor)
  }

  call (to: string, topic: string, payload?: unknown, options?: CallOptions): Promise<unknown> {
    return this.#runtime.messenger.call(to, topic, payload, options, this.#actor)
  }

  alive (to: string): boolean {
    return this.#runtime.processTable.findEntity(to) !== undefined
  }

  info (to: string): ProcessInfo | undefined {
    return this.#runtime.info(to)
  }

  list (): Pid[] {
    return this.#runtime.processTable.pids()
  }

  exited (to: string, options?: { signal?: AbortSignal }): Promise<Exit> {
    return this.#runtime.exitRequests.exited(to, options?.signal, this.#actor)
  }

  cancel (to: string, reason?: string): boolean {
    return !this.#actor.hasEnded && this.#runtime.exitRequests.cancel(to, reason, this.#actor.pid)
  }

  exit (to: string, reason?: string): boolean {
    return !this.#actor.hasEnded && this.#runtime.exitRequests.exit(to, reason, this.#actor.pid)
  }

  stop (reason?: string): never {
    return this.#actor.stop(reason === undefined ? undefined : checkExitReason(reason))
  }

  spawn (body: ProcessBody, options?: SpawnOptions): Pid {
    this.#actor.checkAlive()
    return this.#runtime.spawner.spawn(body, options)
  }

  spawnLink (body: ProcessBody, options?: SpawnOptions): Pid {
    const pid = this.spawn(body, options)
    this.#runtime.exitSignals.link(this.#actor, pid)
    return pid
  }

  spawnMonitor (body: ProcessBody, options?: SpawnOptions): { pid: Pid, monitor: Monitor } {
    const pid = this.spawn(body, options)
    return { pid, monitor: this.#actor.addMonitor(pid) }
  }

  supervise (spec: GivenSpec): Supervisor {
    this.#actor.checkAlive()
    return startSupervisor(this.#runtime, spec)
  }

  monitor (to: string): Monitor {
    this.#actor.checkAlive()
    return this.#actor.addMonitor(this.#runtime.processTable.resolvePid(to))
  }

  demonitor (monitor: Monitor): void {
    this.#actor.removeMonitor(monitor)
  }

  link (to: string): void {
    this.#actor.checkAlive()
    this.#runtime.exitSignals.link(this.#actor, this.#runtime.processTable.resolvePid(to))
  }

  unlink (to: string): void {
    this.#runtime.exitSignals.unlink(this.#actor.pid, this.#runtime.processTable.resolvePid(to))
  }

  sendAfter (delay: Duration, to: string, topic: string, payload?: unknown): Timer {
    return this.#actor.timers.after(
      toMilliseconds(delay, 0, longestDelay),
      sending(this.#runtime, this.#actor, to, topic, payload)
    )
  }

  sendEvery (interval: Duration, to: string, topic: string, payload?: unknown): Timer {
    return this.#actor.timers.every(
      toMilliseconds(interval, 1, longestDelay),
      sending(this.#runtime, this.#actor, to, topic, payload)
    )
  }
}

function sending (
  runtime: SelfHost,
  actor: Actor,
  to: string,
  topic: string,
  payload: unknown
): () => void {
  actor.checkAlive()
  checkTopic(topic)
  checkAddress(to)
  return () => {
    runtime.messenger.send(to, topic, payload, actor)
  }
}
