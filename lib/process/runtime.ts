import { errorCodes, show } from '../errors.js'
import { ContextClock, nodeClock } from '../shared/clock.js'
import { Context } from '../shared/context.js'
import { processEvents } from '../shared/diagnostics.js'
import { Actor } from './actor/actor.js'
import { Self } from './actor/self.js'
import { checkSignal, ExitWait } from './calls.js'
import { Counters } from './counters.js'
import { checkExitReason, ExitSignals } from './exits/exit-signals.js'
import { Relations } from './exits/relations.js'
import { Messenger } from './messenger.js'
import { checkSpawn } from './options.js'
import { checkAddress, isPid, PidFactory } from './pid.js'
import { clusterFacade, groupsFacade, namesFacade } from './registry/facades.js'
import { GroupTable } from './registry/groups.js'
import { isName, NameTable } from './registry/names.js'
import { Scheduler } from './scheduler.js'
import { shutDown } from './shutdown.js'
import { startSupervisor } from './supervisor/supervisor.js'
import type { ActorOptions } from './actor/actor.js'
import type { WatermarkLimits } from '../shared/watermark.js'
import type { CountedEntity } from './counters.js'
import type { Entity } from './entity.js'
import type { ExitListener } from './exits/relations.js'
import type { RemoteNodes } from './remote-nodes.js'
import type { TurnOrder } from './scheduler.js'
import type { Clock } from '../shared/clock.js'
import type { Cluster } from '../../types/cluster.js'
import type { Exit } from '../../types/messages.js'
import type { Monitor, Pid } from '../../types/pid.js'
import type { ProcessInfo } from '../../types/info.js'
import type {
  Logger, Process, ProcessBody, SpawnOptions, Supervisor, SupervisorSpec
} from '../../types/processes.js'
import type { Groups, Names } from '../../types/registries.js'

/** The options of a runtime, checked. */
export interface RuntimeOptions {
  readonly node: string
  readonly mailboxLimit: number
  readonly mailboxBytes: number
  readonly logger: Logger
  /** @defaultValue Node's own time */
  readonly clock?: Clock
  readonly turnOrder?: TurnOrder
}

export { isOrderly } from './exits/exit-signals.js'

/**
 * The process system of one node. It owns the table of live processes and connections, and puts
 * the parts together: scheduler, messenger, exit signals, names and groups. Its public face is
 * `processes.ts`.
 */
export class Runtime {
  /** The async context in which all code of processes runs. */
  readonly context = new Context()
  /** Starts tasks in the async context of its caller. */
  readonly clock: Clock
  /** Starts tasks in {@link context}. */
  readonly contextClock: Clock
  readonly scheduler: Scheduler
  readonly counters: Counters
  readonly relations = new Relations()
  readonly exitSignals = new ExitSignals(this)
  readonly messenger = new Messenger(this)
  readonly nameTable = new NameTable()
  readonly groupTable = new GroupTable((watcher, group, joined, left) => {
    this.#table.get(watcher)?.notify('@group', { group, joined: [...joined], left: [...left] })
  })

  readonly names: Names = namesFacade(this)
  readonly groups: Groups = groupsFacade(this, undefined)
  /** Supervisors that no other supervisor has started. */
  readonly supervisors = new Set<Pid>()
  readonly pids: PidFactory
  /** The limits of a mailbox without options of its own. */
  readonly mailboxLimits: WatermarkLimits
  readonly logger: Logger
  /** Nothing can start until the node has joined its cluster. */
  awaitsCluster = false
  cluster: Cluster | undefined
  /** This node is closing: connections of other nodes cannot be bound to its processes any more. */
  refusesBinds = false
  /** Tells the other nodes that this one is closing. Called before the first process is stopped. */
  announceClosing: (() => void) | undefined
  /** Called when all processes of this node have ended. */
  leaveCluster: (() => Promise<void>) | undefined
  readonly #table = new Map<string, Entity>()
  #remoteNodes: RemoteNodes | undefined
  #monitors = 0
  #closed: Promise<void> | undefined

