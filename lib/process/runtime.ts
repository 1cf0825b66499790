import { errorCodes, show } from '../errors.js'
import { Actor } from './actor/actor.js'
import { Call, checkSignal } from './calls.js'
import { Context } from '../shared/context.js'
import { ExitSignals, isExitReason, signalLinked } from './exits/exit-signals.js'
import { ExitWait } from './exits/exit-wait.js'
import { GroupTable } from './registry/groups.js'
import { checkTopic } from './message.js'
import { isName, NameTable } from './registry/names.js'
import { checkAddress, isPid, PidFactory } from './pid.js'
import { Relations } from './exits/relations.js'
import { EventLoop, Scheduler } from './scheduler.js'
import { Counters } from './counters.js'
import { clusterFacade, groupsFacade, namesFacade } from './registry/facades.js'
import { startSupervisor } from './supervisor/supervisor.js'
import { toMilliseconds } from '../shared/duration.js'
import { shutDown } from './shutdown.js'
import { checkSpawn } from './spawn-options.js'
import type { ActorOptions } from './actor/actor.js'
import type { CallHost } from './calls.js'
import type { RemoteNodes } from './remote-nodes.js'
import type { Batch, Entity } from './entity.js'
import type { MailboxLimits } from './actor/mailbox.js'
import type { ExitListener } from './exits/relations.js'
import type { TurnSource } from './scheduler.js'
import type { Cluster } from '../../types/cluster.js'
import type { Exit } from '../../types/messages.js'
import type { Monitor, Pid } from '../../types/pid.js'
import type { CallOptions, Groups, Logger, Names, Process, ProcessBody, ProcessInfo, SpawnOptions, Supervisor, SupervisorSpec } from '../../types/processes.js'

/** Milliseconds. */
const defaultCallTimeout = 5000

/** What a runtime is made with; every value is checked already. */
export interface RuntimeOptions {
  readonly node: string
  readonly mailboxLimit: number
  readonly mailboxBytes: number
  readonly logger: Logger
  /** Where turns come from, for tests. */
  readonly turns?: TurnSource
}

export { isOrderly } from './exits/exit-signals.js'

/**
 * The process system: who lives behind which PID, and everything that crosses from one to another.
 * The public face of it is `processes.ts`.
 */
export class Runtime {
  /** Where all code of processes runs. */
  readonly context = new Context()
  readonly scheduler: Scheduler
  readonly counters = new Counters()
  readonly relations = new Relations()
  readonly nameTable = new NameTable()
  readonly groupTable = new GroupTable((watcher, group, joined, left) => {
    this.#table.get(watcher)?.notify('@group', { group, joined: [...joined], left: [...left] })
  })

  readonly names: Names = namesFacade(this)
  readonly groups: Groups = groupsFacade(this, undefined)
  /** Supervisors without a supervisor above them. */
  readonly supervisors = new Set<Pid>()
  readonly pids: PidFactory
  /** Of a mailbox that was given no limit of its own. */
  readonly mailboxLimits: MailboxLimits
  readonly logger: Logger
  /** Nothing starts before the system has joined. */
  awaitsCluster = false
  cluster: Cluster | undefined
  /** Set when this node begins to close: connections of other nodes are bound to its processes no more. */
  refusesBinds = false
  /** Tells the other nodes that this one is closing. Called before the first process is stopped. */
  announceClosing: (() => void) | undefined
  /** Leaves the other nodes, when all has ended here. */
  leaveCluster: (() => Promise<void>) | undefined
  readonly #table = new Map<string, Entity>()
  readonly #exitSignals = new ExitSignals(this)
  /** A callee elsewhere is watched behind the message: a refusal must come before the news that it is dead. */
  readonly #remoteCallHost: CallHost = { monitor () {}, demonitor: (target, watcher) => { this.demonitor(target, watcher) } }
  #remoteNodes: RemoteNodes | undefined
  #monitors = 0
  #closed: Promise<void> | undefined

  constructor (options: RuntimeOptions) {
    this.pids = new PidFactory(options.node)
    this.mailboxLimits = { messages: options.mailboxLimit, bytes: options.mailboxBytes }
    this.logger = options.logger
    this.scheduler = new Scheduler(options.turns ?? new EventLoop(this.context))
  }