  constructor (options: RuntimeOptions) {
    this.pids = new PidFactory(options.node)
    this.counters = new Counters(options.node)
    this.mailboxLimits = { messages: options.mailboxLimit, bytes: options.mailboxBytes }
    this.logger = options.logger
    this.clock = options.clock ?? nodeClock
    this.contextClock = new ContextClock(this.clock, this.context)
    this.scheduler = new Scheduler(this.clock, this.contextClock, options.turnOrder)
  }

  // The table

  /** The live entity with a PID or a name of this node. */
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
   * The PID for a PID or a name, dead or alive. An unregistered name is returned as is, and treated
   * as a dead PID.
   * @throws `FST_PROCESS_INVALID_PID` for other strings
   */
  resolvePid (to: string): Pid {
    const entity = this.findEntity(to)
    if (entity !== undefined) return entity.pid
    if (!isPid(to) && !isName(to)) throw new errorCodes.FST_PROCESS_INVALID_PID(show(to))
    return to as Pid
  }

  /** The other nodes, for a PID of one of them. Undefined for local PIDs, and without a cluster. */
  remoteNodesFor (pid: string): RemoteNodes | undefined {
    const remoteNodes = this.#remoteNodes
    return remoteNodes !== undefined && this.pids.isRemote(pid) ? remoteNodes : undefined
  }

  joinCluster (remoteNodes: RemoteNodes, cluster?: Cluster): void {
    this.#remoteNodes = remoteNodes
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

  addEntity (entity: Entity): void {
    this.#table.set(entity.pid, entity)
  }

  /**
   * Called when an entity has released its own state. Removes it from all tables, and sends the
   * exit signals.
   * @param afterwards user code: runs when all signals have been sent
   */
  entityEnded (entity: CountedEntity, exit: Exit, afterwards?: () => void): void {
    const { pid } = entity
    const names = processEvents.hasSubscribers ? this.nameTable.namesOf(pid) : undefined
    this.#table.delete(pid)
    this.nameTable.release(pid)
    this.groupTable.release(pid)
    this.counters.entityEnded(entity, exit, names)
    this.exitSignals.signalExit(exit, afterwards)
  }

  info (to: string): ProcessInfo | undefined {
    const entity = this.findEntity(to)
    if (entity === undefined) return undefined
    const { pid } = entity
    return {
      pid,
      ...entity.describe(),
      names: this.nameTable.namesOf(pid),
      links: [...this.relations.linksOf(pid)],
      groups: this.groupTable.groupsOf(pid)
    }
  }

  // Start

  /** @throws `FST_PROCESS_CLOSING`, `FST_CLUSTER_NOT_READY` */
  checkOpen (): void {
    if (this.closing) throw new errorCodes.FST_PROCESS_CLOSING()
    if (this.awaitsCluster) throw new errorCodes.FST_CLUSTER_NOT_READY()
  }

  spawn (body: ProcessBody, options: SpawnOptions = {}): Pid {
    checkSpawn(body, options)
    return this.start(body as (...args: unknown[]) => unknown, options, 'process', body.name).pid
  }

  /**
   * Starts an actor. Its name, link and monitor are in place before the body runs. Nothing is
   * started when this throws.
   */
  start (
    body: (self: Process, ...args: never[]) => unknown,
    options: SpawnOptions,
    kind: Actor['kind'],
    label: string
  ): Actor {
    this.checkOpen()
    const { name, link, monitor, args = [], mailboxLimit, trapLinks = false } = options
    if (name !== undefined) this.nameTable.checkFree(name)
    const linked = link === undefined ? undefined : this.resolvePid(link)
    const monitoring = monitor === undefined ? undefined : this.#localActor(monitor)
    const mailboxLimits = mailboxLimit === undefined
      ? this.mailboxLimits
      : { ...this.mailboxLimits, messages: mailboxLimit }
    const actor = new Actor(this, this.pids.nextPid(), {
      kind, label, body: body as ActorOptions['body'], args, mailboxLimits, trapLinks
    })
    this.addEntity(actor)
    if (name !== undefined) this.nameTable.register(name, actor.pid)
    monitoring?.addMonitor(actor.pid)
    this.counters.processSpawned(actor, name)
    // A subscriber may have ended the process.
    if (linked !== undefined && !actor.hasEnded) this.exitSignals.link(actor, linked)
    if (!actor.hasEnded) this.scheduler.schedule(actor)
    return actor
  }

  createSelf (actor: Actor): Self {
    return new Self(this, actor)
  }

  supervise (spec: SupervisorSpec): Supervisor {
    return startSupervisor(this, spec)
  }

  /** Resolves the `monitor` option to a local actor, before anything is started. */
  #localActor (to: string): Actor {
    const entity = this.findEntity(this.resolvePid(to))
    if (entity instanceof Actor) return entity
    const { FST_PROCESS_INVALID_SPEC, FST_PROCESS_NOT_ALIVE } = errorCodes
    if (this.remoteNodesFor(to) !== undefined) {
      const problem = `expected a process of this node as 'monitor', got '${show(to)}'`
      throw new FST_PROCESS_INVALID_SPEC(problem)
    }
    if (entity === undefined) throw new FST_PROCESS_NOT_ALIVE(show(to))
    throw new FST_PROCESS_INVALID_SPEC(`expected a process as 'monitor', got '${show(to)}'`)
  }