  // Who is there

  /** What lives behind a PID or a name of this node. */
  findEntity (to: string): Entity | undefined {
    const entity = this.#table.get(to)
    if (entity !== undefined) return entity
    checkAddress(to)
    const pid = this.nameTable.lookup(to)
    return pid === undefined ? undefined : this.#table.get(pid)
  }

  getEntity (pid: Pid): Entity | undefined {
    return this.#table.get(pid)
  }

  /**
   * The PID that a PID or name stands for, dead or alive. A name that nobody has stands for itself:
   * it is as dead as a PID can be.
   * @throws `FST_PROCESS_INVALID_PID` when it is neither
   */
  resolvePid (to: string): Pid {
    const entity = this.findEntity(to)
    if (entity !== undefined) return entity.pid
    if (!isPid(to) && !isName(to)) throw new errorCodes.FST_PROCESS_INVALID_PID(show(to))
    return to as Pid
  }

  /** The way to a PID of another node; undefined for all that is here, and for a system that is alone. */
  remoteNodesFor (pid: string): RemoteNodes | undefined {
    return this.#remoteNodes !== undefined && this.pids.isRemote(pid) ? this.#remoteNodes : undefined
  }

  /** Joins other nodes. */
  joinCluster (elsewhere: RemoteNodes, cluster?: Cluster): void {
    this.#remoteNodes = elsewhere
    this.cluster = cluster
    this.awaitsCluster = false
  }

  get entities (): IterableIterator<Entity> {
    return this.#table.values()
  }

  /** All PIDs of this node, oldest first. */
  list (): Pid[] {
    return Array.from(this.#table.values(), ({ pid }) => pid)
  }

  get aliveCount (): number {
    return this.#table.size
  }

  /** Puts an entity behind its PID. */
  addEntity (entity: Entity): void {
    this.#table.set(entity.pid, entity)
    this.counters.spawned++
  }

  get closing (): boolean {
    return this.#closed !== undefined
  }

  /** @throws `FST_PROCESS_CLOSING`, `FST_CLUSTER_NOT_READY` */
  checkOpen (): void {
    if (this.closing) throw new errorCodes.FST_PROCESS_CLOSING()
    if (this.awaitsCluster) throw new errorCodes.FST_CLUSTER_NOT_READY()
  }

  info (to: string): ProcessInfo | undefined {
    const entity = this.findEntity(to)
    if (entity === undefined) return undefined
    const { pid } = entity
    return { pid, ...entity.describe(), names: this.nameTable.namesOf(pid), links: [...this.relations.linksOf(pid)], groups: this.groupTable.groupsOf(pid) }
  }

  // Starting

  spawn (body: ProcessBody, options: SpawnOptions = {}): Pid {
    checkSpawn(body, options)
    return this.start(body as (...args: unknown[]) => unknown, options, 'process', body.name).pid
  }

  /** Starts an actor; what `options` asks for is in place before it runs. Nothing starts if it throws. */
  start (body: (self: Process, ...args: never[]) => unknown, options: SpawnOptions, kind: Actor['kind'], label: string): Actor {
    this.checkOpen()
    const { name, link, monitor, args = [], mailboxLimit, trapLinks = false } = options
    if (name !== undefined) this.nameTable.checkFree(name)
    const linked = link === undefined ? undefined : this.resolvePid(link)
    const told = monitor === undefined ? undefined : this.#localActor(monitor)
    const actor = new Actor(this, this.pids.nextPid(), {
      kind,
      label,
      body: body as ActorOptions['body'],
      args,
      mailboxLimits: mailboxLimit === undefined ? this.mailboxLimits : { ...this.mailboxLimits, messages: mailboxLimit },
      trapLinks
    })
    this.addEntity(actor)
    if (name !== undefined) this.nameTable.register(name, actor.pid)
    told?.addMonitor(actor.pid)
    if (linked !== undefined) this.link(actor, linked)
    if (!actor.hasEnded) this.scheduler.schedule(actor)
    return actor
  }

  supervise (spec: SupervisorSpec): Supervisor {
    return startSupervisor(this, spec)
  }

  /** Who is told of an end: nothing starts that nobody would hear of. */
  #localActor (to: string): Actor {
    const entity = this.findEntity(this.resolvePid(to))
    if (this.remoteNodesFor(to) !== undefined) throw new errorCodes.FST_PROCESS_INVALID_SPEC(`expected a process of this node as 'monitor', got '${show(to)}'`)
    if (entity === undefined) throw new errorCodes.FST_PROCESS_NOT_ALIVE(show(to))
    if (!(entity instanceof Actor)) throw new errorCodes.FST_PROCESS_INVALID_SPEC(`expected a process as 'monitor', got '${show(to)}'`)
    return entity
  }

  // Messages

  /** @param sender refused once it has ended; undefined for code outside a process */
  send (to: string, topic: string, payload: unknown, sender?: Actor, batch?: Batch): boolean {
    checkTopic(topic)
    if (sender?.hasEnded === true) return this.#refuse()
    const entity = this.findEntity(to)
    if (entity !== undefined) return entity.deliver(topic, payload, sender?.pid, undefined, batch)
    const elsewhere = this.remoteNodesFor(to)
    if (elsewhere !== undefined) return this.#sendRemote(elsewhere, to as Pid, topic, payload, sender?.pid)
    this.counters.deadLetters++
    return false
  }

  #sendRemote (elsewhere: RemoteNodes, to: Pid, topic: string, payload: unknown, from: Pid | undefined, call?: Call): boolean {
    if (!elsewhere.send(to, topic, payload, from, call)) return this.#refuse()
    this.counters.sent++
    return true
  }

  call (to: string, topic: string, payload: unknown, options?: CallOptions, caller?: Actor): Promise<unknown> {
    try {
      return this.#call(to, topic, payload, options ?? {}, caller)
    } catch (err) {
      return Promise.reject(err)
    }
  }

  #call (to: string, topic: string, payload: unknown, options: CallOptions, caller: Actor | undefined): Promise<unknown> {
    checkTopic(topic)
    const timeout = toMilliseconds(options.timeout ?? defaultCallTimeout)
    const signal = options.signal ?? undefined
    checkSignal(signal)
    signal?.throwIfAborted()
    if (caller?.hasEnded === true) throw caller.stopError
    const entity = this.findEntity(to)
    const elsewhere = entity === undefined ? this.remoteNodesFor(to) : undefined
    if (entity === undefined && elsewhere === undefined) throw new errorCodes.FST_PROCESS_NOT_ALIVE(show(to))
    const call = new Call(elsewhere === undefined ? this : this.#remoteCallHost, { to: entity?.pid ?? to as Pid, topic, timeout, signal, owner: caller })
    caller?.addPending(call)
    if (elsewhere !== undefined) this.#callRemote(elsewhere, call, to as Pid, topic, payload, caller?.pid)
    else if (!entity!.deliver(topic, payload, caller?.pid, call)) {
      call.reject(new errorCodes.FST_PROCESS_REFUSED(entity!.pid, topic, 'it is full or stopping'))
    }
    return call.promise
  }

  #callRemote (elsewhere: RemoteNodes, call: Call, to: Pid, topic: string, payload: unknown, from: Pid | undefined): void {
    if (this.#sendRemote(elsewhere, to, topic, payload, from, call)) elsewhere.monitor(to, call)
    else call.reject(new errorCodes.FST_PROCESS_REFUSED(to, topic, 'its node cannot be reached, or the payload cannot be sent'))
  }

  #refuse (): false {
    this.counters.refused++
    return false
  }

  /** Groups as one process sees them: its broadcasts are from itself. */
  groupsFor (sender: Actor): Groups {
    return groupsFacade(this, sender)
  }

  /** The cluster as one process sees it: its broadcasts are from itself. */
  clusterFor (sender: Actor): Cluster | undefined {
    return this.cluster && clusterFacade(this.cluster, sender)
  }

  // Ends

  /** @throws `FST_PROCESS_INVALID_REASON` */
  checkReason (reason: unknown): string {
    if (!isExitReason(reason)) throw new errorCodes.FST_PROCESS_INVALID_REASON(show(reason))
    return reason
  }

  exit (to: string, reason: string = 'shutdown'): boolean {
    this.checkReason(reason)
    const entity = this.findEntity(to)
    if (entity === undefined) return this.remoteNodesFor(to)?.exit(to as Pid, reason) ?? false
    entity.end(reason === 'kill' ? 'killed' : reason)
    return true
  }

  cancel (to: string, reason: string = 'shutdown', from?: Pid): boolean {
    this.checkReason(reason)
    const entity = this.findEntity(to)
    return entity === undefined ? this.remoteNodesFor(to)?.cancel(to as Pid, reason, from) ?? false : entity.cancel(from, reason)
  }

  nextMonitorId (): Monitor {
    return ++this.#monitors as Monitor
  }

  /** Tells a watcher of the end of a PID: at once when it has ended already. */
  monitor (target: Pid, watcher: ExitListener): void {
    if (this.#table.has(target)) this.relations.addMonitor(target, watcher)
    else {
      const elsewhere = this.remoteNodesFor(target)
      if (elsewhere === undefined) watcher.targetEnded({ pid: target, reason: this.#absenceReason(target) })
      else elsewhere.monitor(target, watcher)
    }
  }

  demonitor (target: Pid, watcher: ExitListener): void {
    if (!this.relations.removeMonitor(target, watcher)) this.remoteNodesFor(target)?.demonitor(target, watcher)
  }

  link (one: Entity, other: Pid): void {
    if (one.pid === other) return
    const elsewhere = this.#table.has(other) ? undefined : this.remoteNodesFor(other)
    if (elsewhere === undefined && !this.#table.has(other)) signalLinked(one, { pid: other, reason: this.#absenceReason(other) })
    else {
      this.relations.addLink(one.pid, other)
      elsewhere?.link(one.pid, other)
    }
  }

  unlink (one: Pid, other: Pid): void {
    if (this.relations.removeLink(one, other)) this.remoteNodesFor(other)?.unlink(one, other)
  }

  /** @param owner the process that waits; its own end rejects the promise */
  exited (to: string, signal: AbortSignal | undefined, owner?: Actor): Promise<Exit> {
    try {
      checkSignal(signal)
      signal?.throwIfAborted()
      owner?.checkAlive()
      return new ExitWait(this, this.resolvePid(to), signal, owner).promise
    } catch (err) {
      return Promise.reject(err)
    }
  }

  /**
   * An entity has ended and released what is its own: nothing remains of it here, and then those
   * who watched it are told.
   * @param afterwards what runs code of users, when all is told
   */
  entityEnded (entity: Entity, exit: Exit, afterwards?: () => void): void {
    const { pid } = entity
    this.#table.delete(pid)
    this.nameTable.release(pid)
    this.groupTable.release(pid)
    this.counters.countExit(exit.reason)
    this.#exitSignals.signalExit(exit, afterwards)
  }

  /** Why there is nobody behind a PID. */
  #absenceReason (pid: Pid): Exit['reason'] {
    return this.pids.isRemote(pid) ? 'noconnection' : 'noproc'
  }

  // The end of all

  close (timeout: number): Promise<void> {
    // In a microtask: what listens to the stop must find that nothing starts any more.
    this.#closed ??= Promise.resolve().then(() => this.#close(timeout))
    return this.#closed
  }

  async #close (timeout: number): Promise<void> {
    this.refusesBinds = true
    this.announceClosing?.()
    await shutDown(this, timeout)
    await this.leaveCluster?.()
  }

  /** Resolves when a condition holds; it is looked at whenever something has ended. */
  waitUntil (condition: () => boolean): Promise<void> {
    return this.#exitSignals.waitUntil(condition)
  }

  /** What a line of the log says of a process: its label and names, too, as long as it is there. */
  #logFields (pid: Pid): object {
    const label = this.#table.get(pid)?.describe().label
    const names = this.nameTable.namesOf(pid)
    return { relayPid: pid, ...label && { relayLabel: label }, ...names.length > 0 && { relayNames: names } }
  }

  /** Logs a failure. A logger that fails itself must not stop what goes on. */
  logFailure (pid: Pid, err: unknown, text: string): void {
    try {
      this.logger.error({ ...this.#logFields(pid), err }, text)
    } catch {
      // A logger that throws is its owner's fault, and must not keep anybody from being told.
    }
  }
}