  /** The groups for one process: it is the sender of its broadcasts. */
  groupsFor (sender: Actor): Groups {
    return groupsFacade(this, sender)
  }

  /** The cluster for one process: it is the sender of its broadcasts. */
  clusterFor (sender: Actor): Cluster | undefined {
    return this.cluster && clusterFacade(this.cluster, sender)
  }

  // Exits

  exit (to: string, reason: string = 'shutdown'): boolean {
    checkExitReason(reason)
    const entity = this.findEntity(to)
    if (entity === undefined) return this.remoteNodesFor(to)?.exit(to as Pid, reason) ?? false
    entity.end(reason === 'kill' ? 'killed' : reason)
    return true
  }

  cancel (to: string, reason: string = 'shutdown', from?: Pid): boolean {
    checkExitReason(reason)
    const entity = this.findEntity(to)
    if (entity !== undefined) return entity.cancel(from, reason)
    return this.remoteNodesFor(to)?.cancel(to as Pid, reason, from) ?? false
  }

  nextMonitorId (): Monitor {
    return ++this.#monitors as Monitor
  }

  monitor (target: Pid, listener: ExitListener): void {
    this.exitSignals.monitor(target, listener)
  }

  demonitor (target: Pid, listener: ExitListener): void {
    this.exitSignals.demonitor(target, listener)
  }

  /** @param owner the process that waits: its own end rejects the promise */
  exited (to: string, signal: AbortSignal | undefined, owner?: Actor): Promise<Exit> {
    try {
      checkSignal(signal)
      signal?.throwIfAborted()
      owner?.checkAlive()
      return new ExitWait(this.exitSignals, this.resolvePid(to), signal, owner).promise
    } catch (err) {
      return Promise.reject(err)
    }
  }

  // Close

  get closing (): boolean {
    return this.#closed !== undefined
  }

  close (timeout: number): Promise<void> {
    // `closing` must be true before the first process stops: its abort listeners may call `spawn`.
    this.#closed ??= Promise.resolve().then(() => this.#close(timeout))
    return this.#closed
  }

  async #close (timeout: number): Promise<void> {
    this.refusesBinds = true
    this.announceClosing?.()
    await shutDown(this, timeout)
    await this.leaveCluster?.()
  }

  // Log

  /** Logs an error of a process, with its label and names while it is alive. */
  logFailure (pid: Pid, err: unknown, text: string): void {
    try {
      this.logger.error({ ...this.#logFields(pid), err }, text)
    } catch {
      // A logger that throws must not keep other processes from their exit signals.
    }
  }

  #logFields (pid: Pid): object {
    const label = this.#table.get(pid)?.describe().label
    const names = this.nameTable.namesOf(pid)
    return {
      relayPid: pid,
      ...label && { relayLabel: label },
      ...names.length > 0 && { relayNames: names }
    }
  }
}
